"""Which package a file belongs to, by the package managers' own records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, repeat

from pratique.inventory.layer_paths import split_paths
from pratique.inventory.layer_result import OwnedFiles
from pratique.inventory.package import OS_PACKAGE_TYPES, InstalledPackage
from pratique.inventory.path_resolver import PathResolver

_FOREIGN = ("app/", "home/", "opt/", "root/", "srv/", "usr/local/")  # a distribution's own packages install nothing there (FHS 3.0)


class PackageIndex:
    """Finds the installed package that a record of owned files speaks of."""

    def __init__(self, packages: Iterable[InstalledPackage]) -> None:
        self._by_name: dict[tuple[str, str], list[InstalledPackage]] = {}
        for installed in packages:
            package = installed.package
            for name in {package.name, f"{package.namespace}/{package.name}"}:
                self._by_name.setdefault((package.type, name), []).append(installed)

    def find(self, owned: OwnedFiles) -> InstalledPackage | None:
        """Return the package, or None if it is not installed (any more).

        Where the version does not tell, the place does: a wheel's RECORD lists the METADATA beside it, and builders write versions in several ways.
        """
        known = self._by_name.get((owned.type, owned.name), ())
        candidates = [installed for installed in known if owned.architecture in {"", installed.package.architecture}]
        for installed in candidates:
            if owned.version in {"", installed.package.version}:
                return installed
        paths = set(split_paths(owned.paths)) if candidates else set()
        return next((installed for installed in candidates if not paths.isdisjoint(installed.paths)), None)


def files_of(owned: OwnedFiles) -> Iterator[tuple[str, str]]:
    """Yield the paths of a package's files as recorded, and their digests (empty where contents are not compared)."""
    paths = split_paths(owned.paths)
    digests = split_paths(owned.digests)
    return zip(paths, chain(digests, repeat("")), strict=False)


def attribute_packages(
    packages: Sequence[InstalledPackage], owned: Iterable[OwnedFiles], resolver: PathResolver, layers: Sequence[str]
) -> tuple[InstalledPackage, ...]:
    """Name the OS package behind each language package of which every record is a file of one. The order stays; `layers` are the image's, base first.

    What is attributed has no findings of its own, so three things must hold: the OS package has advisories (its ecosystem is known); the files are where a distribution
    installs, not where third parties and administrators do; and no layer above the OS package's brought the language package, as pip does when it overwrites files.
    """
    places = _Places((path for one in packages if not one.package.is_os_package for path in one.paths), resolver)
    owners: dict[str, InstalledPackage] = {}
    index = PackageIndex(packages)
    for record in owned:
        found = places.find(record) if record.type in OS_PACKAGE_TYPES else ()
        owner = index.find(record) if found else None
        if owner is not None:
            owners.update(dict.fromkeys(found, owner))
    positions = {digest: position for position, digest in enumerate(layers)}
    return tuple(_attribute(installed, owners, positions) for installed in packages)


def drop_guesses(
    packages: Sequence[InstalledPackage], guesses: Mapping[str, frozenset[str]], owned: Iterable[OwnedFiles], resolver: PathResolver
) -> tuple[InstalledPackage, ...]:
    """Drop packages that were only recognised in files which a package manager answers for: `guesses` has their purls, with the types of packages whose files rule them out."""
    places = _Places((path for one in packages if one.package.purl in guesses for path in one.paths), resolver)
    types: dict[str, set[str]] = {}
    for record in owned:
        for path in places.find(record):
            types.setdefault(path, set()).add(record.type)

    def is_ruled_out(installed: InstalledPackage) -> bool:
        ruling = guesses.get(installed.package.purl)
        return ruling is not None and all(ruling & types.get(path, frozenset()) for path in installed.paths)

    return tuple(installed for installed in packages if not is_ruled_out(installed))


class _Places:
    """Some paths of an image, found in records of owned files under any of their names."""

    def __init__(self, paths: Iterable[str], resolver: PathResolver) -> None:
        self._by_name = {name: path for path in dict.fromkeys(paths) for name in resolver.names_of(path)}

    def find(self, owned: OwnedFiles) -> Sequence[str]:
        """Return those of the paths that the record names."""
        if not self._by_name:
            return ()
        return [self._by_name[name] for name in self._by_name.keys() & split_paths(owned.paths)]


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


def _attribute(installed: InstalledPackage, owners: Mapping[str, InstalledPackage], positions: Mapping[str, int]) -> InstalledPackage:
    if installed.package.is_os_package or not all(path in owners and _is_distributions(path) for path in installed.paths):
        return installed
    found = [owners[path] for path in installed.paths]
    top = positions.get(installed.layer or "", len(positions))
    if not all(owner.package.ecosystem and top <= positions.get(owner.layer or "", -1) for owner in found):
        return installed
    return replace(installed, owned_by=found[0].package.purl)


def _is_distributions(path: str) -> bool:
    return not path.startswith(_FOREIGN)
