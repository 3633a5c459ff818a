"""Pages of what is in memory: a key that orders the entries, and a cursor that is the key of the last one seen.

A cursor is no position: entries that come or go between two pages move nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import msgspec

from pratique.findings import Finding
from pratique.inventory.package import InstalledPackage
from pratique_services.api.answers import Problem

_KEY_CHARACTERS = 120  # of a text in a cursor: names from images have any length, request lines have not
_ItemT = TypeVar("_ItemT")
_KeyT = TypeVar("_KeyT", bound=tuple[int | str, ...])


class FindingKey(NamedTuple):
    """The order of findings: worst first, of equal ones what is known to be exploited, then those that an update ends, then by name."""

    descending_severity: int
    is_not_exploited: bool
    has_no_fix: bool
    name: str
    rest: str


class PackageKey(NamedTuple):
    """The order of packages: by package URL."""

    purl: str
    rest: str


class AffectedKey(NamedTuple):
    """The order of images that a vulnerability is in."""

    host: str
    repository: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[_ItemT]):
    """Some entries, and the cursor to go on with; None at the end."""

    items: tuple[_ItemT, ...]
    next: str | None


def cut(items: Sequence[_ItemT], limit: int, cursor: Callable[[_ItemT], str]) -> Page[_ItemT]:
    """Make a page of entries that are in order: one more than `limit` of them says that there are more."""
    return Page(items=tuple(items[:limit]), next=cursor(items[limit - 1]) if len(items) > limit else None)


def page_of(items: Iterable[_ItemT], key: Callable[[_ItemT], _KeyT], *, after: _KeyT | None, limit: int) -> Page[_ItemT]:
    """Sort entries by a key that no two share, and make the page that follows `after`."""
    keyed = sorted(((key(item), item) for item in items), key=lambda entry: entry[0])
    rest = [item for found, item in keyed if after is None or found > after]
    return cut(rest, limit, lambda item: encode_cursor(key(item)))


def finding_key(finding: Finding) -> FindingKey:
    """Make a finding's key."""
    rest = (finding.id, finding.kind, finding.package, finding.installed, finding.path, finding.layer, finding.title)
    is_not_exploited = finding.exploited_since is None
    return FindingKey(-finding.severity, is_not_exploited, not finding.is_fixable, finding.id[:_KEY_CHARACTERS], _hash(rest))


def package_key(installed: InstalledPackage) -> PackageKey:
    """Make a package's key."""
    purl = installed.package.purl
    return PackageKey(
        purl[:_KEY_CHARACTERS], _hash((purl, installed.package.source_name, installed.package.source_version, installed.paths))
    )


def encode_cursor(key: tuple[int | str, ...]) -> str:
    """Write a key as text for a query."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def decode_cursor(text: str | None, kind: type[_KeyT]) -> _KeyT | None:
    """Read what `encode_cursor` wrote; nothing from nothing. Raises Problem 400."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True), type=kind)
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, "expected `after` to be the `next` of a page before, got something else") from error


def _hash(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:24]
