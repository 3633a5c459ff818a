"""Distributions: their advisories' ecosystem, their package manager, and which of several files is believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pratique.inventory.package import Distribution

ALPINE_RELEASE = "etc/alpine-release"
DEBIAN_VERSION = "etc/debian_version"
APK_REPOSITORIES = "etc/apk/repositories"
DISTRIBUTION_PATHS = ("etc/os-release", "usr/lib/os-release", ALPINE_RELEASE, DEBIAN_VERSION, APK_REPOSITORIES)
"""The files that name a distribution, the most trusted first."""

ROLLING_WITHOUT_ADVISORIES = frozenset({"Alpine:edge"})
"""Ecosystems that exist by name, but for which OSV publishes nothing: a match with nothing must not look clean."""

_WITHOUT_RELEASE = {
    "wolfi": "Wolfi",
    "chainguard": "Chainguard",
    "minimos": "MinimOS",
    "echo": "Echo",
    "opensuse-tumbleweed": "openSUSE:Tumbleweed",
}
_BY_MAJOR = {"debian": "Debian", "almalinux": "AlmaLinux", "rocky": "Rocky Linux", "mageia": "Mageia"}
_BY_VERSION_ID = {"photon": "Photon OS:", "opensuse-leap": "openSUSE:Leap "}
_PACKAGE_TYPES = {
    "deb": "debian ubuntu raspbian devuan kali linuxmint pop elementary echo",
    "apk": "alpine wolfi chainguard minimos postmarketos",
    "rpm": "rhel centos fedora almalinux rocky ol amzn scientific sles sled sle_hpc sle-micro opensuse opensuse-leap opensuse-tumbleweed photon mariner"
    " azurelinux mageia openeuler",
}
_PACKAGE_TYPE_OF = {name: package_type for package_type, names in _PACKAGE_TYPES.items() for name in names.split()}
_OLD_DEBIAN = {"3.0", "3.1", "4.0", "5.0", "6.0"}  # OSV names the releases before 7 with their minor number


def ecosystem_of(distribution_id: str, version_id: str, pretty_name: str = "") -> str | None:
    """Name OSV's ecosystem with release (`Debian:11`), or None where OSV has none or the release is unknown (Debian testing and sid).

    Derived distributions are not taken for their parents: their packages' versions differ. Source: OSV schema, "Defined ecosystems".
    """
    if distribution_id in _WITHOUT_RELEASE:
        return _WITHOUT_RELEASE[distribution_id]
    if distribution_id == "alpine":
        return _alpine_ecosystem(version_id, pretty_name)
    if not version_id[:1].isdigit():
        return None
    if distribution_id == "ubuntu":
        return f"Ubuntu:{version_id}:LTS" if _is_ubuntu_lts(version_id) else f"Ubuntu:{version_id}"
    if distribution_id == "debian" and version_id in _OLD_DEBIAN:
        return f"Debian:{version_id}"
    if distribution_id in _BY_MAJOR:
        return f"{_BY_MAJOR[distribution_id]}:{version_id.partition('.')[0]}"
    return f"{_BY_VERSION_ID[distribution_id]}{version_id}" if distribution_id in _BY_VERSION_ID else None


def package_type_of(distribution: Distribution) -> str | None:
    """Name the purl type of the distribution's own packages, or None where it is not known."""
    return _PACKAGE_TYPE_OF.get(distribution.id)


def choose_distribution(found: Iterable[Distribution]) -> Distribution | None:
    """Pick what the most trusted file says.

    For Alpine the release of the repositories outranks that of os-release: it is where the packages came from, while `version_id` stays.
    """
    ranked = sorted(found, key=lambda distribution: (_rank(distribution.path), distribution.path))
    if not ranked:
        return None
    best = ranked[0]
    repositories = ranked[-1] if ranked[-1].path == APK_REPOSITORIES else None
    if repositories is not None and best.id == "alpine":
        return replace(best, ecosystem=repositories.ecosystem)
    return best


def _rank(path: str) -> int:
    return DISTRIBUTION_PATHS.index(path) if path in DISTRIBUTION_PATHS else len(DISTRIBUTION_PATHS) - 1


def _alpine_ecosystem(version_id: str, pretty_name: str) -> str | None:
    """Edge calls itself by the date of its snapshot, `3.19_alpha20230901`."""
    if version_id == "edge" or "_alpha" in version_id or pretty_name.endswith(" edge"):
        return "Alpine:edge"
    major, _, rest = version_id.partition(".")
    minor = rest.partition(".")[0]
    return f"Alpine:v{major}.{minor}" if major.isdigit() and minor.isdigit() else None


def _is_ubuntu_lts(version_id: str) -> bool:
    """Every second April release since 8.04 has long-term support; 6.06 had, too."""
    year, _, month = version_id.partition(".")
    return version_id == "6.06" or (month == "04" and year.isdigit() and int(year) % 2 == 0 and int(year) >= 8)  # noqa: PLR2004 - the year 2008
