"""Version ordering, one file a scheme."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pratique.advisories.versions import apk, dpkg, pep440, semver
from pratique.advisories.versions.scheme import Scheme, SortKey
from pratique.errors import InvalidVersion

__all__ = ["SCHEMES", "Scheme", "SortKey", "base_ecosystem", "compare", "sort_key"]

DPKG = Scheme(name="dpkg", key=dpkg.key)
APK = Scheme(name="apk", key=apk.key)
PEP440 = Scheme(name="pep440", key=pep440.key)
SEMVER = Scheme(name="semver", key=semver.key)

SCHEMES: Final[dict[str, Scheme]] = {
    "Alpine": APK,
    "Chainguard": APK,
    "Debian": DPKG,
    "Go": SEMVER,
    "Hex": SEMVER,
    "Kubernetes": SEMVER,
    "MinimOS": APK,
    "PyPI": PEP440,
    "SwiftURL": SEMVER,
    "Ubuntu": DPKG,
    "Wolfi": APK,
    "crates.io": SEMVER,
    "npm": SEMVER,
}
"""How each of OSV's ecosystems orders its versions, by name without release. An ecosystem that is not here cannot be matched yet."""

_CACHED_KEYS = 1 << 18  # about 150 MB when full of real versions; an image of 500 packages asks for some 5,000


def base_ecosystem(ecosystem: str) -> str:
    """The name without its release: `Debian` for `Debian:11`."""
    return ecosystem.partition(":")[0]


def sort_key(ecosystem: str, version: str) -> SortKey:
    """Compute the key of `version` by which the versions of `ecosystem` (`Debian:11`, `PyPI`) sort; equal versions have equal keys. Cached.

    Raises InvalidVersion for what is not a version there, and for an ecosystem without a scheme.
    """
    scheme = SCHEMES.get(ecosystem.partition(":")[0])
    if scheme is None:
        raise InvalidVersion(f"no order of versions is known for {ecosystem[:140]!r}")
    return _key(scheme.name, version)


def compare(ecosystem: str, a: str, b: str) -> int:
    """Compare two versions of an ecosystem: -1 if `a` is lower, 0 if they are equal, 1 if it is higher.

    Raises InvalidVersion.
    """
    first, second = sort_key(ecosystem, a), sort_key(ecosystem, b)
    if first == second:
        return 0
    return -1 if first < second else 1


_BY_NAME = {scheme.name: scheme for scheme in (DPKG, APK, PEP440, SEMVER)}


@lru_cache(maxsize=_CACHED_KEYS)
def _key(scheme: str, version: str) -> SortKey:
    return _BY_NAME[scheme].key(version)
