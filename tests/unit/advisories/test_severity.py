"""Severity of a record by its own word and vectors."""

import pytest

from pratique.advisories.advisory import Advisory
from pratique.advisories.severity import UNRATED, Rating, rate_own, rate_vector
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
    assert rate_own(_advisory(words=("Moderate",), vectors=(_CRITICAL,))) == Rating(severity=Severity.MEDIUM, score=0.0, source="GHSA-1")


def test_a_word_that_no_scale_knows_leaves_the_vectors() -> None:
    assert rate_own(_advisory(words=("Unknown",), vectors=(_LOW, _CRITICAL))).source == "CVSS:3.1 of GHSA-1"


def test_vectors_of_version_2_count_only_where_there_is_no_later_one() -> None:
    high_v2 = "AV:N/AC:L/Au:N/C:C/I:C/A:C"
    assert rate_own(_advisory(vectors=(high_v2, _LOW))).severity is Severity.LOW
    assert rate_own(_advisory(vectors=(high_v2,))) == Rating(severity=Severity.HIGH, score=10.0, source="CVSS:2.0 of GHSA-1")


def test_a_record_that_says_nothing_is_unrated() -> None:
    assert rate_own(_advisory(vectors=("CVSS:3.1/broken",))) == UNRATED
