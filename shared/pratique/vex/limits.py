"""What VEX documents may cost, and how their texts are cut down."""

from __future__ import annotations

import datetime as dt

from pratique.errors import InvalidDigest, InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._wording import one_line
from pratique.oci.digest import Digest

MAX_VEX_BYTES = 64 * 1024 * 1024  # protects memory: Red Hat's largest CSAF documents have some 40 MB
MAX_STATEMENTS = 100_000  # of one document: protects memory; the largest have some ten thousand
MAX_COMPONENTS = (
    200_000  # products and subcomponents of all statements of one document: each is parsed, 30 microseconds, once a finding bears its name
)
MAX_ALIASES = 64  # of one vulnerability: an advisory has up to thirty
MAX_PROBLEMS = 20  # of one document that are told one by one
_MAX_NAME = 200  # characters of a vulnerability's or an author's name
_MAX_TEXT = 2_000  # characters of prose: it stands in reports beside each finding
_MAX_IDENTIFIER = 2_048  # characters of a package URL, as in SBOMs: longer ones identify nothing


def name_text(raw: str | None) -> str:
    """A name as one printable line."""
    return one_line(raw, _MAX_NAME)


def prose(raw: str | None) -> str:
    """Prose as one printable line."""
    return one_line(raw, _MAX_TEXT)


def identifiers(*raw: str | None) -> tuple[str, ...]:
    """The package URLs among the texts, each once."""
    found = (text.strip() for text in raw if text and len(text) <= _MAX_IDENTIFIER)
    return tuple(dict.fromkeys(text for text in found if text.startswith("pkg:")))


def digest_text(algorithm: str, value: str) -> str | None:
    """A digest as `sha256:hex`, of whatever spelling the format has (`SHA-256`); None for algorithms that images are not named by."""
    name = algorithm.lower().replace("-", "")
    if name not in {"sha256", "sha512"}:
        return None
    try:
        return str(Digest(name, value.lower()))
    except InvalidDigest:
        return None


def parse_time(text: str | None, what: str) -> dt.datetime | None:
    """Parse RFC 3339; a time without a zone is in UTC.

    Raises InvalidRecord: which of two statements holds depends on it.
    """
    if not text:
        return None
    try:
        time = dt.datetime.fromisoformat(text)
        return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRecord(f"expected {what} as in 2024-01-02T03:04:05Z, got {text[:40]!r}") from error


class Budget:
    """Counts what a document makes, so that repeated references cannot multiply it without end."""

    def __init__(self, limit: int, what: str) -> None:
        self._left, self._limit, self._what = limit, limit, what

    def take(self, count: int = 1) -> None:
        """Count some more.

        Raises LimitExceeded.
        """
        self._left -= count
        if self._left < 0:
            raise LimitExceeded(f"a VEX document of more than {self._limit} {self._what}")
