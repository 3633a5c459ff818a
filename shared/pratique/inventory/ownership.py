"""Which package a file belongs to, by the package managers' own records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pratique.inventory.layer_paths import split_paths
from pratique.inventory.layer_result import OwnedFiles
from pratique.inventory.layer_stack import PathResolver
from pratique.inventory.package import OS_PACKAGE_TYPES, InstalledPackage


class PackageIndex:
    """Finds the installed package that a record of owned files speaks of."""

    def __init__(self, packages: Iterable[InstalledPackage]) -> None:
        self._by_name: dict[tuple[str, str], list[InstalledPackage]] = {}
        for installed in packages:
            self._by_name.setdefault((installed.package.type, installed.package.name), []).append(installed)

    def find(self, owned: OwnedFiles) -> InstalledPackage | None:
        """Return the package, or None if it is not installed (any more)."""
        for installed in self._by_name.get((owned.type, owned.name), ()):
            package = installed.package
            if owned.version not in {"", package.version}:
                continue
            if owned.architecture in {"", package.architecture}:
                return installed
        return None


def paths_of(owned: OwnedFiles, resolver: PathResolver) -> Iterator[tuple[str, str]]:
    """Yield where the files of a package really lie, and their digests (empty where contents are not compared)."""
    paths = split_paths(owned.paths)
    digests: Sequence[str] = split_paths(owned.digests) or [""] * len(paths)
    for path, digest in zip(paths, digests, strict=True):
        yield resolver.resolve(path), digest


def attribute_packages(
    packages: Sequence[InstalledPackage], owned: Iterable[OwnedFiles], resolver: PathResolver
) -> tuple[InstalledPackage, ...]:
    """Name the OS package behind each language package of which every record is a file of one. The order stays."""
    wanted = {resolver.resolve(path): path for installed in packages if not installed.package.is_os_package for path in installed.paths}
    owners = _owners(wanted, [record for record in owned if record.type in OS_PACKAGE_TYPES], PackageIndex(packages), resolver)
    return tuple(_attribute(installed, owners) for installed in packages)


def describe_packages(packages: Sequence[InstalledPackage], owned: Iterable[OwnedFiles]) -> tuple[InstalledPackage, ...]:
    """Add the licences that stand in other records than the package's own."""
    licenses: dict[tuple[str, str], tuple[str, ...]] = {}
    for record in owned:
        if record.licenses:
            licenses.setdefault((record.type, record.name), record.licenses)
    return tuple(
        replace(installed, package=replace(installed.package, licenses=found))
        if not installed.package.licenses and (found := licenses.get((installed.package.type, installed.package.name), ()))
        else installed
        for installed in packages
    )


def _owners(
    wanted: Mapping[str, str], owned: Iterable[OwnedFiles], index: PackageIndex, resolver: PathResolver
) -> Mapping[str, InstalledPackage]:
    owners: dict[str, InstalledPackage] = {}
    if not wanted:
        return owners
    for record in owned:
        found = [path for path, _ in paths_of(record, resolver) if path in wanted]
        owner = index.find(record) if found else None
        if owner is not None:
            owners.update((wanted[path], owner) for path in found)
    return owners


def _attribute(installed: InstalledPackage, owners: Mapping[str, InstalledPackage]) -> InstalledPackage:
    if installed.package.is_os_package or not all(path in owners for path in installed.paths):
        return installed
    return replace(installed, owned_by=owners[installed.paths[0]].package.purl)
