"""Packages as a package manager recorded them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from packageurl import PackageURL

OS_PACKAGE_TYPES = frozenset({"deb", "apk", "rpm", "alpm", "ebuild", "opkg"})
"""The purl types of packages that a distribution's package manager installs."""

_PLAIN_TYPES = frozenset({"apk", "cargo", "deb", "gem", "generic", "golang", "maven", "npm", "nuget", "pypi", "rpm"})
"""Types of which a purl has lower-case names as they are, but for what every type quotes."""

_PLAIN_NAME = re.compile(r"[a-z0-9.-]+")
_PLAIN_NAMESPACE = re.compile(r"(?:@?[a-z0-9.-]+(?:/[a-z0-9.-]+)*)?")
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9._~:+-]+")
_PLAIN_KEY = re.compile(r"[a-z_]+")


_SEPARATORS = {"maven": ":", "vscode-extension": "."}  # between namespace and name, as OSV writes them


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """Installed software of one version.

    `type` is the purl type (`deb`, `apk`, `pypi`, `npm`). `namespace` is the distribution's id for OS packages and the scope
    (`@angular`) for npm. `version` is as installed, with epoch and revision. `source_name` and `source_version` name the source package that
    advisories of Debian and Alpine speak about; None means the same as the package. `ecosystem` is OSV's name with release (`Debian:11`,
    `Alpine:v3.18`, `PyPI`, `npm`); it is empty until an OS package has met its distribution, and stays empty where that is unknown.
    `vendor` is who built it, as recorded (rpm's `Vendor`, dpkg's `Maintainer`); `licenses` are as recorded, SPDX expressions or not; `cpes` are CPE 2.3 names
    of software that advisories know by those only. The last three describe: they do not tell two packages apart.
    """

    type: str
    name: str
    version: str
    namespace: str = ""
    ecosystem: str = ""
    architecture: str = ""
    source_name: str | None = None
    source_version: str | None = None
    qualifiers: Mapping[str, str] = field(default_factory=dict)
    vendor: str = ""
    licenses: tuple[str, ...] = ()
    cpes: tuple[str, ...] = ()

    @property
    def purl(self) -> str:
        """The package URL, in canonical form. For rpm the epoch of `version` is a qualifier (purl-spec, "rpm")."""
        qualifiers, version = dict(self.qualifiers), self.version
        if self.architecture:
            qualifiers["arch"] = self.architecture
        if self.type == "rpm" and ":" in version:
            qualifiers["epoch"], _, version = version.partition(":")
        return _purl(self.type, self.namespace, self.name, version, tuple(sorted(qualifiers.items())))

    @property
    def is_os_package(self) -> bool:
        """Tell whether a distribution's package manager installed this."""
        return self.type in OS_PACKAGE_TYPES

    @property
    def matching_name(self) -> str:
        """The name that advisories of its ecosystem use: the source package for OS packages, with scope for npm, `group:artifact` for Maven."""
        if self.is_os_package:
            return self.source_name or self.name
        separator = _SEPARATORS.get(self.type, "/")
        return f"{self.namespace}{separator}{self.name}" if self.namespace else self.name

    @property
    def matching_version(self) -> str:
        """The version that advisories of its ecosystem speak about: the source package's for OS packages."""
        return self.source_version or self.version if self.is_os_package else self.version

    @property
    def matching_names(self) -> tuple[tuple[str, str], ...]:
        """All names that advisories may use, each with the version that they then speak about. Publishers of rpm advisories name source packages (Rocky), or those
        built of them (AlmaLinux, Red Hat), which may have versions of their own.
        """
        names = ((self.matching_name, self.matching_version), (self.name, self.version))
        return names if self.type == "rpm" and names[0] != names[1] else names[:1]

    def in_distribution(self, distribution: Distribution | None) -> Package:
        """The same package with ecosystem, namespace and `distro` qualifier of the distribution it was found in.

        One that brings a namespace names its distribution itself (an ELF file's package note), which may be another one.
        """
        if not self.is_os_package or self.namespace or distribution is None:
            return self
        return replace(
            self,
            ecosystem=distribution.ecosystem or "",
            namespace=distribution.id,
            qualifiers={**self.qualifiers, "distro": distribution.label},
        )


@lru_cache(maxsize=16_384)  # a report asks for each some six times, and checking and quoting it takes up to 40 microseconds; some 8 MB
def _purl(kind: str, namespace: str, name: str, version: str, qualifiers: tuple[tuple[str, str], ...]) -> str:
    if _is_plain(kind, namespace, name, version, qualifiers):
        return _plain_purl(kind, namespace, name, version, qualifiers)
    return PackageURL(kind, namespace or None, name, version, dict(qualifiers) or None).to_string()


def _is_plain(kind: str, namespace: str, name: str, version: str, qualifiers: tuple[tuple[str, str], ...]) -> bool:
    """Tell whether all that the library would do is to put the parts together and to quote `+` and `@`: so it is of nine in ten packages."""
    return bool(
        kind in _PLAIN_TYPES
        and _PLAIN_NAMESPACE.fullmatch(namespace)
        and _PLAIN_NAME.fullmatch(name)
        and _PLAIN_VALUE.fullmatch(version)
        and all(_PLAIN_KEY.fullmatch(key) and _PLAIN_VALUE.fullmatch(value) for key, value in qualifiers)
    )


def _plain_purl(kind: str, namespace: str, name: str, version: str, qualifiers: tuple[tuple[str, str], ...]) -> str:
    """Do what the library does, in a tenth of its time."""
    place = f"{namespace.replace('@', '%40')}/{name}" if namespace else name
    told = "&".join(f"{key}={value}" for key, value in qualifiers)
    rest = f"{version}?{told}" if told else version
    return f"pkg:{kind}/{place}@{rest.replace('+', '%2B')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An operating system as os-release names it: `id` (`debian`), `version_id` (`11`), and OSV's ecosystem (`Debian:11`) where one exists.

    `other_ecosystems` are OSV's names of places that publish for parts of its packages, where there is more than one: Ubuntu Pro, SUSE's modules, Red Hat's
    repositories. `ecosystem` is the name that all of them are found by, None where nobody publishes. `path` is the file it was read from, relative to the root.
    """

    id: str
    version_id: str = ""
    pretty_name: str = ""
    ecosystem: str | None = None
    path: str = ""
    other_ecosystems: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The purl `distro` qualifier: `debian-11`."""
        return f"{self.id}-{self.version_id}" if self.version_id else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageDetails:
    """What a package manager records about one of its packages beside name and version: its files, its licences.

    It need not stand in the file that names the package (dpkg keeps `info/bash.list` apart), so the owner is told by `type` and `name`, and by `version` and `architecture`
    where the record has them; empty ones fit any. `files` are pairs of a path relative to the root and a digest, `algorithm:hex` (`md5:`, `sha1:`, `sha256:` …) or empty
    where none is recorded; `paths` are more files, without digests. Directories and links may be among both. `directories` are trees of which every file belongs to the package, as in
    `node_modules/a`. Paths are as recorded: links in their directories are followed later.
    """

    type: str
    name: str
    version: str = ""
    architecture: str = ""
    files: tuple[tuple[str, str], ...] = ()
    paths: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPackage:
    """A package in the final image: where its evidence lies and which layer introduced it.

    `paths` are the files the package manager recorded it in, relative to the root; `layer` is the digest of the first layer whose
    record holds this very package and version, unbroken up to the final image. `owned_by` is the purl of the OS package that installed it: a
    language package of which every record is a file of an OS package is the distribution's, whose advisories and versions count for it.
    """

    package: Package
    paths: tuple[str, ...]
    layer: str | None
    owned_by: str | None = None
