"""SemVer where build metadata counts: Dart's Pub and Julia.

Sources: pub.dev's package pub_semver ("Semantics") and Julia's manual ("Version number literals"). A version with build metadata is higher than the one
without; the metadata sort as prerelease identifiers do. Julia's binary packages are told apart by nothing else (`4.3.1+0`, `4.3.1+1`), in advisories too.
"""

from __future__ import annotations

from pratique.advisories.versions import semver

Key = tuple[semver.Key, tuple[semver.Identifier, ...]]


def key(version: str) -> Key:
    """Compute the sort key of a version of a Dart or Julia package.

    Raises InvalidVersion.
    """
    plain, build = semver.split_build(version)
    return plain, semver.identifiers(build) if build else ()
