"""Packages from package URLs, as other tools' SBOMs name them."""

from __future__ import annotations

import re

from packageurl import PackageURL

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers._recorded_paths import text_word
from pratique.inventory.distribution import ecosystem_of
from pratique.inventory.package import OS_PACKAGE_TYPES, Package

MAX_PURL = 2_048  # characters: real ones stay below 300; parsing takes time for each

_ECOSYSTEMS = {
    "bitnami": "Bitnami",
    "cargo": "crates.io",
    "composer": "Packagist",
    "conan": "ConanCenter",
    "cran": "CRAN",
    "gem": "RubyGems",
    "golang": "Go",
    "hackage": "Hackage",
    "hex": "Hex",
    "julia": "Julia",
    "maven": "Maven",
    "npm": "npm",
    "nuget": "NuGet",
    "pub": "Pub",
    "pypi": "PyPI",
    "swift": "SwiftURL",
}
_NO_SOFTWARE = frozenset({"oci", "docker", "github", "gitlab", "bitbucket", "huggingface", "mlflow", "swid", "githubactions", "k8s"})
_RUNS = re.compile(r"[-_.]+")
_RELEASE = re.compile(r"(?P<id>[a-z][a-z0-9_]*(?:-[a-z][a-z0-9_]*)*)-(?P<version>\d[\w.]*)", re.ASCII)


def package_from_purl(purl: str, version: str = "", licenses: tuple[str, ...] = (), cpes: tuple[str, ...] = ()) -> Package | None:
    """The package that a package URL names, spelled as the analyzers spell it; `version` is for URLs without one.

    Qualifiers describe where a language package came from and would make it another one than the analyzers' (`type=jar`, `checksum`), so they are left
    out. OS packages keep the distribution that the URL names as `namespace`, `ecosystem` and `distro`: an SBOM may speak about another one than the image's
    (libraries in a Python wheel come from AlmaLinux). `upstream` gives the source package, `epoch` belongs to the version.

    None for what is not installed software (images, repositories, actions), for what has no version, and for unreadable URLs of types that have no advisories.
    Raises InvalidRecord for other unreadable ones.
    """
    kind = purl[:40].partition("/")[0].removeprefix("pkg:").lower()
    if kind in _NO_SOFTWARE:
        return None
    try:
        return _package(_parsed(purl), version, licenses, cpes)
    except InvalidRecord:
        if kind in _ECOSYSTEMS or kind in OS_PACKAGE_TYPES:
            raise
        return None


def _parsed(purl: str) -> PackageURL:
    if len(purl) > MAX_PURL:
        raise InvalidRecord(f"a package URL of {len(purl)} characters")
    try:
        return PackageURL.from_string(purl)
    except (ValueError, UnicodeError) as error:
        raise InvalidRecord(f"expected a package URL, got {purl[:80]!r}") from error


def _package(url: PackageURL, version: str, licenses: tuple[str, ...], cpes: tuple[str, ...]) -> Package | None:
    stated = url.version or version
    if not stated:
        return None
    name = text_word(url.name, "name")
    named = text_word(stated, f"version of {name}")
    namespace = text_word(url.namespace, f"namespace of {name}") if url.namespace else ""
    qualifiers = url.qualifiers if isinstance(url.qualifiers, dict) else {}
    if url.type in OS_PACKAGE_TYPES:
        return _os_package(Package(type=url.type, name=name, version=named, namespace=namespace, licenses=licenses, cpes=cpes), qualifiers)
    if url.type == "pypi":
        name = _RUNS.sub("-", name).lower()
    architecture = qualifiers.get("arch", "") if url.type == "bitnami" else ""
    return Package(
        type=url.type,
        name=name,
        version=named,
        namespace=namespace,
        ecosystem=_ECOSYSTEMS.get(url.type, ""),
        architecture=text_word(architecture, f"architecture of {name}") if architecture else "",
        licenses=licenses,
        cpes=cpes,
    )


def _os_package(package: Package, qualifiers: dict[str, str]) -> Package:
    """`upstream` is `glibc`, `glibc@2.36-9` or, for rpm, the name of a source package's file, which rpm's advisories do not need."""
    source, _, source_version = ("" if package.type == "rpm" else qualifiers.get("upstream", "")).partition("@")
    epoch = qualifiers.get("epoch", "0")
    version = package.version if epoch in {"", "0"} else f"{text_word(epoch, 'epoch')}:{package.version}"
    architecture, distro = qualifiers.get("arch", ""), qualifiers.get("distro", "")
    release = _RELEASE.fullmatch(distro)
    distribution = (release["id"], release["version"]) if release else (package.namespace, "")
    return Package(
        type=package.type,
        namespace=package.namespace,
        name=package.name,
        version=version,
        ecosystem=ecosystem_of(*distribution) or "",
        architecture=text_word(architecture, f"architecture of {package.name}") if architecture else "",
        source_name=text_word(source, f"source of {package.name}") if source and source != package.name else None,
        source_version=text_word(source_version, f"source version of {package.name}") if source_version not in {"", version} else None,
        qualifiers={"distro": text_word(distro, "distro")} if distro else {},
        licenses=package.licenses,
        cpes=package.cpes,
    )
