"""Who publishes the advisories of an ecosystem itself: a distribution, a registry."""

from __future__ import annotations

from typing import Final

from pratique.advisories.versions import base_ecosystem

_SUSE = ("SUSE-", "openSUSE-")

_OWN: Final[dict[str, tuple[str, ...]]] = {
    "AlmaLinux": ("ALSA-", "ALBA-", "ALEA-"),
    "Alpaquita": ("BELL-",),
    "Alpine": ("ALPINE-",),
    "Amazon Linux": ("ALAS",),
    "Azure Linux": ("AZL-",),
    "BellSoft Hardened Containers": ("BELL-",),
    "Bitnami": ("BIT-",),
    "CRAN": ("RSEC-",),
    "Chainguard": ("CGA-", "CHAINGUARD-"),
    "CleanStart": ("CLEANSTART-",),
    "Debian": ("DEBIAN-", "DSA-", "DLA-", "DTSA-"),
    "Echo": ("ECHO-",),
    "GHC": ("HSEC-",),
    "Go": ("GO-",),
    "Hackage": ("HSEC-",),
    "Julia": ("JLSEC-",),
    "Mageia": ("MGASA-",),
    "MinimOS": ("MINI-",),
    "Photon OS": ("PHSA-",),
    "PyPI": ("PYSEC-",),
    "Red Hat": ("REDHAT-", "RHSA-", "RHBA-", "RHEA-"),
    "Rocky Linux": ("RLSA-", "RXSA-"),
    "Root": ("ROOT-",),
    "SUSE": _SUSE,
    "TuxCare": ("CLSA-",),
    "Ubuntu": ("UBUNTU-", "USN-", "LSN-"),
    "Wolfi": ("CGA-", "WOLFI-"),
    "crates.io": ("RUSTSEC-",),
    "npm": ("GHSA-",),
    "openEuler": ("OESA-",),
    "openSUSE": _SUSE,
}


def own_prefixes(ecosystem: str) -> tuple[str, ...]:
    """How the ids of the ecosystem's own publisher begin; none where it has no publisher of its own, or where nobody knows it. Source: OSV schema, "id prefixes"."""
    return _OWN.get(base_ecosystem(ecosystem), ())
