"""Which ecosystem orders its versions how.

Names are those of the OSV schema ("Defined ecosystems"); where osv.dev has a comparator (osv/ecosystems), the choice is the same but for the cases that say
why not. Then come ecosystems that OSV does not have and that purl types of packages stand for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Final

from pratique.advisories.versions.scheme import Scheme, SortKey
from pratique.errors import InvalidVersion

_Key = Callable[[str], SortKey]


def _scheme(module: str) -> Scheme:
    """The scheme of a module beside this one."""

    def load() -> _Key:
        key: _Key = import_module(f"{__package__}.{module}").key
        return key

    return Scheme(name=module, load=load)


APK = _scheme("apk")
BITNAMI = _scheme("bitnami")
COMPOSER = _scheme("composer")
CONAN = _scheme("conan")
CONDA = _scheme("conda")
CRAN = _scheme("cran")
DPKG = _scheme("dpkg")
GENTOO = _scheme("gentoo")
HACKAGE = _scheme("hackage")
LINUX = _scheme("linux")
MAVEN = _scheme("maven")
NPM = _scheme("npm")
NUGET = _scheme("nuget")
OPAM = _scheme("opam")
PACMAN = _scheme("pacman")
PEP440 = _scheme("pep440")
RPM = _scheme("rpm")
RUBYGEMS = _scheme("rubygems")
SEMVER = _scheme("semver")
SEMVER_BUILD = _scheme("semver_build")


def _needs_release(version: str) -> SortKey:
    msg = f"no order of {version[:140]!r} is known without the ecosystem within the ecosystem, as in TuxCare:npm"
    raise InvalidVersion(msg)


_BY_RELEASE = Scheme(name="by_release", load=lambda: _needs_release)

SCHEMES: Final[dict[str, Scheme]] = {
    "AlmaLinux": RPM,
    "Alpaquita": APK,
    "Alpine": APK,
    "Azure Linux": RPM,
    "BellSoft Hardened Containers": APK,
    "Bioconductor": CRAN,  # osv.dev: SemVer, which most of them are; R itself compares them so
    "Bitnami": BITNAMI,  # osv.dev: SemVer, which takes a revision for a prerelease
    "CRAN": CRAN,
    "Chainguard": APK,
    "CleanStart": APK,
    "ConanCenter": CONAN,
    "Debian": DPKG,
    "Docker Hardened Images": SEMVER,
    "Echo": DPKG,
    "GHC": SEMVER,
    "GitHub Actions": SEMVER,
    "Go": SEMVER,
    "Hackage": HACKAGE,
    "Hex": SEMVER,
    "Julia": SEMVER_BUILD,  # osv.dev: SemVer, to which 4.3.1+0 and 4.3.1+1 are the same; advisories tell them apart
    "Kubernetes": SEMVER,
    "Linux": LINUX,
    "Mageia": RPM,
    "Maven": MAVEN,
    "MinimOS": APK,
    "NuGet": NUGET,
    "Packagist": COMPOSER,
    "Photon OS": RPM,
    "Pub": SEMVER_BUILD,
    "PyPI": PEP440,
    "Red Hat": RPM,
    "Rocky Linux": RPM,
    "Root": _BY_RELEASE,
    "RubyGems": RUBYGEMS,
    "SUSE": RPM,
    "SwiftURL": SEMVER,
    "TuxCare": _BY_RELEASE,
    "Ubuntu": DPKG,
    "VSCode": SEMVER,
    "Wolfi": APK,
    "crates.io": SEMVER,
    "npm": NPM,
    "openEuler": RPM,
    "openSUSE": RPM,
    "opam": OPAM,
    # not in OSV
    "Amazon Linux": RPM,
    "Arch Linux": PACMAN,
    "Bottlerocket": RPM,
    "CBL-Mariner": RPM,
    "CentOS": RPM,
    "Conda": CONDA,
    "Fedora": RPM,
    "Gentoo": GENTOO,
    "Oracle Linux": RPM,
}
"""How each ecosystem orders its versions, by name without release. One that is not here cannot be matched."""

WITHOUT_ORDER: Final[dict[str, str]] = {
    "Android": "security patch levels, releases and kernels in one field, in an order that nobody documents",
    "FreeBSD": "versions of ports are ordered by pkg(8), and those of the base system by their releases; not written, as OSV has no feed of it",
    "GIT": "commits have no order without their repository",
    "OSS-Fuzz": "whatever tags the projects have; the records name commits",
}
"""Ecosystems of OSV that stay without a scheme, and why."""

_ROOT_PATCH = re.compile(r"(.+)[.+]root\.io\.([0-9]{1,9})", re.DOTALL)


def scheme_of(ecosystem: str) -> Scheme | None:
    """Find the scheme of an ecosystem with or without release, `Red Hat:enterprise_linux:9::baseos` too; None if nobody defines an order there.

    Echo, Root and TuxCare rebuild packages of others; theirs are ordered as those of the ecosystem that follows in the name: `TuxCare:Alpine:v3.16`.
    """
    name, _, release = ecosystem.partition(":")
    within = _WITHIN.get(name)
    return within(release) if within and release else SCHEMES.get(name)


def _echo(release: str) -> Scheme | None:
    # `1.2.3+echo.1` comes after `1.2.3`: by itself with PyPI and Maven, not with npm, whose packages are told apart by build metadata here
    schemes = {"maven": MAVEN, "npm": SEMVER_BUILD, "pypi": PEP440}
    return schemes.get(release.partition(":")[0].lower(), DPKG)


def _root(release: str) -> Scheme | None:
    inner = _schemes_by_lower_name().get(release.partition(":")[0].lower())
    return None if inner is None else _patched(inner)


def _tuxcare(release: str) -> Scheme | None:
    return None if release.partition(":")[0] == "TuxCare" else scheme_of(release)


_WITHIN: Final[dict[str, Callable[[str], Scheme | None]]] = {"Echo": _echo, "Root": _root, "TuxCare": _tuxcare}


@cache
def _schemes_by_lower_name() -> dict[str, Scheme]:
    names = {name.lower(): scheme for name, scheme in SCHEMES.items() if scheme is not _BY_RELEASE}
    return {**names, "python": PEP440}


@cache
def _patched(scheme: Scheme) -> Scheme:
    """Let a patch of Root's count after the version that it patches: `1.2.3+root.io.4`, `1.2.3.root.io.4`."""

    def load() -> _Key:
        plain = scheme.load()

        def key(version: str) -> SortKey:
            patched = _ROOT_PATCH.fullmatch(version)
            result: tuple[SortKey, int] = (plain(patched[1]), int(patched[2])) if patched else (plain(version), 0)
            return result

        return key

    return Scheme(name=f"root_{scheme.name}", load=load)
