"""Python's order of versions, PEP 440.

Versions of before PEP 440 (`2004d`, `1.0-SNAPSHOT`) are refused: the order that setuptools once had for them is withdrawn, and PyPI takes none any more. An
advisory that lists one still names it letter by letter.
"""

from __future__ import annotations

from packaging.version import InvalidVersion as NotAVersion
from packaging.version import Version

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused


def key(version: str) -> Version:
    """Parse a Python version, which is its own sort key.

    Raises InvalidVersion, also for the free-form versions of before PEP 440.
    """
    if len(version) > MAX_VERSION_LENGTH:
        raise refused("a PEP 440 version", version)
    try:
        return Version(version)
    except NotAVersion as error:
        raise refused("a PEP 440 version", version) from error
