"""Conan's order of versions: dotted numbers and words of any count, with SemVer's prerelease and build.

Source: Conan 2's documentation, "Version ranges" and "Defining the version". `1` equals `1.0`. Words are higher than numbers, so that ConanCenter's
`cci.20230101` is the highest. Build metadata count. Conan itself compares a number with a word as text, which is no order once a word begins with a digit.
"""

from __future__ import annotations

import re

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused
from pratique.advisories.versions.semver import Identifier, identifiers

_VERSION = re.compile(r"([0-9A-Za-z_.]+)(?:-([0-9A-Za-z_.-]+))?(?:\+([0-9A-Za-z_.-]+))?")

_Items = tuple[Identifier, ...]
_ZERO: Identifier = (0, 0, "")


def key(version: str) -> tuple[_Items, bool, _Items, _Items]:
    """Compute the sort key of the version of a Conan package.

    Raises InvalidVersion.
    """
    match = _VERSION.fullmatch(version) if len(version) <= MAX_VERSION_LENGTH else None
    if match is None:
        raise refused("a Conan version", version)
    main, prerelease, build = match.groups()
    return _items(main), prerelease is None, _items(prerelease), _items(build)


def _items(text: str | None) -> _Items:
    if text is None:
        return ()
    items = list(identifiers(text))
    while items[-1:] == [_ZERO]:
        items.pop()
    return ((0, -1, ""), *items)  # even `0` is higher than what is not there
