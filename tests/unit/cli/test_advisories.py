"""What `pratique advisories status` says of a compiled database."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pratique.advisories.compiler import compile_database
from pratique.advisories.contents import DatabaseContents, FeedContents
from pratique.errors import InvalidAdvisory
from pratique_services.cli.advisories import contents_lines
from pratique_services.cli.main import main
from tests.support.osv_mirror import make_affected, make_record, write_mirror

NOW = datetime(2024, 5, 10, tzinfo=UTC)


def feed(name: str, updated: str, *, records: int = 1, skipped: int = 0, is_matched: bool = True) -> FeedContents:
    return FeedContents(name=name, updated=updated, records=records, skipped=skipped, is_matched=is_matched)


def test_a_feed_is_a_line_with_its_newest_time_and_age() -> None:
    feeds = (
        feed("Debian", "2024-05-09T12:34:56Z", records=51234),
        feed("EPSS", "2024-05-08", records=270000, skipped=3, is_matched=False),
        feed("GIT", "", is_matched=False),
    )
    assert list(contents_lines(DatabaseContents(feeds=feeds, advisories=7, affected=9), now=NOW)) == [
        "7 advisories, 9 affected packages",
        "feed             newest                age   records",
        "Debian           2024-05-09 12:34     11 h     51234",
        "EPSS             2024-05-08         2 days    270000  exploitation, 3 skipped",
        "GIT              -                       -         1  severities",
    ]


def test_no_line_is_longer_than_a_terminal_and_none_rewrites_it() -> None:
    wild = feed("\x1b[2J" + "n" * 100, "\x1b]0;" + "9" * 100, records=99_999_999, skipped=99_999, is_matched=False)
    known = feed("chainguard-secdb", "2000-01-01T00:00:00Z", records=99_999_999, skipped=9_999_999)
    for line in contents_lines(DatabaseContents(feeds=(wild, known), advisories=99_999_999, affected=99_999_999), now=NOW):
        assert len(line) <= 80
        assert line.isprintable()


@pytest.mark.parametrize(("eol", "is_over"), [("2099-01-01", False), ("2001-01-01", True)])
def test_a_scan_takes_ends_of_life_from_the_database(tmp_path: Path, capsys: pytest.CaptureFixture[str], eol: str, is_over: bool) -> None:
    mirror = write_mirror(tmp_path / "mirror", PyPI=[make_record("PYSEC-1", make_affected("PyPI", "a", {"introduced": "0"}))])
    compile_database(mirror, tmp_path / "old.db")
    (mirror / "eol.json").write_text(json.dumps({"products": {"debian": {"cycles": [{"cycle": "11", "eol": eol}]}}}))
    compile_database(mirror, tmp_path / "new.db")
    (tmp_path / "rootfs/etc").mkdir(parents=True)
    (tmp_path / "rootfs/etc/os-release").write_text("ID=debian\nVERSION_ID=11\n")

    found = {}
    for name in ("old.db", "new.db"):
        main(["scan", f"dir:{tmp_path / 'rootfs'}", "--advisories", str(tmp_path / name), "--format", "json"])
        report = json.loads(capsys.readouterr().out)
        found[name] = (report["target"]["os"]["eol"], [one["id"] for one in report["findings"]])

    assert found == {"old.db": ("2024-08-14", ["EOL-debian-11"]), "new.db": (eol, ["EOL-debian-11"] if is_over else [])}


def test_ends_of_life_that_cannot_be_read_leave_the_old_database(tmp_path: Path) -> None:
    mirror = write_mirror(tmp_path / "mirror", PyPI=[make_record("PYSEC-1", make_affected("PyPI", "a", {"introduced": "0"}))])
    (mirror / "eol.json").write_text("<html>")
    (tmp_path / "a.db").write_bytes(b"old")

    with pytest.raises(InvalidAdvisory, match=r"eol\.json"):
        compile_database(mirror, tmp_path / "a.db")

    assert (tmp_path / "a.db").read_bytes() == b"old"


def test_a_database_tells_all_that_it_was_made_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = make_record(
        "PYSEC-1", make_affected("PyPI", "a", {"introduced": "0"}), modified="2024-01-02T03:04:05Z", aliases=["CVE-2024-1111"]
    )
    mirror = write_mirror(tmp_path / "mirror", PyPI=[record, b"{}"])
    scores = b"#model_version:v2025.03.14,score_date:2024-02-03T12:55:00Z\ncve,epss,percentile\nCVE-2024-1111,0.1,0.5\n"
    (mirror / "epss.csv.gz").write_bytes(gzip.compress(scores))
    database = tmp_path / "advisories.db"
    report = compile_database(mirror, database)

    assert main(["advisories", "status", str(database), "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert main(["advisories", "status", str(database)]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert document["digest"] == str(report.digest) == lines[0]
    assert (document["advisories"], document["affected"]) == (1, 1)
    assert [(one["name"], one["updated"][:10], one["skipped"], one["is_matched"]) for one in document["feeds"]] == [
        ("EPSS", "2024-02-03", 0, False),
        ("PyPI", "2024-01-02", 1, True),
    ]
    assert len(lines) == 5
    assert all(len(line) <= 80 for line in lines)
