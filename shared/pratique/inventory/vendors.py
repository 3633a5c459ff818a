"""Which OS packages a distribution built itself: it answers for them with advisories, and for those of others it does not.

Who built a package is recorded with it. A third party's package (NodeSource's nodejs, Docker's, EPEL's) meets no advisory of the distribution, and with it
the language packages inside would look clean. In doubt a package is a third party's.
"""

from __future__ import annotations

import re

from pratique.inventory.distribution import ROLLING_WITHOUT_ADVISORIES
from pratique.inventory.package import Distribution, Package

_DEBIAN = ("debian.org", "alioth-lists.debian.net")
_MAINTAINERS = {"Debian": _DEBIAN, "Ubuntu": (*_DEBIAN, "ubuntu.com", "canonical.com")}
"""Domains of maintainers' addresses. Ubuntu keeps some maintainers of what it takes over unchanged."""

_PRIVATE_ADDRESSES = {
    "andrii@senkovych.com",
    "c.schoenert@t-online.de",
    "cgzones@googlemail.com",
    "debian-init-diversity@chiark.greenend.org.uk",
    "debian.axhn@manchmal.in-ulm.de",
    "debian@jff.email",
    "eugulixes@gmail.com",
    "hans@eds.org",
    "help-libidn@gnu.org",
    "jrnieder@gmail.com",
    "md@linux.it",
    "miquels@cistron.nl",
    "norbert@preining.info",
    "roger@atchoo.org",
    "sebastian@breakpoint.cc",
    "simon@thekelleys.org.uk",
    "tytso@mit.edu",
    "wvdakker@wilsoft.nl",
}
"""Debian's maintainers with other addresses, of what is in many images (e2fsprogs, git, python3-sqlparse) or is recognised by its bytes. 9 % of Debian 12's packages have
such a maintainer, 1,053 in all: those of the rest count as a third party's."""

_REBUILT = re.compile(r"pgdg|ppa|sury|\.gbp[0-9a-f]|\+(?:bionic|focal|jammy|noble)[0-9]")
"""Versions of third parties that build Debian's sources anew and leave the maintainer as he was: PostgreSQL's and PHP's archives, Launchpad's."""

_VENDORS = {
    "AlmaLinux": ("AlmaLinux",),
    "Amazon Linux": ("Amazon Linux", "Amazon.com"),
    "Azure Linux": ("Microsoft Corporation",),
    "Mageia": ("Mageia",),
    "Photon OS": ("VMware",),
    "Red Hat": ("Red Hat", "CentOS"),
    "Rocky Linux": ("Rocky",),
    "SUSE": ("SUSE",),
    "openEuler": ("http://openeuler.org", "openEuler"),
    "openSUSE": ("openSUSE", "SUSE"),
}
"""How rpm's `Vendor` begins in the distribution's own packages. Fedora and Oracle have no advisories that are matched."""

_RELEASES = {"Azure Linux": (".cm", ".azl"), "Photon OS": (".ph",)}
"""What is in the release of the distribution's packages, where the same vendor has packages for others, too (Microsoft's .NET)."""


def has_advisories(distribution: Distribution | None) -> bool:
    """Tell whether somebody publishes advisories for the packages of a distribution, as far as its name tells."""
    return distribution is not None and distribution.ecosystem is not None and distribution.ecosystem not in ROLLING_WITHOUT_ADVISORIES


def is_built_by(distribution: Distribution, package: Package) -> bool:
    """Tell whether an OS package is the distribution's own. apk records nobody who can be known: all of an Alpine's packages count as Alpine's."""
    if not distribution.ecosystem or package.ecosystem != distribution.ecosystem:
        return False
    base = distribution.ecosystem.partition(":")[0]
    match package.type:
        case "deb":
            return _is_maintained(base, package)
        case "rpm":
            return package.vendor.startswith(_VENDORS.get(base, ("\0",))) and any(
                part in package.version for part in _RELEASES.get(base, ("",))
            )
        case _:
            return package.type == "apk"


def _is_maintained(base: str, package: Package) -> bool:
    address = package.vendor.rpartition("<")[2].rstrip("> ").lower()
    domain = address.rpartition("@")[2]
    known = _MAINTAINERS.get(base, ())
    is_known = domain in known or domain.endswith(tuple(f".{name}" for name in known)) or bool(known and address in _PRIVATE_ADDRESSES)
    return is_known and _REBUILT.search(package.version) is None
