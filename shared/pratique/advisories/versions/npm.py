"""npm's order of versions: SemVer, and what node-semver calls loose.

Source: node-semver's README. Packages from before SemVer have a prerelease that no hyphen begins: `1.2.3beta` is `1.2.3-beta`.
"""

from __future__ import annotations

import re

from pratique.advisories.versions import semver
from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH

_LOOSE = re.compile(r"([=v\s]*[0-9]+\.[0-9]+\.[0-9]+)([A-Za-z][0-9A-Za-z.+-]*)", re.ASCII)


def key(version: str) -> semver.Key:
    """Compute the sort key of a version of an npm package. Surrounding white space is not looked at.

    Raises InvalidVersion.
    """
    text = version.strip() if len(version) <= MAX_VERSION_LENGTH else version
    loose = _LOOSE.fullmatch(text) if len(text) <= MAX_VERSION_LENGTH else None
    return semver.key(f"{loose[1]}-{loose[2]}" if loose else text)
