"""Compiling a mirror."""

import json
import os
import sqlite3
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pratique.advisories.compiler import compile_database
from pratique.advisories.database import AdvisoryDatabase
from pratique.advisories.mirror import MirrorLimits
from pratique.advisories.ratings import decode_ratings
from pratique.errors import DatabaseUnavailable, InputError, InvalidAdvisory, LimitExceeded
from pratique.findings import Severity
from pratique.inventory.package import Package
from tests.support.osv_mirror import EXTRACT, make_affected, make_record, write_mirror

_CRITICAL = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]


def _npm(identifier: str, name: str = "a", **fields: Any) -> dict[str, Any]:
    return make_record(identifier, make_affected("npm", name, {"introduced": "0"}, {"fixed": "1.0.0"}), **fields)


def _dsa(identifier: str, *cves: str) -> dict[str, Any]:
    return make_record(identifier, make_affected("Debian:11", "openssl", {"introduced": "0"}, {"fixed": "1.1"}), upstream=list(cves))


def _rows(path: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _opinions(path: Path) -> list[tuple[str, list[str]]]:
    """The advisories with the sources of what is said of their flaws."""
    rows = _rows(path, "SELECT a.name, o.ratings FROM advisory AS a LEFT JOIN opinion AS o ON o.id = a.opinion ORDER BY a.name")
    return [(name, [rating.source for rating in decode_ratings(content)]) for name, content in rows]


def test_the_same_mirror_gives_the_same_bytes(tmp_path: Path) -> None:
    reports = [compile_database(EXTRACT, tmp_path / name) for name in ("a.db", "b.db")]
    assert (tmp_path / "a.db").read_bytes() == (tmp_path / "b.db").read_bytes()
    assert reports[0] == reports[1]
    assert reports[0].size == (tmp_path / "a.db").stat().st_size
    assert [path.name for path in tmp_path.iterdir() if path.name not in {"a.db", "b.db"}] == []


def test_the_report_says_what_became_of_every_feed(tmp_path: Path) -> None:
    mirror = write_mirror(
        tmp_path / "mirror",
        npm=[_npm("GHSA-1"), _npm("GHSA-2"), _npm("GHSA-3", withdrawn="2024-01-01T00:00:00Z"), b"{broken"],
        Android=[make_record("GHSA-4")],
    )
    calls: list[tuple[str, int, int]] = []
    report = compile_database(mirror, tmp_path / "a.db", progress=lambda *call: calls.append(call))
    android, npm = report.feeds
    assert (npm.records, npm.withdrawn, npm.skipped, npm.is_matched, npm.updated) == (4, 1, 1, True, "2024-01-02T03:04:05Z")
    assert (android.is_matched, report.not_matched_yet) == (False, ("Android",))
    assert (report.advisories, report.affected) == (2, 2)
    assert [(problem.ecosystem, problem.record) for problem in report.problems] == [("npm", "broken-3.json")]
    assert calls == [("Android", 1, 1), ("npm", 4, 4)]


def test_a_feed_is_compiled_only_if_asked_for(tmp_path: Path) -> None:
    mirror = write_mirror(tmp_path / "mirror", npm=[_npm("GHSA-1")], Debian=[_dsa("DSA-1", "CVE-1")])
    compile_database(mirror, tmp_path / "a.db", ecosystems=["Debian"])
    assert _rows(tmp_path / "a.db", "SELECT name FROM ecosystem") == [("Debian:11",)]
    with pytest.raises(InvalidAdvisory, match=r"PyPI/all\.zip"):
        compile_database(mirror, tmp_path / "a.db", ecosystems=["PyPI"])


def test_an_unrated_advisory_takes_the_worst_rating_of_its_cves_from_any_ecosystem(tmp_path: Path) -> None:
    mirror = write_mirror(
        tmp_path / "mirror",
        npm=[_npm("GHSA-2", aliases=["CVE-2"], severity=_CRITICAL)],
        Bitnami=[make_record("BIT-1", aliases=["CVE-1"], database_specific={"severity": "Medium"})],
        Debian=[_dsa("DSA-1", "CVE-1", "CVE-2"), _dsa("DSA-2", "CVE-1"), _dsa("DSA-3", "CVE-3")],
    )
    compile_database(mirror, tmp_path / "a.db", ecosystems=["Debian"])
    assert _opinions(tmp_path / "a.db") == [("DSA-1", ["CVSS:3.1 of GHSA-2", "BIT-1"]), ("DSA-2", ["BIT-1"]), ("DSA-3", [])]


def test_what_is_said_of_a_flaw_is_stored_once_for_all_advisories_about_it(tmp_path: Path) -> None:
    ghsa = _npm("GHSA-2", aliases=["CVE-2"], severity=_CRITICAL)
    mirror = write_mirror(tmp_path / "mirror", npm=[ghsa], Debian=[_dsa("DSA-1", "CVE-2"), _dsa("DSA-2", "CVE-2")])
    compile_database(mirror, tmp_path / "a.db")
    assert _rows(tmp_path / "a.db", "SELECT count(*) FROM opinion") == [(1,)]
    assert _rows(tmp_path / "a.db", "SELECT count(*) FROM advisory WHERE opinion = 1") == [(3,)]


def test_a_publishers_own_low_is_not_overruled_by_anothers_critical(tmp_path: Path) -> None:
    mirror = write_mirror(
        tmp_path / "mirror",
        npm=[_npm("GHSA-1", aliases=["CVE-1"], database_specific={"severity": "LOW"})],
        Bitnami=[make_record("BIT-1", aliases=["CVE-1"], severity=_CRITICAL)],
    )
    compile_database(mirror, tmp_path / "a.db")
    with AdvisoryDatabase.open(tmp_path / "a.db") as database:
        (found,) = database.match(Package(type="npm", name="a", version="0.1.0", ecosystem="npm"))
    assert (found.severity, found.severity_source) == (Severity.LOW, "GHSA-1")
    assert [(rating.source, rating.severity, rating.vector) for rating in found.ratings] == [
        ("GHSA-1", Severity.LOW, ""),
        ("CVSS:3.1 of BIT-1", Severity.CRITICAL, _CRITICAL[0]["score"]),
    ]


def test_an_update_that_covers_several_cves_rates_none_of_them(tmp_path: Path) -> None:
    usn = make_record("USN-1", upstream=["CVE-1", "CVE-2"], severity=_CRITICAL)
    mirror = write_mirror(tmp_path / "mirror", Ubuntu=[usn], Debian=[_dsa("DSA-1", "CVE-1")])
    compile_database(mirror, tmp_path / "a.db")
    assert _opinions(tmp_path / "a.db") == [("DSA-1", [])]


def test_a_record_in_two_zips_affects_both_ecosystems_once(tmp_path: Path) -> None:
    record = make_record(
        "GHSA-1", make_affected("npm", "a", {"introduced": "0"}), make_affected("PyPI", "A_B", {"introduced": "0"}, versions=("1.0",))
    )
    mirror = write_mirror(tmp_path / "mirror", npm=[record], PyPI=[record])
    report = compile_database(mirror, tmp_path / "a.db")
    assert (report.advisories, report.affected) == (1, 2)
    assert _rows(tmp_path / "a.db", "SELECT name FROM affected ORDER BY name") == [("a",), ("a-b",)]


def _broken(content: bytes) -> bytes:
    middle = len(content) // 3
    return content[:middle] + bytes(255 - byte for byte in content[middle : middle + 20]) + content[middle + 20 :]


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda _: b"PK no zip", lambda content: content[:-30], _broken],
    ids=["empty", "no zip", "cut", "damaged inside"],
)
def test_a_broken_zip_leaves_the_old_database_in_place(tmp_path: Path, damage: Any) -> None:
    mirror = write_mirror(tmp_path / "mirror", npm=[_npm(f"GHSA-{number}", details=os.urandom(99).hex()) for number in range(9)])
    report = compile_database(mirror, tmp_path / "a.db")
    zipped = mirror / "npm" / "all.zip"
    zipped.write_bytes(damage(zipped.read_bytes()))
    with pytest.raises(InvalidAdvisory, match=r"npm/all\.zip"):
        compile_database(mirror, tmp_path / "a.db")
    with AdvisoryDatabase.open(tmp_path / "a.db") as database:
        assert database.digest == report.digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db", "mirror"]


def test_a_feed_most_of_whose_records_are_malformed_is_refused(tmp_path: Path) -> None:
    mirror = write_mirror(tmp_path / "mirror", npm=[_npm("GHSA-1"), b"{}", b"{}"])
    with pytest.raises(InvalidAdvisory, match="2 of 3 records"):
        compile_database(mirror, tmp_path / "a.db")


@pytest.mark.parametrize(
    "limits",
    [
        MirrorLimits(directory_bytes=100),
        MirrorLimits(records=2),
        MirrorLimits(record_bytes=1000),
        MirrorLimits(total_bytes=1000),
        MirrorLimits(ratio=100),
    ],
    ids=lambda limits: next(name for name in MirrorLimits.__slots__ if getattr(limits, name) != getattr(MirrorLimits(), name)),
)
def test_a_zip_bomb_is_refused(tmp_path: Path, limits: MirrorLimits) -> None:
    records = [_npm("GHSA-1"), _npm("GHSA-2"), _npm("GHSA-3", details="x" * 3_000_000)]
    with pytest.raises(LimitExceeded):
        compile_database(write_mirror(tmp_path / "mirror", npm=records), tmp_path / "a.db", limits=limits)
    assert not (tmp_path / "a.db").exists()


def test_a_directory_that_lies_about_sizes_does_not_get_through(tmp_path: Path) -> None:
    zipped = write_mirror(tmp_path / "mirror", npm=[_npm("GHSA-1", details="x" * 3_000_000)]) / "npm" / "all.zip"
    content = bytearray(zipped.read_bytes())
    entry = content.rfind(b"PK\x01\x02")
    struct.pack_into("<L", content, entry + 24, 500)  # the uncompressed size that the directory claims
    zipped.write_bytes(bytes(content))
    with pytest.raises(InputError):
        compile_database(tmp_path / "mirror", tmp_path / "a.db")


def test_an_encrypted_or_foreign_zip_is_refused(tmp_path: Path) -> None:
    zipped = write_mirror(tmp_path / "mirror", npm=[_npm("GHSA-1")]) / "npm" / "all.zip"
    content = bytearray(zipped.read_bytes())
    content[content.rfind(b"PK\x01\x02") + 8] |= 1  # the flag for encryption
    zipped.write_bytes(bytes(content))
    with pytest.raises(InvalidAdvisory):
        compile_database(tmp_path / "mirror", tmp_path / "a.db")


def test_a_large_zip_in_the_64_bit_format_has_its_directory_measured(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    (mirror / "npm").mkdir(parents=True)
    with zipfile.ZipFile(mirror / "npm" / "all.zip", "w") as archive:
        for number in range(70_000):  # more than 65,535 entries make zipfile write the 64-bit records
            archive.writestr(f"{number}.txt", b"")
        archive.writestr("GHSA-1.json", json.dumps(_npm("GHSA-1")))
    assert compile_database(mirror, tmp_path / "a.db").advisories == 1
    with pytest.raises(LimitExceeded):
        compile_database(mirror, tmp_path / "a.db", limits=MirrorLimits(directory_bytes=1_000_000))


def test_an_empty_mirror_is_no_mirror(tmp_path: Path) -> None:
    (tmp_path / "Alpine:v3.10").mkdir()
    (tmp_path / "Alpine:v3.10" / "all.zip").write_bytes(b"")
    with pytest.raises(InvalidAdvisory, match="found none"):
        compile_database(tmp_path, tmp_path / "a.db")


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        compile_database(EXTRACT, tmp_path / "missing" / "a.db")
