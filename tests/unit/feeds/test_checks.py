"""What counts as a plausible file of each feed."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError, InvalidAdvisory, LimitExceeded
from pratique.feeds.archives import check_csaf_archive, check_osv_archive
from pratique.feeds.checks import (
    BoundedReader,
    Checker,
    Found,
    check_debian_tracker,
    check_epss,
    check_kev,
    check_secdb,
    check_updateinfo,
)
from pratique.feeds.eol import convert_eol
from tests.support.feed_server import epss_file

KEV = json.dumps({"dateReleased": "2025-08-25T17:04:19Z", "vulnerabilities": [{"cveID": "CVE-2025-1", "product": "x"}]}).encode()
SECDB = json.dumps(
    {"distroversion": "v3.20", "reponame": "main", "packages": [{"pkg": {"name": "a", "secfixes": {"0": ["CVE-1"]}}}]}
).encode()
TRACKER = json.dumps({"bash": {"CVE-2014-6271": {"releases": {}}, "TEMP-1": {}}, "zsh": {"CVE-2024-1": {}}}).encode()
UPDATEINFO = gzip.compress(
    b'<?xml version="1.0" ?>\n<updates><update author="x"><id>ALAS-1</id></update><update x=""></update></updates>\n'
)


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


CSAF = tar_of({"2024/cve-2024-1.json": b'{"document": {}, "vulnerabilities": []}', "index.txt": b"x"})
OSV = tar_of({"osv/cve/2024/UBUNTU-CVE-2024-1.json": b'{"id": "UBUNTU-CVE-2024-1", "affected": []}'})
GOOD: list[tuple[str, Checker, bytes, Found]] = [
    ("kev.json", check_kev, KEV, Found(records=1, modified="2025-08-25T17:04:19Z")),
    ("main.json", check_secdb, SECDB, Found(records=1)),
    ("tracker.json", check_debian_tracker, TRACKER, Found(records=3)),
    ("epss.csv.gz", check_epss, epss_file(7), Found(records=7, modified="2025-08-25T12:55:00Z")),
    ("updateinfo.xml.gz", check_updateinfo, UPDATEINFO, Found(records=2)),
    ("csaf.tar.bz2", check_csaf_archive, bz2.compress(CSAF), Found(records=0)),
    ("csaf.tar.zst", check_csaf_archive, zstandard.compress(CSAF), Found(records=0)),
    ("osv.tar.xz", check_osv_archive, lzma.compress(OSV), Found(records=0)),
]
BAD: list[tuple[str, Checker, bytes, str]] = [
    ("kev.json", check_kev, KEV[:-5], "KEV catalogue"),
    ("main.json", check_secdb, b'{"packages": {}}', "secdb"),
    ("main.json", check_secdb, b'{"packages": [{"name": "a"}]}', "secdb"),
    ("tracker.json", check_debian_tracker, b'{"bash": ["CVE-2014-6271"]}', "tracker"),
    ("tracker.json", check_debian_tracker, b"{}", "no record"),
    ("epss.csv.gz", check_epss, epss_file(0), "no record"),
    ("epss.csv.gz", check_epss, epss_file(1000)[:-20], "packed with gzip"),
    ("epss.csv.gz", check_epss, b"cve,epss,percentile\n", "packed with gzip"),
    ("epss.csv.gz", check_epss, gzip.compress(b"cve,epss,percentile\nCVE-2024-1,0.1,0.2\n"), "expected a comment"),
    ("epss.csv.gz", check_epss, gzip.compress(b"#m\ncve,epss,percentile\nCVE-2024-0001;0.1;0.2\n"), "row 1 is no score"),
    ("epss.csv.gz", check_epss, gzip.compress(b"#m\ncve,epss,percentile\n" + b"C" * 10_000_000), "row 1 is no score"),
    ("updateinfo.xml.gz", check_updateinfo, gzip.compress(b"<updates><update "), "to its end"),
    ("updateinfo.xml.gz", check_updateinfo, gzip.compress(b"<html></html>"), "<updates>"),
    ("csaf.tar.bz2", check_csaf_archive, b"<html>", "packed tar"),
    ("csaf.tar.bz2", check_csaf_archive, bz2.compress(b"<html>" * 1000), "packed tar"),
    ("csaf.tar.zst", check_csaf_archive, zstandard.compress(CSAF)[:50], "packed tar"),
    ("csaf.tar.zst", check_csaf_archive, zstandard.compress(tar_of({"a.txt": b""})), "no JSON document"),
    ("csaf.tar.zst", check_csaf_archive, zstandard.compress(OSV), "has no 'document'"),
    ("csaf.tar.zst", check_csaf_archive, zstandard.compress(tar_of({"a.json": b"{"})), "not JSON"),
    ("csaf.tar.gz", check_csaf_archive, gzip.compress(CSAF), "not known"),
]


@pytest.mark.parametrize(("name", "check", "content", "found"), GOOD)
def test_what_a_feed_publishes_is_plausible(tmp_path: Path, name: str, check: Checker, content: bytes, found: Found) -> None:
    (tmp_path / name).write_bytes(content)
    assert check(tmp_path / name) == found


@pytest.mark.parametrize(("name", "check", "content", "reason"), BAD)
def test_what_is_of_another_form_is_refused(tmp_path: Path, name: str, check: Checker, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidAdvisory, match=reason):
        check(tmp_path / name)


@pytest.mark.parametrize(("name", "check", "content", "_found"), GOOD)
@given(data=st.data())
def test_damaged_bytes_are_judged_and_nothing_else_happens(
    tmp_path_factory: pytest.TempPathFactory, name: str, check: Checker, content: bytes, _found: Found, data: st.DataObject
) -> None:
    damaged = bytearray(content)
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        damaged[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
    judged(check, path)


@pytest.mark.parametrize("check", [check_kev, check_secdb, check_debian_tracker, check_epss, check_updateinfo, convert_eol])
@given(content=st.binary(max_size=200))
def test_arbitrary_bytes_are_judged(tmp_path_factory: pytest.TempPathFactory, check: Checker, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "arbitrary"
    path.write_bytes(content)
    judged(check, path)


def judged(check: Callable[[Path], Found], path: Path) -> None:
    with contextlib.suppress(InputError):
        assert check(path).records >= 0


def test_a_bomb_in_a_packed_tar_ends_at_the_limit() -> None:
    reader = BoundedReader(io.BytesIO(bytes(1000)), 100, "bomb.tar.xz")
    assert len(reader.read(60)) == 60
    with pytest.raises(LimitExceeded, match="unpacks to more"):
        reader.read(60)


def test_a_header_that_asks_for_all_memory_is_refused_within_the_sample(tmp_path: Path) -> None:
    header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.PAX_FORMAT))
    member = tarfile.TarInfo("pax")
    member.type, member.size = tarfile.XHDTYPE, 8 * 1024**3 - 1
    header[:512] = member.tobuf(tarfile.USTAR_FORMAT)[:512]
    (tmp_path / "csaf.tar.zst").write_bytes(zstandard.compress(bytes(header) + bytes(300 * 1024 * 1024)))
    with pytest.raises(InputError, match=r"unpacks to more|packed tar"):
        check_csaf_archive(tmp_path / "csaf.tar.zst")


def product(**release: Any) -> dict[str, Any]:
    common = {
        "label": "x",
        "codename": None,
        "releaseDate": "2021-08-14",
        "isLts": False,
        "ltsFrom": None,
        "isMaintained": True,
        "latest": None,
    }
    return {"name": "debian", "label": "Debian", "aliases": [], "category": "os", "identifiers": [], "releases": [{**common, **release}]}


@pytest.mark.parametrize(
    ("release", "cycle"),
    [
        (
            {"name": "11", "codename": "Bullseye", "isEol": True, "eolFrom": "2024-08-14", "isEoes": False, "eoesFrom": "2026-08-31"},
            {"cycle": "11", "codename": "Bullseye", "eol": "2024-08-14", "eoes": "2026-08-31"},
        ),
        ({"name": "sid", "isEol": False, "eolFrom": None}, {"cycle": "sid", "eol": False}),
        ({"name": "1", "isEol": True, "eolFrom": None}, {"cycle": "1", "eol": True}),
        (
            {"name": "2", "isEol": False, "latest": {"name": "2.1", "date": "2024-01-01", "link": None}},
            {"cycle": "2", "eol": False, "latest": "2.1", "latestReleaseDate": "2024-01-01"},
        ),
    ],
)
def test_end_of_life_dates_are_kept_in_the_form_of_cycles(tmp_path: Path, release: dict[str, Any], cycle: dict[str, Any]) -> None:
    path = tmp_path / "eol.json"
    answer = {"schema_version": "1.2.0", "generated_at": "2026-01-01T00:00:00+00:00", "total": 1, "result": [product(**release)]}
    path.write_text(json.dumps(answer))
    assert convert_eol(path) == Found(records=1, modified="2026-01-01T00:00:00+00:00")
    document = json.loads(path.read_text())
    assert document["products"]["debian"]["cycles"] == [{"releaseLabel": "x", "releaseDate": "2021-08-14", **cycle}]
    assert document["products"]["debian"]["page"] == "https://endoflife.date/debian"
    assert "generated_at" not in document  # the same dates are the same bytes, whenever they were asked for


@pytest.mark.parametrize(
    "content", [b"[]", b'{"schema_version": "2", "result": []}', b'{"schema_version": "1", "result": [{"name": "x"}]}']
)
def test_another_answer_of_the_api_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "eol.json").write_bytes(content)
    with pytest.raises(InvalidAdvisory):
        convert_eol(tmp_path / "eol.json")
