"""How severe a record says that a flaw is, by words and by vectors.

1. The publisher's own word (`database_specific.severity`, Ubuntu's priority, Debian's urgency) comes first, then the CVSS vectors in the record itself, those
   of version 2 last: they know no critical.
2. A word or a vector that cannot be read counts as absent.

Only the compiler needs this module. Which of several records' ratings counts is said in `ratings`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from cvss import CVSS2, CVSS3, CVSS4
from cvss.exceptions import CVSSError

from pratique.advisories.advisory import Advisory, Affected
from pratique.errors import InvalidAdvisory
from pratique.findings import Rating, Severity

MAX_VECTORS = 8  # of one record; protects the time that scoring takes, and the size of reports

_BANDS = (
    (9.0, Severity.CRITICAL),
    (7.0, Severity.HIGH),
    (4.0, Severity.MEDIUM),
    (0.1, Severity.LOW),
)  # CVSS 3.1 section 5, the same in 4.0
_BANDS_V2 = ((7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW))  # NVD's bands: version 2 knows no critical


class Scored(NamedTuple):
    """A rating as it sorts: by severity, then by CVSS base score, which is 0 for words."""

    severity: Severity
    score: float
    source: str
    vector: str = ""

    @property
    def rating(self) -> Rating:
        """The rating as findings have it."""
        return Rating(source=self.source, severity=self.severity, vector=self.vector)


def rate_vector(vector: str) -> tuple[Severity, float]:
    """Score a CVSS 2, 3.0, 3.1 or 4.0 vector by its base metrics.

    Raises InvalidAdvisory.
    """
    with _translated(vector):
        return _rate(vector.strip().rstrip("/"))


def rate_own(advisory: Advisory) -> tuple[Scored, ...]:
    """What a record says of its flaw, the rating that counts first. One that rates each package apart says the worst of them."""
    return _ratings(advisory.id, advisory.words, advisory.vectors) or rate_entries(advisory.id, advisory.affected)


def rate_entries(identifier: str, entries: Iterable[Affected]) -> tuple[Scored, ...]:
    """What a record says of its flaw in some packages, where that differs from what it says of all."""
    rated = [entry for entry in entries if entry.words or entry.vectors]
    if not rated:
        return ()
    return _ratings(identifier, [word for entry in rated for word in entry.words], [vector for entry in rated for vector in entry.vectors])


def _ratings(identifier: str, words: Iterable[str], vectors: Sequence[str]) -> tuple[Scored, ...]:
    said = max(map(Severity.parse, words), default=Severity.UNKNOWN)
    own = [] if said is Severity.UNKNOWN else [Scored(said, 0.0, identifier)]
    distinct = islice(dict.fromkeys(vectors), MAX_VECTORS)
    scored = [rating for vector in distinct if (rating := _rate_or_none(vector, identifier))]
    return (*own, *sorted(scored, key=_is_modern_and_worse, reverse=True))


def _is_modern_and_worse(rating: Scored) -> tuple[bool, Scored]:
    return rating.vector.startswith("CVSS:"), rating


def _rate_or_none(vector: str, identifier: str) -> Scored | None:
    try:
        severity, score = rate_vector(vector)
    except InvalidAdvisory:
        return None
    return Scored(severity, score, f"{_scheme(vector)} of {identifier}", vector)


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
