"""Fields that every vendor's format has: ids, times, links, titles, ranges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from pratique.advisories.advisory import Event, EventKind
from pratique.advisories.osv import MAX_REFERENCES
from pratique.advisories.sources.source import printable
from pratique.advisories.versions import sort_key
from pratique.errors import InvalidAdvisory, InvalidVersion, LimitExceeded

MAX_NAME = 512  # characters of a package's or product's name; protects rows and reports
MAX_OBJECTS = 1_000_000  # of one document, some 100 bytes each
MAX_STRINGS = 4_000_000  # of one document, some 60 bytes each
_SMALL_BYTES = 1024**2
_MAX_LINK = 500
_MAX_TITLE = 200
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,127}")
_CVE = re.compile(r"CVE-\d{4}-\d{4,12}")
_URL = re.compile(r"https?://[!-~]+")  # others (javascript:, file:) must not become links
_INTRODUCED = Event(kind=EventKind.INTRODUCED, version="0")

EVERY_VERSION = ((_INTRODUCED,),)
"""The ranges of a package that is affected and not fixed."""


def check_density(content: bytes) -> None:
    """Refuse JSON that takes far more memory when it is decoded than it has bytes: an empty object of two bytes takes a hundred.

    The largest real documents have a tenth of this. Raises LimitExceeded.
    """
    if len(content) > _SMALL_BYTES and (content.count(b"{") > MAX_OBJECTS or content.count(b'"') > 2 * MAX_STRINGS):
        raise LimitExceeded(f"document of more than {MAX_OBJECTS} objects or {MAX_STRINGS} texts")


def checked_id(text: str) -> str:
    """The record's id, if it is one.

    Raises InvalidAdvisory.
    """
    if not _ID.fullmatch(text):
        raise InvalidAdvisory(f"expected a record id of up to 128 letters, digits and ._:+-, got {text[:140]!r}")
    return text


def is_cve(text: str) -> bool:
    """Tell whether `text` is a CVE's name."""
    return _CVE.fullmatch(text) is not None


def checked_name(text: str) -> str:
    """The name of a package or product, if it is one.

    Raises InvalidAdvisory.
    """
    if not text or len(text) > MAX_NAME or not text.isprintable():
        raise InvalidAdvisory(f"expected a printable name of up to {MAX_NAME} characters, got {text[:140]!r}")
    return text


@lru_cache(maxsize=1 << 16)
def is_version(ecosystem: str, version: str) -> bool:
    """Tell whether `version` has a place in the order of the ecosystem's versions."""
    try:
        sort_key(ecosystem, version)
    except InvalidVersion:
        return False
    return True


def highest(ecosystem: str, versions: Iterable[str]) -> str:
    """The highest of versions that `is_version` holds for."""
    return max(versions, key=lambda version: (sort_key(ecosystem, version), version))


@lru_cache(maxsize=1 << 12)
def fixed_in(version: str) -> tuple[tuple[Event, ...], ...]:
    """The ranges of a package of which every version below the fixed one is affected."""
    return ((_INTRODUCED, Event(kind=EventKind.FIXED, version=version)),)


def by_version(fixes: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each version that has the fix, with the architectures where it is that one; none if it is the same everywhere.

    A fix for some architectures does not say that others are not affected: that they have no such package is likely, that nobody lists them here is possible.
    """
    found: dict[str, list[str]] = {}
    for architecture, version in fixes.items():
        found.setdefault(version, []).append(architecture)
    for version, architectures in found.items():
        yield version, tuple(sorted(architectures)) if len(found) > 1 and "" not in architectures else ()


def links(urls: Iterable[str]) -> tuple[str, ...]:
    """The first few that may become links, each once."""
    good = (url for url in urls if len(url) <= _MAX_LINK and _URL.fullmatch(url))
    return tuple(dict.fromkeys(good))[:MAX_REFERENCES]


def title(text: str) -> str:
    """One line of a text that is only shown."""
    return printable(text, _MAX_TITLE)


@lru_cache(maxsize=4096)
def utc_time(text: str) -> str:
    """A time of any ISO 8601 form as RFC 3339 in UTC; one without zone is taken for UTC, what is no time is empty."""
    try:
        time = datetime.fromisoformat(text.strip()[:40])
        aware = time if time.tzinfo else time.replace(tzinfo=UTC)
        return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    except (ValueError, OverflowError):
        return ""


def modified_time(path: Path) -> str:
    """When a file was published, for formats that do not say when a record was: whoever fetches sets its time to the server's `Last-Modified`."""
    return datetime.fromtimestamp(int(path.stat().st_mtime), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
