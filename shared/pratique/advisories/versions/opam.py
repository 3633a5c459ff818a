"""opam's order of versions: that of a part of a Debian version, for the whole version.

Source: opam's manual, "Version ordering". There is no epoch and no revision: a hyphen is a character like others.
"""

from __future__ import annotations

import re

from pratique.advisories.versions.dpkg import part_key
from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused

_VERSION = re.compile(r"[A-Za-z0-9+._~-]+")


def key(version: str) -> str:
    """Compute the sort key of an opam version.

    Raises InvalidVersion.
    """
    if len(version) > MAX_VERSION_LENGTH or _VERSION.fullmatch(version) is None:
        raise refused("an opam version", version)
    return part_key(version)
