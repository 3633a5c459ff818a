"""SemVer 2.0's order of versions, section 11, as OSV's range type SEMVER uses it.

More tolerant than the specification, since registries are: a leading `v` or `=`, missing minor and patch numbers (`1.2` is `1.2.0`) and leading zeros are taken.
Go's pseudo-versions are SemVer by design, and its `+incompatible` is build metadata, which has no place in the order.
"""

from __future__ import annotations

import re

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused

_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"[=v\s]*([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-({_IDENTIFIERS}))?(?:\+({_IDENTIFIERS}))?", re.ASCII)

Identifier = tuple[int, int, str]
Key = tuple[int, int, int, bool, tuple[Identifier, ...]]


def key(version: str) -> Key:
    """Compute the sort key of a semantic version; build metadata has no place in the order.

    Raises InvalidVersion.
    """
    return split_build(version)[0]


def split_build(version: str) -> tuple[Key, str]:
    """Compute the sort key of a semantic version, and give its build metadata, `""` if it has none.

    Raises InvalidVersion.
    """
    match = _VERSION.fullmatch(version) if len(version) <= MAX_VERSION_LENGTH else None
    if match is None:
        raise refused("a semantic version", version)
    major, minor, patch, prerelease, build = match.groups()
    return (int(major), int(minor or 0), int(patch or 0), not prerelease, identifiers(prerelease) if prerelease else ()), build or ""


def identifiers(text: str) -> tuple[Identifier, ...]:
    """Compute the sort key of dotted identifiers: numbers sort below words."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in text.split("."))
