"""Amazon Linux's security bulletins."""

import gzip
import time
from pathlib import Path

import pytest
from hypothesis import given, settings

from pratique.advisories.advisory import FixState
from pratique.advisories.sources import SourceLimits
from pratique.advisories.sources.amazon_alas import MAX_PACKAGES, SOURCE
from pratique.errors import InvalidAdvisory, LimitExceeded
from tests.support.mutated import mutated
from tests.support.vendor_feeds import ASSETS, answer_or_refuse, compress, read_feed, said, write_feed

_ASSET = (ASSETS / "amazon-alas" / "2023" / "updateinfo.xml").read_bytes()
_PACKAGE = '<package name="a" epoch="0" version="1" release="2" arch="x86_64"/>'


def _updates(*packages: str, name: str = "ALAS2-2024-1", date: str = "2024-01-02", extra: str = "") -> bytes:
    inner = f'<id>{name}</id><issued date="{date}"/>{extra}<pkglist><collection short="amazon-linux-2">{"".join(packages)}</collection></pkglist>'
    return f'<updates><update type="security">{inner}</update></updates>'.encode()


def test_a_bulletin_names_the_versions_to_have() -> None:
    advisories, _ = read_feed(SOURCE)
    advisory = advisories["ALAS2023-2024-001"]
    assert said(advisory.affected) == [
        ("Amazon Linux:2023", "curl", "8.4.0-1.amzn2023.0.2", FixState.AFFECTED, ""),
        ("Amazon Linux:2023", "libcurl", "1:8.4.0-1.amzn2023.0.3", FixState.AFFECTED, ""),
    ]
    assert [(entry.channel, entry.architectures) for entry in advisory.affected] == [("", ()), ("", ())]
    assert (advisory.aliases, advisory.equals, advisory.words) == (("CVE-2023-38545",), ("CVE-2023-38545",), ("important",))
    assert (advisory.published, advisory.modified) == ("2024-01-03T19:28:00Z", "2024-02-01T00:00:00Z")
    assert advisory.references == ("https://alas.aws.amazon.com/AL2023/ALAS-2024-001.html",)


def test_amazon_linux_2_and_its_extras_are_told_apart() -> None:
    advisories, _ = read_feed(SOURCE)
    places = {name: (entry.ecosystem, entry.channel) for name, advisory in advisories.items() for entry in advisory.affected}
    assert places == {
        "ALAS2-2018-939": ("Amazon Linux:2", ""),
        "ALAS2DOCKER-2021-001": ("Amazon Linux:2", "docker"),
        "ALASKERNEL-5.10-2022-001": ("Amazon Linux:2", "kernel-5.10"),
        "ALAS2023-2024-001": ("Amazon Linux:2023", ""),
    }


def test_a_bulletin_of_several_flaws_equals_none_of_them() -> None:
    advisories, _ = read_feed(SOURCE)
    advisory = advisories["ALAS2-2018-939"]
    assert (advisory.aliases, advisory.equals) == (("CVE-2017-5754", "CVE-2017-5753"), ())


def test_bulletins_that_are_not_about_security_are_left_out() -> None:
    advisories, _ = read_feed(SOURCE)
    assert "ALAS2023-2024-002" not in advisories


def test_architectures_are_named_where_their_fixes_differ(tmp_path: Path) -> None:
    other = _PACKAGE.replace('"2"', '"3"').replace("x86_64", "aarch64")
    advisories, _ = read_feed(SOURCE, write_feed(tmp_path, {"updateinfo.xml": _updates(_PACKAGE, other)}))
    assert [entry.architectures for entry in advisories["ALAS2-2024-1"].affected] == [("x86_64",), ("aarch64",)]


def test_malformed_bulletins_and_packages_are_problems() -> None:
    _, problems = read_feed(SOURCE)
    assert [problem.reason for problem in problems] == [
        "1 packages without a readable version: left out",
        "expected an id such as ALAS2023-2024-1, got 'not an id'",
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_updates(_PACKAGE, date="yesterday"), "expected a time"),
        (_updates(_PACKAGE, name="x" * 5000), "expected an id"),
        (_updates(_PACKAGE.replace('"a"', '"&#10;"')), "expected a printable name"),
        (_updates(_PACKAGE.replace('"a"', f'"{"a" * 2000}"')), "expected a printable name"),
        (_updates(*[_PACKAGE] * (MAX_PACKAGES + 1)), "more than 20000 packages"),
        (_updates(extra='<reference id="CVE-2024-1000"/>' * 2001), "or 2000 CVEs"),
    ],
    ids=["date", "id", "name", "long", "packages", "cves"],
)
def test_a_malformed_bulletin_is_a_problem(tmp_path: Path, content: bytes, reason: str) -> None:
    advisories, (problem,) = read_feed(SOURCE, write_feed(tmp_path, {"updateinfo.xml": content}))
    assert advisories == {}
    assert reason in problem.reason


def test_the_same_bulletin_in_two_repositories_is_one_and_another_of_its_id_a_problem(tmp_path: Path) -> None:
    other = _updates(_PACKAGE.replace('"2"', '"3"'))
    folder = write_feed(
        tmp_path, {"a/updateinfo.xml": _updates(_PACKAGE), "b/updateinfo.xml": _updates(_PACKAGE), "c/updateinfo.xml": other}
    )
    advisories, problems = read_feed(SOURCE, folder)
    assert (len(advisories), [problem.reason for problem in problems]) == (1, ["there twice, and updateinfo.xml differs"])


@pytest.mark.parametrize("suffix", ["gz", "xz", "bz2", "zst"])
def test_files_may_be_compressed(tmp_path: Path, suffix: str) -> None:
    advisories, _ = read_feed(SOURCE, write_feed(tmp_path, {f"updateinfo.xml.{suffix}": compress(_ASSET, suffix)}))
    assert list(advisories) == ["ALAS2023-2024-001"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no element found"),
        (b"\xff\xfe", "is no XML"),
        (_ASSET[:-20], "is no XML"),
        (_ASSET + b"<a/>", "junk after document element"),
        (b'<?xml version="1.0" encoding="klingon"?><updates/>', "is no XML"),
        (b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 1000 + b'">]><updates>&b;</updates>', "without a document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><updates/>', "without a document type"),
    ],
    ids=["empty", "encoding", "cut", "junk", "unknown", "entities", "external"],
)
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(InvalidAdvisory, match=reason):
        read_feed(SOURCE, write_feed(tmp_path, {"updateinfo.xml": content}))


@pytest.mark.parametrize(
    ("content", "limits", "reason"),
    [
        (b"<a>" * 1000, SourceLimits(), "XML deeper than 20"),
        (b"<a>" + b"<b/>" * 1000, SourceLimits(elements=500), "more than 500 elements"),
        (b"<a>" + b" " * 5000, SourceLimits(whole_bytes=1000), "expands to more than 1000 bytes"),
        (b'<a b="' + b"x" * 20_000_000, SourceLimits(), "tag of more than"),
    ],
    ids=["depth", "elements", "bytes", "tag"],
)
def test_a_file_beyond_its_limits_is_refused_at_once(tmp_path: Path, content: bytes, limits: SourceLimits, reason: str) -> None:
    before = time.monotonic()
    with pytest.raises(LimitExceeded, match=reason):
        read_feed(SOURCE, write_feed(tmp_path, {"updateinfo.xml": content}), limits)
    assert time.monotonic() - before < 2


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    bomb = gzip.compress(b"<a>" + b" " * 90 * 1024**2)
    with pytest.raises(LimitExceeded, match="expands more than 100 times"):
        read_feed(SOURCE, write_feed(tmp_path, {"updateinfo.xml.gz": bomb}), SourceLimits(ratio=100))


@settings(deadline=None)  # files are written
@given(mutated(_ASSET))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    answer_or_refuse(SOURCE, {"updateinfo.xml": content})
