"""Python's order of versions, PEP 440."""

from __future__ import annotations

from packaging.version import InvalidVersion as NotAVersion
from packaging.version import Version

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH
from pratique.errors import InvalidVersion


def key(version: str) -> Version:
    """Parse a Python version, which is its own sort key.

    Raises InvalidVersion, also for the free-form versions of before PEP 440.
    """
    if len(version) > MAX_VERSION_LENGTH:
        raise InvalidVersion(f"expected a PEP 440 version, got {len(version)} characters")
    try:
        return Version(version)
    except NotAVersion as error:
        raise InvalidVersion(f"expected a PEP 440 version, got {version[:140]!r}") from error
