"""R's order of package versions, CRAN's and Bioconductor's: numbers between dots or hyphens, which mean the same.

Source: R's manual of `numeric_version`, and "Writing R Extensions", 1.1.1. A version that goes on is higher: 1.0 < 1.0.0.
"""

from __future__ import annotations

import re

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused

_VERSION = re.compile(r"[0-9]+(?:[.-][0-9]+)*")


def key(version: str) -> tuple[int, ...]:
    """Compute the sort key of an R package's version.

    Raises InvalidVersion.
    """
    if len(version) > MAX_VERSION_LENGTH or _VERSION.fullmatch(version) is None:
        raise refused("an R package's version", version)
    return tuple(map(int, version.replace("-", ".").split(".")))
