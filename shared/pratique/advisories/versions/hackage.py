"""Haskell's order of package versions: numbers between dots.

Source: Cabal's documentation of `Distribution.Version` and the Haskell Package Versioning Policy. A version that goes on is higher: 1.0 < 1.0.0.
"""

from __future__ import annotations

import re

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused

_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*")


def key(version: str) -> tuple[int, ...]:
    """Compute the sort key of a Haskell package's version.

    Raises InvalidVersion.
    """
    if len(version) > MAX_VERSION_LENGTH or _VERSION.fullmatch(version) is None:
        raise refused("a Haskell package's version", version)
    return tuple(map(int, version.split(".")))
