"""NuGet's order of versions: SemVer 2.0 with up to four numbers, prereleases without regard to case.

Source: Microsoft Learn, "NuGet package versioning" and "Where NuGetVersion diverges from semantic versioning".
"""

from __future__ import annotations

import re

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused
from pratique.advisories.versions.semver import Identifier, identifiers

_VERSION = re.compile(
    r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]*)?"
)

Key = tuple[int, int, int, int, bool, tuple[Identifier, ...]]


def key(version: str) -> Key:
    """Compute the sort key of a NuGet version. Surrounding white space is not looked at.

    Raises InvalidVersion.
    """
    match = _VERSION.fullmatch(version.strip()) if len(version) <= MAX_VERSION_LENGTH else None
    if match is None:
        raise refused("a NuGet version", version)
    major, minor, patch, revision, prerelease = match.groups()
    return (
        int(major),
        int(minor or 0),
        int(patch or 0),
        int(revision or 0),
        not prerelease,
        identifiers(prerelease.lower()) if prerelease else (),
    )
