"""Canonical's OSV feed."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from pratique.advisories.advisory import FixState
from pratique.advisories.severity import rate_own
from pratique.advisories.sources.ubuntu import SOURCE, parse_ubuntu
from pratique.errors import InvalidAdvisory
from pratique.findings import Severity
from pratique.inventory.distribution import ecosystem_of
from tests.support.mutated import mutated
from tests.support.vendor_feeds import ASSETS, answer_or_refuse, compress, pack_tar, read_feed, said, write_feed

_ASSETS = {path.name: path.read_bytes() for path in sorted((ASSETS / "ubuntu-osv").glob("*.json"))}


def _record(**entry: Any) -> bytes:
    package = {"ecosystem": "Ubuntu:22.04:LTS", "name": "a"}
    affected = {"package": package, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}], **entry}
    return json.dumps({"id": "UBUNTU-CVE-2024-1", "modified": "2024-01-01T00:00:00Z", "affected": [{"ranges": []}, affected]}).encode()


def test_a_record_says_what_ubuntu_means_to_do_in_each_release() -> None:
    advisories, problems = read_feed(SOURCE)
    advisory = advisories["UBUNTU-CVE-2021-0001"]
    assert problems == []
    assert said(advisory.affected) == [
        ("Ubuntu:Pro:14.04:LTS", "eglibc", "2.19-0ubuntu6.15+esm4", FixState.AFFECTED, ""),
        ("Ubuntu:Pro:16.04:LTS", "glibc", "", FixState.DEFERRED, "deferred (2022-01-01)"),
        ("Ubuntu:20.04:LTS", "glibc", "2.31-0ubuntu9.7", FixState.AFFECTED, ""),
        ("Ubuntu:21.04", "glibc", "", FixState.END_OF_LIFE, "ignored (end of life)"),
        ("Ubuntu:21.10", "glibc", "", FixState.WILL_NOT_FIX, "ignored"),
        ("Ubuntu:22.04:LTS", "glibc", "", FixState.AFFECTED, "needed"),
        ("Ubuntu:24.04:LTS", "glibc", "-", FixState.NOT_AFFECTED, "not-affected"),
    ]
    assert rate_own(advisory)[0].severity is Severity.MEDIUM
    assert advisory.affected[2].ecosystem == ecosystem_of("ubuntu", "20.04")


def test_updates_that_not_everybody_has_are_in_a_channel() -> None:
    advisories, _ = read_feed(SOURCE)
    channels = {entry.ecosystem: entry.channel for entry in advisories["UBUNTU-CVE-2021-0001"].affected if entry.channel}
    assert channels == {"Ubuntu:Pro:14.04:LTS": "esm-infra-legacy", "Ubuntu:Pro:16.04:LTS": "pro"}


@pytest.mark.parametrize(
    ("distro", "channel"),
    [
        ("jammy", ""),
        ("esm-apps/xenial", "esm-apps"),
        ("esm-infra%2Fxenial", "esm-infra"),
        ("trusty/esm", "esm"),
        ("fips-updates/bionic", "fips-updates"),
    ],
)
def test_the_channel_is_in_the_package_s_url(distro: str, channel: str) -> None:
    purl = f"pkg:deb/ubuntu/a@1?arch=source&distro={distro}"
    advisory = parse_ubuntu(_record(package={"ecosystem": "Ubuntu:22.04:LTS", "name": "a", "purl": purl}))
    assert advisory is not None
    assert advisory.affected[0].channel == channel


def test_a_notice_is_read_as_osv_has_it() -> None:
    advisories, _ = read_feed(SOURCE)
    advisory = advisories["USN-0001-1"]
    assert (advisory.title, advisory.aliases, advisory.equals) == ("glibc vulnerabilities", ("CVE-2021-0001", "CVE-2021-0002"), ())


def test_a_withdrawn_record_is_left_out() -> None:
    assert parse_ubuntu(_record().replace(b'{"id"', b'{"withdrawn": "2024-01-02T00:00:00Z", "id"')) is None


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("needed", FixState.AFFECTED),
        ("pending (1.2)", FixState.AFFECTED),
        ("something new", FixState.AFFECTED),
        ("Deferred", FixState.DEFERRED),
        ("ignored (changes too intrusive)", FixState.WILL_NOT_FIX),
        ("not-affected", FixState.NOT_AFFECTED),
        (3, FixState.AFFECTED),
        ({"a": "needed"}, FixState.AFFECTED),
    ],
)
def test_a_state_that_is_not_known_leaves_the_package_affected(status: object, state: FixState) -> None:
    advisory = parse_ubuntu(_record(ecosystem_specific={"status": status}))
    assert advisory is not None
    (entry,) = advisory.affected
    assert entry.state is state


@pytest.mark.parametrize("status", ["DNE", "needs-triage"])
def test_what_is_not_there_or_not_looked_at_is_left_out(status: str) -> None:
    advisory = parse_ubuntu(_record(ecosystem_specific={"status": status}))
    assert advisory is not None
    assert advisory.affected == ()


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, _record(package={"ecosystem": "a", "name": "b", "purl": 3})])
def test_a_malformed_record_is_a_problem_and_others_are_read(tmp_path: Path, content: bytes) -> None:
    archive = compress(pack_tar([("osv/bad.json", content), *_ASSETS.items()]), "xz")
    advisories, problems = read_feed(SOURCE, write_feed(tmp_path, {"osv-all.tar.xz": archive}))
    assert len(advisories) == len(_ASSETS)
    assert [problem.record for problem in problems] == ["bad.json"]


def test_two_records_of_one_id_are_a_problem(tmp_path: Path) -> None:
    _, problems = read_feed(SOURCE, write_feed(tmp_path, {"a.json": _record(), "b.json": _record()}))
    assert [problem.reason for problem in problems] == ["UBUNTU-CVE-2024-1 is there twice, again in 'b.json'"]


def test_an_archive_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    archive = compress(pack_tar(_ASSETS.items()), "xz")
    with pytest.raises(InvalidAdvisory, match="cannot be read"):
        read_feed(SOURCE, write_feed(tmp_path, {"osv-all.tar.xz": archive[:-40]}))


@settings(deadline=None)  # files are written
@given(mutated(*_ASSETS.values()))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    answer_or_refuse(SOURCE, {"a.json": content})
