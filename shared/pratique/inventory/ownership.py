"""Which package a file belongs to, by the package managers' own records.

A language package in files of the distribution's package is the distribution's: its advisories and versions count. That takes a finding away, so all of this
must hold of every file that tells of the package:

1. an installed package's record names the file, under any of its names;
2. the file lies where distributions put theirs: not in `opt`, `usr/local`, `srv`, `home`, `root`, `app` …;
3. no layer above the one that brought the owner has the file: what was written over it later (`npm install -g npm`) is not what the owner installed;
4. the owner is the distribution's own, and advisories exist for that; no package of anybody else claims the file, too.

A third party's package still owns its files where files are accounted for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat

from pratique.inventory.image_view import ImageView
from pratique.inventory.layer_paths import split_paths
from pratique.inventory.layer_result import OwnedFiles
from pratique.inventory.package import OS_PACKAGE_TYPES, Distribution, InstalledPackage
from pratique.inventory.path_resolver import PathResolver
from pratique.inventory.vendors import has_advisories, is_built_by

_SYSTEM = ("usr/", "lib/", "lib32/", "lib64/", "libx32/", "bin/", "sbin/", "etc/", "boot/")
_LOCAL = "usr/local/"
_MAX_NAME_CHARACTERS = (
    64 * 1024 * 1024
)  # of all names of all files that are looked for: memory; beyond, a file is known by its own name only


class PackageIndex:
    """Finds the installed package that a record of owned files speaks of, in a time that does not depend on how many there are."""

    def __init__(self, packages: Iterable[InstalledPackage]) -> None:
        self._named: dict[tuple[str, str], _Namesakes] = {}
        for installed in packages:
            package = installed.package
            for name in {package.name, f"{package.namespace}/{package.name}"}:
                self._named.setdefault((package.type, name), _Namesakes()).add(installed)

    def find(self, owned: OwnedFiles) -> InstalledPackage | None:
        """Return the package, or None if it is not installed (any more).

        Where the version does not tell, the place does: a wheel's RECORD lists the METADATA beside it, and builders write versions in several ways.
        """
        namesakes = self._named.get((owned.type, owned.name))
        return namesakes.find(owned) if namesakes is not None else None


class _Namesakes:
    """Packages of one name: mostly one, in hostile images 200,000 with as many records, so that their keys are made only where somebody asks."""

    __slots__ = ("_by_place", "_by_version", "_packages")

    def __init__(self) -> None:
        self._packages: list[InstalledPackage] = []
        self._by_version: dict[tuple[str, str], InstalledPackage] | None = None
        self._by_place: dict[tuple[str, str], InstalledPackage] | None = None

    def add(self, installed: InstalledPackage) -> None:
        self._packages.append(installed)

    def find(self, owned: OwnedFiles) -> InstalledPackage | None:
        """The first one of the record's version and architecture; else the first that was found in one of the record's files. Empty ones fit any."""
        if self._by_version is None:
            self._by_version = self._keyed((("", one.package.version), one) for one in self._packages)
        found = self._by_version.get((owned.version, owned.architecture))
        if found is not None:
            return found
        if self._by_place is None:
            self._by_place = self._keyed((one.paths, one) for one in self._packages)
        by_place = self._by_place
        places = (by_place.get((path, owned.architecture)) for path in split_paths(owned.paths))
        return next((one for one in places if one is not None), None)

    @staticmethod
    def _keyed(entries: Iterable[tuple[Sequence[str], InstalledPackage]]) -> dict[tuple[str, str], InstalledPackage]:
        keyed: dict[tuple[str, str], InstalledPackage] = {}
        for names, one in entries:
            for name in names:
                keyed.setdefault((name, ""), one)
                keyed.setdefault((name, one.package.architecture), one)
        return keyed


def files_of(owned: OwnedFiles) -> Iterator[tuple[str, str]]:
    """Yield the paths of a package's files as recorded, and their digests (empty where contents are not compared)."""
    paths = split_paths(owned.paths)
    digests = split_paths(owned.digests)
    return zip(paths, chain(digests, repeat("")), strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A package that nothing but its own bytes tells of, and the types of packages that tell nothing new when it is found so in one of their files."""

    installed: InstalledPackage
    ruled_out_by: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Who installed the files that packages were found in: by path, the `types` of the packages that did, and the purl of the one that answers for the file.

    `has_advisories` says whether anybody could answer: whether there are advisories for the distribution.
    """

    types: Mapping[str, set[str]]
    answering: Mapping[str, str]
    has_advisories: bool


def find_owners(
    packages: Sequence[InstalledPackage], guesses: Sequence[Guess], view: ImageView, distribution: Distribution | None
) -> Owners:
    """Find the owners, among `packages`, of the files that language packages and guesses were found in."""
    asked = chain((one for one in packages if not one.package.is_os_package), (guess.installed for guess in guesses))
    places = _Places((path for one in asked for path in one.paths), view.resolver)
    index = PackageIndex(packages)
    judge = _Judge(view, distribution)
    types: dict[str, set[str]] = {}
    answering: dict[str, str] = {}
    disputed: set[str] = set()
    for record in view.owned:
        paths = places.find(record)
        owner = index.find(record) if paths else None
        if owner is None:
            continue
        answers = judge.answers_for(owner)
        for path in judge.untouched(owner, paths):
            types.setdefault(path, set()).add(owner.package.type)
            if answers and judge.is_system_file(path):
                answering[path] = owner.package.purl
            elif owner.package.is_os_package:
                disputed.add(path)
    answering = {path: purl for path, purl in answering.items() if path not in disputed}
    return Owners(types=types, answering=answering, has_advisories=has_advisories(distribution))


def attribute_packages(packages: Sequence[InstalledPackage], owners: Owners) -> tuple[InstalledPackage, ...]:
    """Name the OS package behind each language package of which every record is a file that one answers for. The order stays."""
    return tuple(
        one
        if one.package.is_os_package or not all(path in owners.answering for path in one.paths)
        else replace(one, owned_by=owners.answering[one.paths[0]])
        for one in packages
    )


def drop_guesses(guesses: Sequence[Guess], owners: Owners) -> tuple[InstalledPackage, ...]:
    """Return the guesses that tell something new: all but those in files that a package answers for, or that nothing could be matched with.

    In a third party's package a guess stays, though it tells of the same software: nobody else's advisories may speak about it.
    """

    def is_told(guess: Guess, path: str) -> bool:
        ruling = guess.ruled_out_by & owners.types.get(path, set())
        if path in owners.answering or not ruling <= OS_PACKAGE_TYPES:
            return bool(ruling)
        return bool(ruling) and not owners.has_advisories and not guess.installed.package.ecosystem

    return tuple(guess.installed for guess in guesses if not all(is_told(guess, path) for path in guess.installed.paths))


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


class _Judge:
    """Decides which of the files that a package's record names the package answers for."""

    def __init__(self, view: ImageView, distribution: Distribution | None) -> None:
        self._resolver = view.resolver
        self._distribution = distribution if has_advisories(distribution) else None
        # of layers that an image has twice the lower one: an owner that looks older owns less
        self._positions = {layer.digest: position for position, layer in reversed(list(enumerate(view.layers)))}
        self._files: dict[str, int] = {}
        for history in view.histories:
            self._files[history.path] = max(history.layers[-1], self._files.get(history.path, 0))

    def untouched(self, owner: InstalledPackage, paths: Iterable[str]) -> Iterator[str]:
        """Yield the files that no layer above the one that brought an OS package has. Where a language package's own files come from does not matter."""
        since = self._positions.get(owner.layer or "", -1) if owner.package.is_os_package else len(self._positions)
        return (path for path in paths if self._files[path] <= since)

    def answers_for(self, owner: InstalledPackage) -> bool:
        """Tell whether there are advisories that speak of the owner: it is the distribution's own package."""
        return self._distribution is not None and is_built_by(self._distribution, owner.package)

    def is_system_file(self, path: str) -> bool:
        """Tell whether a file lies where distributions install."""
        real = self._resolver.resolve(path)
        return real.startswith(_SYSTEM) and not real.startswith(_LOCAL)


class _Places:
    """Some paths of an image, found in records of owned files under any of their names."""

    def __init__(self, paths: Iterable[str], resolver: PathResolver) -> None:
        self._by_name: dict[str, str] = {}
        room = _MAX_NAME_CHARACTERS
        for path in dict.fromkeys(paths):
            for name in resolver.names_of(path) if room > 0 else (path,):
                self._by_name[name] = path
                room -= len(name)

    def find(self, owned: OwnedFiles) -> Sequence[str]:
        """Return those of the paths that the record names."""
        if not self._by_name:
            return ()
        return [self._by_name[name] for name in self._by_name.keys() & split_paths(owned.paths)]
