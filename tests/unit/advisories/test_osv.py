"""Reading one OSV record."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.advisories.advisory import Event, EventKind
from pratique.advisories.osv import parse_advisory
from pratique.errors import InvalidAdvisory
from tests.support.osv_mirror import make_affected, make_record


def _parse(record: dict[str, Any]) -> Any:
    advisory = parse_advisory(json.dumps(record).encode())
    assert advisory is not None
    return advisory


def test_a_record_is_read_with_its_ranges_and_names() -> None:
    affected = make_affected("PyPI", "Jinja2", {"introduced": "0"}, {"fixed": "2.11.3"}, versions=("2.0", "2.1"))
    affected["ranges"].append({"type": "GIT", "repo": "https://example.org/r", "events": [{"introduced": "0"}]})
    advisory = _parse(
        make_record(
            "PYSEC-1",
            affected,
            aliases=["GHSA-x", "CVE-2020-1"],
            upstream=["CVE-2020-2", "DEBIAN-CVE-2020-2"],
            related=["CVE-2020-9"],
            summary="A title",
            severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N"}],
            database_specific={"severity": "HIGH"},
            references=[{"type": "WEB", "url": "https://example.org/a"}, {"type": "WEB", "url": "javascript:alert(1)"}],
        )
    )
    assert advisory.aliases == ("CVE-2020-1", "CVE-2020-2", "GHSA-x")
    assert advisory.equals == ("CVE-2020-1", "GHSA-x")
    assert advisory.title == "A title"
    assert advisory.words == ("HIGH",)
    assert advisory.vectors == ("CVSS:3.1/AV:N",)
    assert advisory.references == ("https://example.org/a",)
    (entry,) = advisory.affected
    assert entry.ranges == ((Event(kind=EventKind.INTRODUCED, version="0"), Event(kind=EventKind.FIXED, version="2.11.3")),)
    assert (entry.versions, entry.git_ranges) == (("2.0", "2.1"), 1)


def test_a_withdrawn_record_is_none() -> None:
    assert parse_advisory(json.dumps(make_record("GHSA-1", withdrawn="2024-01-01T00:00:00Z")).encode()) is None


def test_severity_words_are_found_wherever_publishers_put_them() -> None:
    affected = make_affected("Ubuntu:22.04:LTS", "zlib") | {
        "database_specific": {"severity": "low"},
        "ecosystem_specific": {"severity": "Medium"},
        "severity": [{"type": "Ubuntu", "score": "negligible"}, {"type": "CVSS_V4", "score": "CVSS:4.0/x"}],
    }
    advisory = _parse(make_record("USN-1", affected, database_specific={"severity": ["not", "a", "word"]}))
    assert (advisory.words, advisory.vectors) == ((), ())
    (entry,) = advisory.affected
    assert entry.words == ("low", "Medium", "negligible")
    assert entry.vectors == ("CVSS:4.0/x",)


def test_almalinux_and_rocky_rate_an_update_in_its_title_and_name_its_cves_as_related() -> None:
    advisory = _parse(make_record("ALSA-2024:1", summary="Important: kernel security update", related=["CVE-2024-1", "ALSA-2023:9"]))
    assert (advisory.words, advisory.aliases, advisory.equals) == (("Important",), ("CVE-2024-1",), ())
    other = _parse(make_record("PYSEC-1", summary="Important: read this", related=["CVE-2024-1"]))
    assert (other.words, other.aliases) == ((), ())


def test_an_update_that_fixes_no_flaw_is_none_of_ours() -> None:
    assert not _parse(make_record("ALBA-2024:1", summary="idm: bug fixes")).is_about_a_flaw
    assert _parse(make_record("ALBA-2024:1", related=["CVE-2024-1"])).is_about_a_flaw
    assert _parse(make_record("ALSA-2024:1")).is_about_a_flaw


def test_a_title_cannot_steer_a_terminal() -> None:
    advisory = _parse(make_record("GHSA-1", details="### \x1b[2Jx\n\u202ey" + "z" * 500))
    assert advisory.title.startswith("[2Jx yzz")
    assert len(advisory.title) == 200


def test_aliases_are_cleaned_and_what_is_no_name_is_dropped() -> None:
    assert _parse(make_record("GHSA-1", aliases=["CVE-2020-1 ,", "<script>", "GHSA-1"])).aliases == ("CVE-2020-1",)


_GOOD = make_record("GHSA-1", make_affected("npm", "a", {"introduced": "0"}))
BROKEN = {
    "not JSON": b"{",
    "not an object": b"[]",
    "no id": b'{"modified": "2024-01-02T03:04:05Z"}',
    "an id with a line break": {"id": "GHSA-1\n2"},
    "no time": {"modified": "yesterday"},
    "an unknown range type": {"affected": [{"package": {"ecosystem": "npm", "name": "a"}, "ranges": [{"type": "DATE", "events": []}]}]},
    "an event of two kinds": {"affected": [make_affected("npm", "a", {"introduced": "0", "fixed": "1"})]},
    "an unknown event": {"affected": [make_affected("npm", "a", {"begins": "0"})]},
    "an event that is no text": {"affected": [make_affected("npm", "a", {"introduced": 0})]},  # type: ignore[dict-item]
    "a package without name": {"affected": [make_affected("npm", "")]},
    "a package with control characters": {"affected": [make_affected("npm", "a\x00b")]},
    "too many aliases": {"aliases": ["CVE-1"] * 2001},
    "deep nesting": b'{"id":"GHSA-1","modified":"2024-01-02T03:04:05Z","database_specific":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_malformed_record_is_refused(name: str) -> None:
    change = BROKEN[name]
    content = change if isinstance(change, bytes) else json.dumps({**_GOOD, **change}).encode()
    with pytest.raises(InvalidAdvisory):
        parse_advisory(content)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_record_or_are_refused(content: bytes) -> None:
    with contextlib.suppress(InvalidAdvisory):
        parse_advisory(content)


@pytest.mark.parametrize(
    ("title", "streams"),
    [
        ("Important: nodejs:18 security update", ["nodejs:18"]),
        ("Moderate: virt:rhel and virt-devel:rhel security, bug fix, and enhancement update", ["virt:rhel", "virt-devel:rhel"]),
        ("Low: perl-DBD-SQLite:1.58.", ["perl-DBD-SQLite:1.58"]),
        ("Important: container-tools:rhel8 security update", ["container-tools:rhel8"]),
        ("Important: kernel security update", [""]),
        ("a." * 1_000_000, [""]),
    ],
)
def test_module_streams_are_read_out_of_titles(title: str, streams: list[str]) -> None:
    affected = make_affected("AlmaLinux:8", "a", {"introduced": "0"}, {"fixed": "1-1.module_el8.9.0+1+2"})
    assert [entry.module for entry in _parse(make_record("ALSA-2024:1", affected, summary=title)).affected] == streams
    assert [entry.module for entry in _parse(make_record("GHSA-1", affected, summary=title)).affected] == [""]
