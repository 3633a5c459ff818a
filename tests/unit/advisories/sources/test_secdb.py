"""Security databases of Alpine's form: Alpine, Wolfi, Chainguard."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from pratique.advisories.advisory import FixState
from pratique.advisories.sources import SourceLimits
from pratique.advisories.sources._secdb import names_in
from pratique.advisories.sources.alpine_secdb import SOURCE
from pratique.advisories.sources.wolfi_secdb import CHAINGUARD, WOLFI
from pratique.errors import InvalidAdvisory, LimitExceeded
from pratique.inventory.distribution import ecosystem_of
from tests.support.mutated import mutated
from tests.support.vendor_feeds import ASSETS, answer_or_refuse, read_feed, said, write_feed

_ASSET = (ASSETS / "alpine-secdb" / "v3.18" / "main.json").read_bytes()


def _database(version: str = "v3.18", **packages: Any) -> bytes:
    entries = [{"pkg": {"name": name, "secfixes": fixes}} for name, fixes in packages.items()]
    return json.dumps({"distroversion": version, "packages": entries}).encode()


def test_a_flaw_has_one_advisory_for_all_releases_and_packages() -> None:
    advisories, _ = read_feed(SOURCE)
    advisory = advisories["ALPINE-CVE-2023-5363"]
    assert said(advisory.affected) == [
        ("Alpine:edge", "openssl", "3.1.4-r0", FixState.AFFECTED, ""),
        ("Alpine:v3.18", "openssl", "3.1.4-r0", FixState.AFFECTED, ""),
    ]
    assert advisory.aliases == advisory.equals == ("CVE-2023-5363",)
    assert advisory.words == ()


def test_version_zero_means_never_affected() -> None:
    advisories, _ = read_feed(SOURCE)
    assert said(advisories["ALPINE-CVE-2022-3358"].affected) == [("Alpine:v3.18", "openssl", "-", FixState.NOT_AFFECTED, "")]


def test_of_several_fixes_the_highest_counts_and_any_before_never_affected(tmp_path: Path) -> None:
    fixes = {"1.10-r0": ["CVE-2024-1000"], "1.9-r0": ["CVE-2024-1000"], "0": ["CVE-2024-1000", "CVE-2024-2000"]}
    for order in (fixes, dict(reversed(fixes.items()))):
        advisories, _ = read_feed(SOURCE, write_feed(tmp_path, {"main.json": _database(a=order)}))
        assert said(advisories["ALPINE-CVE-2024-1000"].affected) == [("Alpine:v3.18", "a", "1.10-r0", FixState.AFFECTED, "")]
        assert said(advisories["ALPINE-CVE-2024-2000"].affected) == [("Alpine:v3.18", "a", "-", FixState.NOT_AFFECTED, "")]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("CVE-2023-0464", ("CVE-2023-0464",)),
        ("CVE-2023-0464 (+ regression fix)", ("CVE-2023-0464",)),
        ("CVE-2022-42333 CVE-2022-42334 XSA-428", ("CVE-2022-42333", "CVE-2022-42334")),
        ("CVE_2019-2426", ("CVE-2019-2426",)),
        ("cve-2019-2426 ", ("CVE-2019-2426",)),
        ("XSA-999", ("XSA-999",)),
        ("GHSA-4v7x-pqxf-cx7m", ("GHSA-4v7x-pqxf-cx7m",)),
        ("CVE-2019-24261234567890", ()),
        ("CVE-2019", ()),
        ("", ()),
        ("CVE-2023-0464 " * 1000, ()),
    ],
)
def test_one_text_may_name_several_flaws(text: str, names: tuple[str, ...]) -> None:
    assert names_in(text) == names


def test_malformed_entries_are_problems_and_others_are_read() -> None:
    _, problems = read_feed(SOURCE)
    assert [(problem.record, problem.reason) for problem in problems] == [
        ("v3.18/main.json, mariadb 10.4.1-r0", "names no flaw: 'see the release notes'"),
        ("v3.18/main.json, mariadb not a version", "not a version: its fixes are left out"),
        ("v3.18/main.json, package 3", "Expected `str`, got `array` - at `$.pkg.name`"),
    ]


def test_releases_are_named_as_an_image_s_are() -> None:
    advisories, _ = read_feed(SOURCE)
    found = {entry.ecosystem for advisory in advisories.values() for entry in advisory.affected}
    assert found == {ecosystem_of("alpine", "3.18.4"), ecosystem_of("alpine", "edge")}


@pytest.mark.parametrize("packages", ["[]", "{}", "null"])
def test_a_repository_may_have_no_packages(tmp_path: Path, packages: str) -> None:
    content = f'{{"distroversion": "v3.11", "packages": {packages}}}'.encode()
    assert read_feed(SOURCE, write_feed(tmp_path, {"community.json": content})) == ({}, [])


@pytest.mark.parametrize("nothing", [[], {}, None])
def test_a_package_or_a_version_may_have_no_fixes(tmp_path: Path, nothing: object) -> None:
    content = _database(a=nothing, b={"1": nothing, "2": ["CVE-2024-1000"]})
    advisories, problems = read_feed(SOURCE, write_feed(tmp_path, {"main.json": content}))
    assert (list(advisories), problems) == (["ALPINE-CVE-2024-1000"], [])


@pytest.mark.parametrize("fixes", [["CVE-2024-2000"], {"1": {"CVE-2024-2000": "x"}}, {"1": "CVE-2024-2000"}, {"1": [1]}])
def test_fixes_of_another_form_are_a_problem(tmp_path: Path, fixes: object) -> None:
    content = _database(a=fixes, b={"2": ["CVE-2024-1000"]})
    advisories, problems = read_feed(SOURCE, write_feed(tmp_path, {"main.json": content}))
    assert list(advisories) == ["ALPINE-CVE-2024-1000"]
    assert [problem.record.endswith("/main.json, package 0") for problem in problems] == [True]


@pytest.mark.parametrize("version", ["", "v3", "3.18", "v3.18; drop", "stable"])
def test_a_file_of_no_known_release_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(InvalidAdvisory, match=r"expected v3\.18 or edge"):
        read_feed(SOURCE, write_feed(tmp_path, {"main.json": _database(version, a={"1": ["CVE-2024-1000"]})}))


def test_the_time_is_that_of_the_latest_file(tmp_path: Path) -> None:
    folder = write_feed(tmp_path, {"a/main.json": _database(a={"1": ["CVE-2024-1000"]}), "b/main.json": _database()})
    for name, when in (("a", 1_600_000_000), ("b", 1_700_000_000)):
        os.utime(folder / name / "main.json", (when, when))
    advisories, _ = read_feed(SOURCE, folder)
    assert advisories["ALPINE-CVE-2024-1000"].modified == "2023-11-14T22:13:20Z"


def test_wolfi_and_chainguard_have_ids_and_ecosystems_of_their_own() -> None:
    wolfi, _ = read_feed(WOLFI)
    assert list(wolfi) == ["WOLFI-CVE-2023-45288", "WOLFI-GHSA-4v7x-pqxf-cx7m", "CGA-2abc-3def-4ghj"]
    assert said(wolfi["WOLFI-CVE-2023-45288"].affected) == [("Wolfi", "go-1.21", "1.21.8-r0", FixState.AFFECTED, "")]
    assert wolfi["CGA-2abc-3def-4ghj"].aliases == ()
    chainguard, _ = read_feed(CHAINGUARD)
    assert said(chainguard["CHAINGUARD-CVE-2023-45288"].affected) == [("Chainguard", "go-1.21", "1.21.8-r0", FixState.AFFECTED, "")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"packages": 1}',
        b'{"packages": {"a": 1}, "distroversion": "v3.18"}',
        b'{"distroversion": "v3.18"}',
        _ASSET[:-5],
        b'{"packages":' + b"[" * 100_000,
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidAdvisory, match=r"main\.json is no security database"):
        read_feed(SOURCE, write_feed(tmp_path, {"main.json": content}))


def test_too_many_statements_or_objects_and_too_large_files_are_refused(tmp_path: Path) -> None:
    folder = write_feed(tmp_path, {"main.json": _ASSET})
    with pytest.raises(LimitExceeded, match="more than 3 statements"):
        read_feed(SOURCE, folder, SourceLimits(statements=3))
    with pytest.raises(LimitExceeded, match="more than 100 bytes"):
        read_feed(SOURCE, folder, SourceLimits(document_bytes=100))
    write_feed(tmp_path, {"main.json": b'{"packages":[' + b"{}," * 1_000_001 + b"{}]}"})
    with pytest.raises(LimitExceeded, match="document of more than"):
        read_feed(SOURCE, folder)


@settings(deadline=None)  # files are written
@given(mutated(_ASSET))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    answer_or_refuse(SOURCE, {"v3.18/main.json": content})
    answer_or_refuse(WOLFI, {"security.json": content})
