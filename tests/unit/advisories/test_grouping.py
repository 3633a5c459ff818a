"""Joining what several publishers say about one flaw."""

from functools import partial

from msgspec.structs import replace

from pratique.advisories.grouping import Match, group_matches
from pratique.advisories.versions import sort_key
from pratique.findings import Rating, Severity

_LOW, _HIGH, _UNKNOWN = Severity.LOW, Severity.HIGH, Severity.UNKNOWN


def _match(identifier: str, *aliases: str, fix: str | None = None, severity: Severity = _UNKNOWN, upstream: bool = False) -> Match:
    return Match(
        id=identifier,
        aliases=aliases,
        equals=() if upstream else aliases,
        title="",
        own=(Rating(source=identifier, severity=severity),) if severity else (),
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
    assert found.ratings == (Rating(source="GHSA-1", severity=_HIGH),)
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


def test_the_rating_of_an_update_counts_where_its_flaw_has_no_rating_of_its_own_publisher() -> None:
    update = _match("GHSA-1", "CVE-1", "CVE-2", "CVE-3", severity=Severity.CRITICAL, upstream=True)
    found = _group(
        "PyPI", update, _match("PYSEC-1", "CVE-1", severity=_LOW), _match("x_2", "CVE-2", severity=_LOW), _match("PYSEC-3", "CVE-3")
    )
    assert [(match.id, [(rating.source, rating.severity) for rating in match.ratings]) for match in found] == [
        ("PYSEC-3", [("GHSA-1", Severity.CRITICAL)]),
        ("x_2", [("GHSA-1", Severity.CRITICAL), ("x_2", _LOW)]),
        ("PYSEC-1", [("PYSEC-1", _LOW), ("GHSA-1", Severity.CRITICAL)]),
    ]


def test_a_fix_that_only_a_channel_has_stays_the_channel_s() -> None:
    (found,) = _group("Ubuntu:22.04:LTS", _match("UBUNTU-1", "CVE-1"), replace(_match("USN-1", "CVE-1", fix="2"), channel="esm-apps"))
    assert (found.id, found.fixed_in, found.channel) == ("UBUNTU-1", "2", "esm-apps")
    (found,) = _group(
        "Ubuntu:22.04:LTS", _match("UBUNTU-1", "CVE-1", fix="1"), replace(_match("USN-1", "CVE-1", fix="2"), channel="esm-apps")
    )
    assert (found.fixed_in, found.channel) == ("1", "")


def test_an_update_of_a_channel_does_not_make_its_flaws_fixed_for_everybody() -> None:
    update = replace(_match("USN-1", "CVE-1", "CVE-2", fix="2", upstream=True), channel="esm-apps")
    found = _group("Ubuntu:22.04:LTS", _match("UBUNTU-1", "CVE-1"), _match("UBUNTU-2", "CVE-2", fix="1"), update)
    assert [(match.id, match.fixed_in, match.channel) for match in found] == [("UBUNTU-1", "2", "esm-apps"), ("UBUNTU-2", "1", "")]
