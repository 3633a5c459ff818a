"""Distributions: their advisories' ecosystem, their package manager, and which of several files is believed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from pratique.inventory.package import Distribution

ALPINE_RELEASE = "etc/alpine-release"
DEBIAN_VERSION = "etc/debian_version"
ARCH_RELEASE = "etc/arch-release"
SYSTEM_RELEASE_CPE = "etc/system-release-cpe"
UBUNTU_PRO = "var/lib/ubuntu-advantage/status.json"
APK_REPOSITORIES = "etc/apk/repositories"
OS_RELEASES = (
    "etc/os-release",
    "usr/lib/os-release",
    "x86_64-bottlerocket-linux-gnu/sys-root/usr/lib/os-release",
    "aarch64-bottlerocket-linux-gnu/sys-root/usr/lib/os-release",
)
LSB_RELEASES = ("etc/lsb-release", "etc/openwrt_release")
RELEASE_LINES = (
    *(
        "etc/oracle-release",
        "etc/rocky-release",
        "etc/almalinux-release",
        "etc/centos-release",
        "etc/fedora-release",
        "usr/lib/fedora-release",
    ),
    *("etc/mageia-release", "etc/photon-release", "etc/mariner-release", "etc/azurelinux-release", "etc/SuSE-release"),
    *("etc/system-release", "usr/lib/system-release", "etc/redhat-release", "etc/gentoo-release", "etc/slackware-version"),
)
"""Files of which the first line names the distribution; `redhat-release` late, since Oracle's copy of it says Red Hat."""

DISTRIBUTION_PATHS = (
    *OS_RELEASES,
    *(ALPINE_RELEASE, *LSB_RELEASES, SYSTEM_RELEASE_CPE, *RELEASE_LINES),
    *(ARCH_RELEASE, DEBIAN_VERSION, UBUNTU_PRO, APK_REPOSITORIES),
)
"""The files that name a distribution, the most trusted first. The last two only add to what another one says, if there is another."""

ROLLING_WITHOUT_ADVISORIES = frozenset({"Alpine:edge"})
"""Ecosystems that exist by name, but for which OSV publishes nothing. A database without them says so; one may have them from the vendor."""

_WITHOUT_RELEASE = {
    "wolfi": "Wolfi",
    "chainguard": "Chainguard",
    "minimos": "MinimOS",
    "echo": "Echo",
    "cleanstart": "CleanStart",
    "clnstrt": "CleanStart",
    "opensuse-tumbleweed": "openSUSE:Tumbleweed",
}
_BY_MAJOR = {
    "debian": "Debian",
    "almalinux": "AlmaLinux",
    "rocky": "Rocky Linux",
    "mageia": "Mageia",
    "mariner": "Azure Linux",
    "azurelinux": "Azure Linux",
}
_BY_VERSION_ID = {
    "photon": "Photon OS:",
    "opensuse-leap": "openSUSE:Leap ",
    "opensuse-leap-micro": "openSUSE:Leap Micro ",
    "leap-micro": "openSUSE:Leap Micro ",
    "sle-micro": "SUSE:Linux Enterprise Micro ",
    "sle-micro-rancher": "SUSE:Linux Enterprise Micro for Rancher ",
    "sl-micro": "SUSE:Linux Micro ",
    "alpaquita": "Alpaquita:",
    "bellsoft-hardened-containers": "BellSoft Hardened Containers:",
}
_WITH_STREAM = {"alpaquita", "bellsoft-hardened-containers"}  # their rolling release is called `stream`
_PACKAGE_TYPES = {
    "deb": "debian ubuntu raspbian devuan kali linuxmint pop elementary echo deepin uos pureos parrot neon zorin proxmox secureos",
    "apk": "alpine wolfi chainguard minimos postmarketos alpaquita bellsoft-hardened-containers cleanstart clnstrt adelie",
    "rpm": "rhel centos fedora almalinux rocky ol amzn scientific sles sles_sap sled sle_hpc sle-micro sle-micro-rancher sl-micro opensuse opensuse-leap"
    " opensuse-leap-micro leap-micro opensuse-microos opensuse-tumbleweed photon mariner azurelinux mageia openeuler bottlerocket rhcos eurolinux cloudlinux"
    " virtuozzo anolis alinux tencentos opencloudos miraclelinux openmandriva altlinux hummingbird",
    "alpm": "arch archarm manjaro manjaro-arm endeavouros artix cachyos garuda steamos",
    "ebuild": "gentoo",
    "opkg": "openwrt",
}
_PACKAGE_TYPE_OF = {name: package_type for package_type, names in _PACKAGE_TYPES.items() for name in names.split()}
_OPENWRT_WITH_APK = 25  # OpenWrt 25.12 left opkg for apk
_OLD_DEBIAN = {"3.0", "3.1", "4.0", "5.0", "6.0"}  # OSV names the releases before 7 with their minor number
_OPENEULER_LTS = re.compile(r"\((LTS(?:-SP\d{1,2})?)\)")  # `openEuler 22.03 (LTS-SP1)`: the others have no advisories
_SLES_WITHOUT_MODULES = 16
_SLES = {"sles": "SUSE:Linux Enterprise Server ", "sles_sap": "SUSE:Linux Enterprise Server for SAP Applications "}
_FIRST_AMAZON_LINUX = re.compile(r"20(?:1[1-8])\.\d\d")  # before Amazon Linux 2, its releases were called by their months
_SUSE_MODULES = (
    *("Basesystem", "Server Applications", "Development Tools", "Containers", "Web and Scripting", "Python 3", "Legacy"),
    *("Desktop Applications", "Public Cloud", "Certifications", "Confidential Computing Technical Preview"),
)
_RHEL_REPOSITORIES = {
    "7": ("server", "workstation", "client", "computenode"),
    "8": ("baseos", "appstream", "crb", "highavailability", "nfv", "realtime", "resilientstorage", "sap", "sap_hana", "supplementary"),
    "9": ("baseos", "appstream", "crb", "highavailability", "nfv", "realtime", "resilientstorage", "sap", "sap_hana", "supplementary"),
}


def ecosystem_of(distribution_id: str, version_id: str, pretty_name: str = "") -> str | None:
    """Name OSV's ecosystem with release (`Debian:11`), or None where OSV has none or the release is unknown (Debian testing and sid).

    Derived distributions are not taken for their parents: their packages' versions differ; those of CentOS do not. Where OSV has no single name, it is the one that
    `pratique.advisories.ecosystem_parts` finds the others by: Red Hat's advisories name the repository (`Red Hat:enterprise_linux:9::baseos`), those of SLES 12
    and 15 the module (`SUSE:Linux Enterprise Module for Basesystem 15 SP5`), which no file of an image tells of a package. Amazon Linux is not in OSV, and its
    name is made as if it were. Source: OSV schema, "Defined ecosystems".
    """
    if distribution_id in _WITHOUT_RELEASE:
        return _WITHOUT_RELEASE[distribution_id]
    if distribution_id == "alpine":
        return _alpine_ecosystem(version_id, pretty_name)
    if not version_id[:1].isdigit() and not (version_id == "stream" and distribution_id in _WITH_STREAM):
        return None
    if distribution_id == "debian" and version_id in _OLD_DEBIAN:
        return f"Debian:{version_id}"
    if distribution_id in _BY_MAJOR:
        return f"{_BY_MAJOR[distribution_id]}:{version_id.partition('.')[0]}"
    if distribution_id in _BY_VERSION_ID:
        return f"{_BY_VERSION_ID[distribution_id]}{version_id}"
    return _special_ecosystem(distribution_id, version_id, pretty_name)


def _special_ecosystem(distribution_id: str, version_id: str, pretty_name: str) -> str | None:
    match distribution_id:
        case "ubuntu":
            return f"Ubuntu:{version_id}:LTS" if _is_ubuntu_lts(version_id) else f"Ubuntu:{version_id}"
        case "opensuse" if version_id.startswith("42."):  # Leap had no id of its own then
            return f"openSUSE:Leap {version_id}"
        case "sles" | "sles_sap":
            return f"{_SLES[distribution_id]}{_sles_release(version_id)}"
        case "rhel" | "centos":
            return f"Red Hat:enterprise_linux:{version_id.partition('.')[0]}"
        case "amzn":
            return f"Amazon Linux:{'1' if _FIRST_AMAZON_LINUX.match(version_id) else version_id.partition('.')[0]}"
        case "openeuler" if match := _OPENEULER_LTS.search(pretty_name):
            return f"openEuler:{version_id}-{match.group(1)}"
    return None


def other_ecosystems_of(distribution_id: str, version_id: str) -> tuple[str, ...]:
    """Name the ecosystems in which OSV files the advisories of a release that has several: RHEL 7 to 9, SLES 12 and 15.

    These are the usual ones, not all: add-on products have more, and support contracts (EUS, LTSS) speak about images that have them.
    """
    major = version_id.partition(".")[0]
    if distribution_id == "rhel":
        return tuple(f"Red Hat:enterprise_linux:{major}::{name}" for name in _RHEL_REPOSITORIES.get(major, ()))
    if distribution_id not in {"sles", "sles_sap"} or major not in {"12", "15"}:
        return ()
    release = _sles_release(version_id)
    servers = [f"SUSE:Linux Enterprise Server {release}{contract}" for contract in ("", "-LTSS")]
    if distribution_id == "sles_sap":
        servers.append(f"SUSE:Linux Enterprise Server for SAP Applications {release}")
    if major == "12":
        return (*servers, f"SUSE:Linux Enterprise Software Development Kit {release}")
    return (*servers, *(f"SUSE:Linux Enterprise Module for {name} {release}" for name in _SUSE_MODULES))


def _sles_release(version_id: str) -> str:
    """`15 SP5` for `15.5`, `15` for `15.0`; from release 16 on there are no service packs."""
    major, _, minor = version_id.partition(".")
    if _major(version_id) >= _SLES_WITHOUT_MODULES:
        return version_id
    return f"{major} SP{minor}" if minor.strip("0") else major


def package_type_of(distribution: Distribution) -> str | None:
    """Name the purl type of the distribution's own packages, or None where it is not known."""
    if distribution.id == "openwrt" and (distribution.version_id == "snapshot" or _major(distribution.version_id) >= _OPENWRT_WITH_APK):
        return "apk"
    return _PACKAGE_TYPE_OF.get(distribution.id)


def choose_distribution(found: Iterable[Distribution]) -> Distribution | None:
    """Pick what the most trusted file says; the release, if that file has none (old distroless), from the next that names the same distribution.

    For Alpine the release of the repositories outranks that of os-release: it is where the packages came from, while `version_id` stays. Ubuntu Pro's
    status makes the ecosystem that of its updates, which the packages may have.
    """
    ranked = sorted(found, key=lambda distribution: (_rank(distribution.path), distribution.path))
    if not ranked:
        return None
    best = _with_release(ranked)
    paths = {distribution.path: distribution for distribution in ranked}
    if best.id == "alpine" and APK_REPOSITORIES in paths:
        return replace(best, ecosystem=paths[APK_REPOSITORIES].ecosystem)
    if best.id == "ubuntu" and UBUNTU_PRO in paths and _is_ubuntu_lts(best.version_id):
        return replace(best, ecosystem=f"Ubuntu:Pro:{best.version_id}:LTS", other_ecosystems=(f"Ubuntu:{best.version_id}:LTS",))
    return best


def _with_release(ranked: list[Distribution]) -> Distribution:
    best = ranked[0]
    if best.version_id or best.ecosystem:
        return best
    dated = next((other for other in ranked if other.id == best.id and other.version_id), None)
    if dated is None:
        return best
    return replace(best, version_id=dated.version_id, ecosystem=dated.ecosystem, other_ecosystems=dated.other_ecosystems)


def _rank(path: str) -> int:
    return DISTRIBUTION_PATHS.index(path) if path in DISTRIBUTION_PATHS else len(DISTRIBUTION_PATHS) - 1


def _major(version_id: str) -> int:
    major = version_id.partition(".")[0]
    return int(major) if major.isdecimal() and len(major) < 9 else 0  # noqa: PLR2004 - int() of a long text takes time squared


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
