"""Joining what several publishers say about one flaw."""

from functools import partial

from pratique.advisories.grouping import Match, group_matches
from pratique.advisories.versions import sort_key
from pratique.findings import Severity

_LOW, _HIGH, _UNKNOWN = Severity.LOW, Severity.HIGH, Severity.UNKNOWN


def _match(identifier: str, *aliases: str, fix: str | None = None, severity: Severity = _UNKNOWN, upstream: bool = False) -> Match:
    return Match(
        id=identifier,
        aliases=aliases,
        equals=() if upstream else aliases,
        title="",
        severity=severity,
        severity_source=identifier if severity else "",
        references=(f"https://example.org/{identifier}",),
        fixed_in=fix,
    )


def _group(ecosystem: str, *matches: Match) -> tuple[Match, ...]:
    forward = group_matches(ecosystem, matches, partial(sort_key, ecosystem))
    assert forward == group_matches(ecosystem, matches[::-1], partial(sort_key, ecosystem))
    return forward


def test_records_of_one_flaw_become_one_finding_named_by_the_ecosystems_own_publisher() -> None:
    (found,) = _group(
        "PyPI",
        _match("GHSA-1", "CVE-1", severity=_HIGH),
        _match("PYSEC-1", "CVE-1", "GHSA-1", fix="2.0"),
    )
    assert (found.id, found.aliases, found.fixed_in) == ("PYSEC-1", ("CVE-1", "GHSA-1"), "2.0")
    assert (found.severity, found.severity_source) == (_HIGH, "GHSA-1")
    assert len(found.references) == 2


def test_the_higher_fix_satisfies_publishers_that_disagree() -> None:
    (found,) = _group("npm", _match("GHSA-1", "CVE-1", fix="1.9.0"), _match("CVE-1", fix="1.10.0"))
    assert (found.id, found.fixed_in) == ("GHSA-1", "1.10.0")


def test_aliases_join_across_a_third_record() -> None:
    assert len(_group("PyPI", _match("PYSEC-1", "GHSA-1"), _match("x_1", "CVE-1"), _match("GHSA-1", "CVE-1"))) == 1


def test_flaws_that_share_no_name_stay_apart_and_the_worst_comes_first() -> None:
    found = _group("npm", _match("GHSA-1", "CVE-1", severity=_LOW), _match("GHSA-2", "CVE-2", severity=_HIGH), _match("GHSA-3"))
    assert [match.id for match in found] == ["GHSA-2", "GHSA-1", "GHSA-3"]


def test_updates_that_share_a_cve_stay_apart_but_an_update_and_its_correction_do_not() -> None:
    found = _group(
        "Debian:11",
        _match("DSA-1-1", "CVE-1", "CVE-2", fix="1.0-1", upstream=True),
        _match("DSA-1-2", "CVE-1", "CVE-2", fix="1.0-2", upstream=True),
        _match("DSA-2-1", "CVE-2", "CVE-3", fix="1.0-3", upstream=True),
    )
    assert [(match.id, match.fixed_in) for match in found] == [("DSA-1-1", "1.0-2"), ("DSA-2-1", "1.0-3")]
    assert found[0].aliases == ("CVE-1", "CVE-2", "DSA-1-2")


def test_an_update_is_taken_up_by_the_findings_of_its_cves() -> None:
    found = _group(
        "Debian:11",
        _match("DEBIAN-CVE-1", "CVE-1", upstream=True),
        _match("DEBIAN-CVE-2", "CVE-2", fix="2", upstream=True),
        _match("DSA-1-1", "CVE-1", "CVE-2", fix="1", upstream=True),
    )
    assert [(match.id, match.aliases, match.fixed_in) for match in found] == [
        ("DEBIAN-CVE-1", ("CVE-1", "DSA-1-1"), "1"),
        ("DEBIAN-CVE-2", ("CVE-2", "DSA-1-1"), "2"),
    ]


def test_an_update_stays_where_one_of_its_cves_has_no_finding() -> None:
    found = _group("Debian:11", _match("DEBIAN-CVE-1", "CVE-1", upstream=True), _match("DSA-1-1", "CVE-1", "CVE-2", upstream=True))
    assert [match.id for match in found] == ["DEBIAN-CVE-1", "DSA-1-1"]


def test_findings_that_take_up_an_update_take_its_severity_where_it_is_the_worse() -> None:
    found = _group(
        "PyPI",
        _match("GHSA-1", "CVE-1", "CVE-2", severity=Severity.CRITICAL, upstream=True),
        _match("PYSEC-1", "CVE-1", severity=_LOW),
        _match("PYSEC-2", "CVE-2", severity=_LOW),
    )
    assert [(match.id, match.severity, match.severity_source) for match in found] == [
        ("PYSEC-1", Severity.CRITICAL, "GHSA-1"),
        ("PYSEC-2", Severity.CRITICAL, "GHSA-1"),
    ]
