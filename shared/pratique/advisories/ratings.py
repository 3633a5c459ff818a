"""Which of several ratings of one flaw counts.

1. Of one record its first rating speaks: the publisher's word, then the worst vector (`severity` sorts them).
2. Where the ecosystem's own publisher has rated the flaw (the distribution, for packages of its own), that counts, and of several such records the worst. The
   publisher knows how the package is built, configured and used there; a rating of the code at large, as GHSA's and NVD's are, does not.
3. Otherwise the worst of all others counts, of the same CVEs, whatever they are about: too high can be waived by somebody who looks at it, too low is never seen.
4. What nobody has rated is UNKNOWN. An update of several flaws is rated by the worst of them, so its rating counts for one of them only where nobody
   rates that one by itself.

All ratings stay with the finding, in this order: the one that counts, then the worse ones first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pratique.errors import InvalidAdvisory
from pratique.findings import Rating, Severity

MAX_RATINGS = 16  # of one finding; protects the size of reports: few flaws are rated by more than ten publishers

_SEVERITIES = {int(severity): severity for severity in Severity}
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[tuple[int, str, str]])


def encode_ratings(ratings: Iterable[Rating]) -> bytes:
    """Serialise for a database row; no ratings are no bytes."""
    rows = [(int(rating.severity), rating.source, rating.vector) for rating in ratings]
    return _ENCODER.encode(rows) if rows else b""


def decode_ratings(content: bytes | None) -> tuple[Rating, ...]:
    """Read what `encode_ratings` wrote.

    Raises InvalidAdvisory.
    """
    if not content:
        return ()
    try:
        return tuple(
            Rating(source=source, severity=_SEVERITIES[severity], vector=vector) for severity, source, vector in _DECODER.decode(content)
        )
    except (msgspec.DecodeError, ValueError, KeyError) as error:
        raise InvalidAdvisory(f"stored ratings cannot be read: {error}") from error


def rating_record(rating: Rating) -> str:
    """The id of the record that rates: `GHSA-1` for `CVSS:3.1 of GHSA-1`."""
    return rating.source.rpartition(" of ")[2]


def is_rated_by(prefixes: tuple[str, ...], rating: Rating) -> bool:
    """Tell whether the record that rates has an id that begins so."""
    return rating_record(rating).startswith(prefixes) if prefixes else False


def order_ratings(prefixes: tuple[str, ...], ratings: Sequence[Rating]) -> tuple[Rating, ...]:
    """The ratings of one flaw, the one that counts first, at most MAX_RATINGS. `prefixes` are those of the ecosystem's own publisher.

    Of one record those that come first speak first.
    """
    if len(ratings) < 2:  # noqa: PLR2004 - there is no choice
        return tuple(ratings)
    leading: dict[str, Rating] = {}
    for rating in ratings:
        leading.setdefault(rating_record(rating), rating)
    own = [rating for rating in leading.values() if is_rated_by(prefixes, rating)]
    chosen = max(
        own or leading.values(), key=lambda rating: rating.severity
    )  # of equals the first, by CVSS score where the compiler ordered them
    rest = sorted(set(ratings) - {chosen}, key=_rank, reverse=True)
    return (chosen, *rest[: MAX_RATINGS - 1])


def severity_of(ratings: Sequence[Rating]) -> Severity:
    """The severity that counts, of ratings that `order_ratings` has put in order."""
    return ratings[0].severity if ratings else Severity.UNKNOWN


def _rank(rating: Rating) -> tuple[Severity, str, str]:
    return rating.severity, rating.source, rating.vector
