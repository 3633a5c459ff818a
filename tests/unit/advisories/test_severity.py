"""Severity of a record by its own word and vectors."""

from dataclasses import replace

import pytest

from pratique.advisories.advisory import Advisory, Affected
from pratique.advisories.severity import Scored, rate_entries, rate_own, rate_vector
from pratique.errors import InvalidAdvisory
from pratique.findings import Severity

_CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
_LOW = "CVSS:3.0/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"


def _advisory(*, words: tuple[str, ...] = (), vectors: tuple[str, ...] = ()) -> Advisory:
    return Advisory(id="GHSA-1", modified="", aliases=(), equals=(), title="", references=(), words=words, vectors=vectors, affected=())


@pytest.mark.parametrize(
    ("vector", "severity", "score"),
    [
        (_CRITICAL, Severity.CRITICAL, 9.8),
        (_LOW, Severity.LOW, 1.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", Severity.NEGLIGIBLE, 0.0),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Severity.CRITICAL, 9.3),
        ("AV:N/AC:L/Au:N/C:C/I:C/A:C", Severity.HIGH, 10.0),
        ("AV:N/AC:L/Au:N/C:P/I:N/A:N", Severity.MEDIUM, 5.0),
    ],
)
def test_vectors_of_every_version_are_scored(vector: str, severity: Severity, score: float) -> None:
    assert rate_vector(vector) == (severity, score)


@pytest.mark.parametrize("vector", ["", "CVSS:3.1/", "CVSS:3.1/AV:N", "CVSS:5.0/AV:N", "high", "CVSS:4.0/AV:X", "AV:N/AC:L"])
def test_what_is_no_vector_is_refused(vector: str) -> None:
    with pytest.raises(InvalidAdvisory):
        rate_vector(vector)


def test_the_publishers_word_comes_before_its_vectors() -> None:
    assert rate_own(_advisory(words=("Moderate",), vectors=(_CRITICAL,))) == (
        Scored(Severity.MEDIUM, 0.0, "GHSA-1"),
        Scored(Severity.CRITICAL, 9.8, "CVSS:3.1 of GHSA-1", _CRITICAL),
    )


def test_a_word_that_no_scale_knows_leaves_the_vectors() -> None:
    assert rate_own(_advisory(words=("Unknown",), vectors=(_LOW, _CRITICAL)))[0].source == "CVSS:3.1 of GHSA-1"


def test_vectors_of_every_version_are_kept_and_those_of_version_2_come_last() -> None:
    v2, v4 = "AV:N/AC:L/Au:N/C:C/I:C/A:C", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
    found = rate_own(_advisory(vectors=(v2, _LOW, v4)))
    assert [(one.severity, one.vector, one.source) for one in found] == [
        (Severity.CRITICAL, v4, "CVSS:4.0 of GHSA-1"),
        (Severity.LOW, _LOW, "CVSS:3.0 of GHSA-1"),
        (Severity.HIGH, v2, "CVSS:2.0 of GHSA-1"),
    ]
    assert rate_own(_advisory(vectors=(v2,))) == (Scored(Severity.HIGH, 10.0, "CVSS:2.0 of GHSA-1", v2),)


def test_a_record_that_says_nothing_is_unrated() -> None:
    assert rate_own(_advisory(vectors=("CVSS:3.1/broken",))) == ()


def test_a_record_that_rates_each_package_apart_says_the_worst_of_its_flaw() -> None:
    low, high = (Affected(ecosystem=f"Debian:{release}", name="a", words=(word,)) for release, word in ((11, "low"), (12, "high")))
    advisory = replace(_advisory(), affected=(low, high))
    assert [one.severity for one in rate_own(advisory)] == [Severity.HIGH]
    assert [one.severity for one in rate_entries("GHSA-1", (low,))] == [Severity.LOW]
    assert [one.severity for one in rate_own(replace(advisory, words=("medium",)))] == [Severity.MEDIUM]


def test_a_flood_of_vectors_is_cut() -> None:
    flood = tuple(f"AV:N/AC:L/Au:N/C:C/I:C/A:C/E:{letter}" for letter in "UFH") * 20 + tuple(f"x{number}" for number in range(100_000))
    assert len(rate_own(_advisory(vectors=flood))) == 3
