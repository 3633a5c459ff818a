"""How severe an advisory is, and who says so.

1. The publisher's own word (`database_specific.severity`, Ubuntu's priority) comes first, then the CVSS vectors in the record itself.
2. A record with neither (DSA, Alpine, many of PyPI) takes the worst severity that another record states for one of its CVEs.
3. What nobody rated stays UNKNOWN.

Only the compiler needs this module: the severity that results is stored, with its source.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from cvss import CVSS2, CVSS3, CVSS4
from cvss.exceptions import CVSSError

from pratique.advisories.advisory import Advisory
from pratique.errors import InvalidAdvisory
from pratique.findings import Severity

_BANDS = (
    (9.0, Severity.CRITICAL),
    (7.0, Severity.HIGH),
    (4.0, Severity.MEDIUM),
    (0.1, Severity.LOW),
)  # CVSS 3.1 section 5, the same in 4.0
_BANDS_V2 = ((7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW))  # NVD's bands: version 2 knows no critical


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Rating:
    """A severity, the CVSS base score behind it (0 where there is none) and its source, `GHSA-…` or `CVSS:3.1 of GHSA-…`. Orders by severity first."""

    severity: Severity
    score: float
    source: str


UNRATED = Rating(severity=Severity.UNKNOWN, score=0.0, source="")


def rate_vector(vector: str) -> tuple[Severity, float]:
    """Score a CVSS 2, 3.0, 3.1 or 4.0 vector by its base metrics.

    Raises InvalidAdvisory.
    """
    with _translated(vector):
        return _rate(vector.strip().rstrip("/"))


def rate_own(advisory: Advisory) -> Rating:
    """What the record itself says: the worst of the publisher's words, else the worst of its vectors, else UNRATED.

    Vectors of version 2 count only where there is no later one. One that cannot be read counts as absent.
    """
    words = [word for word in map(Severity.parse, advisory.words) if word is not Severity.UNKNOWN]
    if words:
        return Rating(severity=max(words), score=0.0, source=advisory.id)
    modern = [vector for vector in advisory.vectors if vector.startswith("CVSS:")]
    ratings = [rating for vector in modern or advisory.vectors if (rating := _rate_or_none(vector, advisory.id))]
    return max(ratings, default=UNRATED)


def _rate_or_none(vector: str, identifier: str) -> Rating | None:
    try:
        severity, score = rate_vector(vector)
    except InvalidAdvisory:
        return None
    return Rating(severity=severity, score=score, source=f"{_scheme(vector)} of {identifier}")


def _scheme(vector: str) -> str:
    return vector.partition("/")[0] if vector.startswith("CVSS:") else "CVSS:2.0"


@lru_cache(maxsize=20_000)
def _rate(vector: str) -> tuple[Severity, float]:
    if vector.startswith("CVSS:4.0/"):
        score = float(CVSS4(vector).base_score)
    elif vector.startswith("CVSS:3."):
        score = float(CVSS3(vector).base_score)
    else:
        score = float(CVSS2(vector).base_score)
        return next((severity for least, severity in _BANDS_V2 if score >= least), Severity.NEGLIGIBLE), score
    return next((severity for least, severity in _BANDS if score >= least), Severity.NEGLIGIBLE), score


@contextmanager
def _translated(vector: str) -> Iterator[None]:
    try:
        yield
    except (CVSSError, ValueError, KeyError, ArithmeticError) as error:
        raise InvalidAdvisory(f"expected a CVSS vector, got {vector[:140]!r}") from error
