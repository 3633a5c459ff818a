"""Bitnami's order of versions: SemVer of the software, whatever the revision of its packaging.

Bitnami's images say `1.2.3-4`, the fourth packaging of 1.2.3, and its advisories say `1.2.3`, with few exceptions. By SemVer `1.2.3-4` would come before
the fix in 1.2.3, and ordered above it, as Bitnami's own library does, it would be beyond a last affected 1.2.3. So a revision has no place in the order.
Where it begins with no such number, the part after the hyphen is a prerelease, as in SemVer.

Source: the records of bitnami/vulndb, and the README of bitnami/go-version for what a revision is.
"""

from __future__ import annotations

import re

from pratique.advisories.versions import semver
from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH

_REVISED = re.compile(r"([^-+]+)-[0-9]{1,5}(?:[.-][0-9A-Za-z.-]*)?(?:\+.*)?")  # a longer number is a date, of a Go pseudo-version


def key(version: str) -> semver.Key:
    """Compute the sort key of the version of a Bitnami component, which is that of the version without revision.

    Raises InvalidVersion.
    """
    revised = _REVISED.fullmatch(version) if len(version) <= MAX_VERSION_LENGTH else None
    return semver.key(revised[1] if revised else version)
