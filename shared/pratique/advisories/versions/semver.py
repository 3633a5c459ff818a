"""SemVer 2.0's order of versions, section 11, as OSV's range type SEMVER uses it.

More tolerant than the specification, since registries are: a leading `v` or `=`, missing minor and patch numbers (`1.2` is `1.2.0`) and leading zeros are taken.
"""

from __future__ import annotations

import re

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH
from pratique.errors import InvalidVersion

_VERSION = re.compile(
    r"[=v\s]*([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)

_Identifier = tuple[int, int, str]
Key = tuple[int, int, int, bool, tuple[_Identifier, ...]]


def key(version: str) -> Key:
    """Compute the sort key of a semantic version; build metadata has no place in the order.

    Raises InvalidVersion.
    """
    match = _VERSION.fullmatch(version) if len(version) <= MAX_VERSION_LENGTH else None
    if match is None:
        raise InvalidVersion(f"expected a semantic version, got {version[:140]!r}")
    major, minor, patch, prerelease = match.groups()
    identifiers = tuple(map(_identifier, prerelease.split("."))) if prerelease else ()
    return int(major), int(minor or 0), int(patch or 0), not identifiers, identifiers


def _identifier(text: str) -> _Identifier:
    # numbers sort below words
    return (0, int(text), "") if text.isdigit() else (1, 0, text)
