"""Debian's security tracker."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from pratique.advisories.advisory import FixState
from pratique.advisories.severity import rate_own
from pratique.advisories.sources import Problem, SourceLimits
from pratique.advisories.sources.debian_tracker import SOURCE
from pratique.errors import InvalidAdvisory, LimitExceeded
from pratique.findings import Severity
from tests.support.mutated import mutated
from tests.support.vendor_feeds import ASSETS, answer_or_refuse, read_feed, said, write_feed

_ASSET = (ASSETS / "debian-tracker" / "tracker.json").read_bytes()


def _tracker(folder: Path, content: object) -> Path:
    return write_feed(folder, {"tracker.json": content if isinstance(content, bytes) else json.dumps(content).encode()})


def _one(**release: object) -> dict[str, Any]:
    return {"a": {"CVE-2024-1000": {"releases": {"bookworm": release}}}}


def test_fixed_version_zero_means_never_affected() -> None:
    advisories, _ = read_feed(SOURCE)
    assert said(advisories["DEBIAN-CVE-2024-3094"].affected) == [
        ("Debian:11", "xz-utils", "-", FixState.NOT_AFFECTED, ""),
        ("Debian:12", "xz-utils", "-", FixState.NOT_AFFECTED, ""),
        ("Debian:13", "xz-utils", "5.6.1+really5.4.5-1", FixState.AFFECTED, ""),
    ]


def test_a_cve_has_one_advisory_with_all_source_packages_and_a_fix_wins_over_no_dsa() -> None:
    advisories, _ = read_feed(SOURCE)
    advisory = advisories["DEBIAN-CVE-2024-0001"]
    assert advisory.aliases == advisory.equals == ("CVE-2024-0001",)
    assert advisory.title == 'A flaw in {two} "packages"'
    assert advisory.references == ("https://security-tracker.debian.org/tracker/CVE-2024-0001",)
    assert said(advisory.affected) == [
        ("Debian:11", "openssl", "", FixState.DEFERRED, "postponed"),
        ("Debian:12", "openssl", "3.0.11-1~deb12u2", FixState.AFFECTED, ""),
        ("Debian:9", "openssl1.0", "", FixState.AFFECTED, ""),
    ]


def test_what_is_not_fixed_says_what_debian_means_to_do() -> None:
    advisories, _ = read_feed(SOURCE)
    advisory = advisories["DEBIAN-CVE-2024-0002"]
    assert said(advisory.affected) == [
        ("Debian:11", "openssl", "", FixState.WILL_NOT_FIX, "ignored"),
        ("Debian:12", "openssl", "", FixState.AFFECTED, "no-dsa"),
        ("Debian:13", "openssl", "", FixState.AFFECTED, "unimportant"),
        ("Debian:10", "openssl", "", FixState.END_OF_LIFE, "end-of-life"),
    ]
    assert [entry.words for entry in advisory.affected] == [("unimportant",), ("unimportant",), ("unimportant",), ()]
    assert [rating.severity for rating in rate_own(advisory)] == [Severity.NEGLIGIBLE]


def test_an_open_flaw_with_a_fixed_version_is_fixed(tmp_path: Path) -> None:
    advisories, _ = read_feed(SOURCE, _tracker(tmp_path, _one(status="open", fixed_version="1.2-3", nodsa="Minor", nodsa_reason="ignored")))
    assert said(advisories["DEBIAN-CVE-2024-1000"].affected) == [("Debian:12", "a", "1.2-3", FixState.AFFECTED, "")]


def test_names_that_are_no_cves_are_no_aliases() -> None:
    advisories, _ = read_feed(SOURCE)
    assert advisories["DEBIAN-TEMP-0000000-1A2B3C"].aliases == ()


def test_undetermined_statements_are_left_out_and_counted() -> None:
    _, problems = read_feed(SOURCE)
    assert problems == [Problem(source="debian-tracker", record="", reason="undetermined", is_malformed=False)]


def test_releases_that_are_not_known_are_left_out_and_counted(tmp_path: Path) -> None:
    releases = {name: {"status": "open"} for name in ("sid", "zurg", "bookworm")}
    advisories, problems = read_feed(SOURCE, _tracker(tmp_path, {"a": {"CVE-2024-1000": {"releases": releases}}}))
    assert [entry.ecosystem for entry in advisories["DEBIAN-CVE-2024-1000"].affected] == ["Debian:12"]
    assert [problem.reason for problem in problems] == ["release zurg is not known"]


def test_the_file_s_time_is_that_of_its_advisories(tmp_path: Path) -> None:
    folder = _tracker(tmp_path, _ASSET)
    os.utime(folder / "tracker.json", (1_700_000_000, 1_700_000_000))
    advisories, _ = read_feed(SOURCE, folder)
    assert {advisory.modified for advisory in advisories.values()} == {"2023-11-14T22:13:20Z"}


@pytest.mark.parametrize(
    ("release", "reason"),
    [
        ({"status": "resolved"}, "no version is named"),
        ({"status": "resolved", "fixed_version": "no version at all"}, "is none: left out"),
        ({"status": "maybe"}, "expected open, resolved or undetermined"),
        ({"status": ["open"]}, "Expected `str`"),
        ({"status": "open", "urgency": 3}, "Expected `str`"),
    ],
)
def test_a_malformed_statement_is_a_problem_and_others_are_read(tmp_path: Path, release: dict[str, Any], reason: str) -> None:
    content = {**_one(**release), "b": {"CVE-2024-2000": {"releases": {"bookworm": {"status": "open"}}}}}
    advisories, problems = read_feed(SOURCE, _tracker(tmp_path, content))
    assert list(advisories) == ["DEBIAN-CVE-2024-2000"]
    assert [reason in problem.reason and "CVE-2024-1000" in problem.record for problem in problems] == [True]


def test_an_id_or_a_package_name_that_cannot_be_shown_is_a_problem(tmp_path: Path) -> None:
    content = {"a": {"CVE 1": {}}, "b\x7f": {"CVE-2024-1000": {}}}
    _, problems = read_feed(SOURCE, _tracker(tmp_path, content))
    assert ["expected a record id" in problems[0].reason, "expected a printable name" in problems[1].reason] == [True, True]


def test_a_statement_larger_than_its_limit_is_a_problem(tmp_path: Path) -> None:
    content = {"a": {"CVE-2024-1000": {"description": "x" * 1024**2}}}
    _, (problem,) = read_feed(SOURCE, _tracker(tmp_path, content))
    assert "the limit is 1048576" in problem.reason


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        _ASSET[:-3],
        _ASSET + b"{}",
        b'{"a": 1}',
        b'{"a": {"CVE-2024-1000": ' + b"[" * 1_000_000,
        b'{"a": {"CVE-2024-1000": ' + b'{"a":' * 10 + b"1" + b"}" * 12,
        b'{"a": {"CVE-2024-1000": "' + b"\\" * 1_000_001,
        b'{"' + b"k" * 1_000_000 + b'": {}}',
        b'{"\xff": {"CVE-2024-1000": {}}}',
        b'{"a\\uzzzz": {"CVE-2024-1000": {}}}',
    ],
    ids=lambda content: content[:20].decode("latin-1"),
)
def test_a_broken_file_is_refused_at_once(tmp_path: Path, content: bytes) -> None:
    before = time.monotonic()
    with pytest.raises(InvalidAdvisory):
        read_feed(SOURCE, _tracker(tmp_path, content))
    assert time.monotonic() - before < 2


def test_too_many_statements_and_too_large_a_file_are_refused(tmp_path: Path) -> None:
    folder = _tracker(tmp_path, _ASSET)
    with pytest.raises(LimitExceeded, match="more than 3 statements"):
        read_feed(SOURCE, folder, SourceLimits(statements=3))
    with pytest.raises(LimitExceeded, match="the limit is 100"):
        read_feed(SOURCE, folder, SourceLimits(whole_bytes=100))


def test_two_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidAdvisory, match="expected one JSON file"):
        read_feed(SOURCE, write_feed(tmp_path, {"a.json": _ASSET, "b.json": _ASSET}))


@settings(deadline=None)  # files are written
@given(mutated(_ASSET))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    answer_or_refuse(SOURCE, {"tracker.json": content})
