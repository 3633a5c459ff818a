"""Add what an SBOM beside an image says to what a scan found in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pratique.inventory.coverage import CoverageItem, CoverageStatus
from pratique.inventory.inventory import Inventory
from pratique.inventory.package import Distribution, InstalledPackage, Package
from pratique.sboms.contents import COVERAGE_NAME, READER_VERSION, SbomContents, coverage_items

_Key = tuple[str, str, str, str, str]


def join_sbom(inventory: Inventory, contents: SbomContents, origin: str, *, found_elsewhere: Iterable[InstalledPackage] = ()) -> Inventory:
    """Add the packages that only the SBOM names, without a layer or path; what the scan found stays as it is.

    `origin` says where the SBOM came from; coverage repeats it, with how much it added and what of it was not understood. What was `found_elsewhere`, in other
    images that the SBOM is about, is not added.
    """
    known = {key for one in (*inventory.packages, *found_elsewhere) for key in _keys(one.package)}
    named = (_in_image(one.package, inventory.distribution) for one in contents.packages)
    added = {key: package for package in named if (key := _key(package)) not in known}
    installed = [InstalledPackage(package=package, paths=(), layer=None) for package in added.values()]
    packages = tuple(sorted((*inventory.packages, *installed), key=lambda one: one.package.purl)) if installed else inventory.packages
    reason = f"{origin}: {contents.form}, {len(contents.packages)} packages, {len(installed)} of them found nowhere else"
    read = CoverageItem(name=COVERAGE_NAME, version=READER_VERSION, status=CoverageStatus.COMPLETE, reason=reason)
    gaps = coverage_items([f"{origin}: {problem}" for problem in contents.problems])
    return replace(inventory, packages=packages, coverage=inventory.coverage.with_items(gaps or (read,)))


def _key(package: Package) -> _Key:
    """What two tools agree on: not the qualifiers, nor how they call the distribution, nor its release."""
    namespace = "" if package.is_os_package else package.namespace
    return package.type, namespace, package.name, package.version, package.architecture


def _keys(package: Package) -> Iterator[_Key]:
    key = _key(package)
    yield key
    yield (*key[:4], "")


def _in_image(package: Package, distribution: Distribution | None) -> Package:
    if distribution is None or not package.is_os_package or package.ecosystem != (distribution.ecosystem or ""):
        return package
    return replace(package, namespace="").in_distribution(distribution) if package.namespace in {"", distribution.id} else package
