"""Version ordering, one file a scheme, and `compare` for all of them.

Versions are compared as the ecosystem's own package manager does. OSV's `0`, which stands before every version where a range is `introduced`, is a word of
events and no version: ranges.py knows it. Here `0` is a version of every scheme, and the one that a package manager takes it for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache

from pratique.advisories.versions.ecosystems import SCHEMES, WITHOUT_ORDER, scheme_of
from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, Scheme, SortKey
from pratique.errors import InvalidVersion

__all__ = ["MAX_VERSION_LENGTH", "SCHEMES", "WITHOUT_ORDER", "Scheme", "SortKey", "base_ecosystem", "compare", "scheme_of", "sort_key"]

_CACHED_KEYS = 1 << 17  # of one scheme, about 40 MB when full of real versions; an image of 500 packages asks for some 5,000
_CACHED_ECOSYSTEMS = 1 << 10  # names with releases, some hundreds in OSV


def base_ecosystem(ecosystem: str) -> str:
    """The name without its release: `Debian` for `Debian:11`."""
    return ecosystem.partition(":")[0]


def sort_key(ecosystem: str, version: str) -> SortKey:
    """Compute the key of `version` by which the versions of `ecosystem` (`Debian:11`, `PyPI`) sort; equal versions have equal keys. Cached.

    Raises InvalidVersion for what is not a version there, and for an ecosystem without a scheme.
    """
    return _key_of(ecosystem)(version)


def compare(ecosystem: str, a: str, b: str) -> int:
    """Compare two versions of an ecosystem: -1 if `a` is lower, 0 if they are equal, 1 if it is higher.

    Raises InvalidVersion.
    """
    key = _key_of(ecosystem)
    first, second = key(a), key(b)
    if first == second:
        return 0
    return -1 if first < second else 1


@lru_cache(maxsize=_CACHED_ECOSYSTEMS)
def _key_of(ecosystem: str) -> Callable[[str], SortKey]:
    scheme = scheme_of(ecosystem)
    if scheme is None:
        raise InvalidVersion(f"no order of versions is known for {ecosystem[:140]!r}")
    return _cached(scheme)


@cache  # as many as there are schemes
def _cached(scheme: Scheme) -> Callable[[str], SortKey]:
    return lru_cache(maxsize=_CACHED_KEYS)(scheme.load())
