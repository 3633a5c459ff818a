"""The images of a fleet: which packages each has, from which layers. Pure and seeded: the same size gives the same fleet.

1. BASES layers of OS packages: FAMILIES of them, each rebuilt at ten times; few families are very popular.
2. Runtimes on top: one family for every thousand images, each rebuilt at twenty times, with more OS packages and a language's.
3. Repositories of some fifty images, each with a lock file of its own: each version renews a few of its packages, and all versions share the rest. The newest versions have
   the newest base and runtime of their family.
4. Modules of the repository's own making, built anew with every image, fill up to PACKAGES_AN_IMAGE distinct packages.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from benchmarks.fleet.universe import LANGUAGES, SYSTEMS, Build, Software, package_of, pool_of, popular, private_package
from pratique.inventory.package import Package

PACKAGES_AN_IMAGE = 5
_SEED = 99
_FAMILIES, _BASE_TIMES, _RUNTIME_TIMES = 20, 10, 20
_OS_PACKAGES, _RUNTIME_OS_PACKAGES, _RUNTIME_PACKAGES, _OWN_PACKAGES = 120, 60, 120, 100
_IMAGES_A_RUNTIME_FAMILY = 1000
_IMAGES_A_REPOSITORY = 50
_PRODUCTION = 0.3  # of the repositories
_RENEWED = 0.04  # of a lock file, with each version
_PARTS = ("", "-common", "-data")  # binary packages of a source

LayerId = int
PackageId = int


@dataclass(frozen=True, slots=True)
class FleetLayer:
    """A layer, by its number from 1, and its packages."""

    id: LayerId
    packages: Sequence[PackageId]


@dataclass(frozen=True, slots=True)
class FleetImage:
    """An image, by its number from 1, with the ids of its layers, lowest first."""

    id: int
    repository: int
    version: int
    is_tagged: bool
    system: str
    layers: tuple[LayerId, LayerId, LayerId]


@dataclass(slots=True)
class Population:
    """What has been made so far. Packages are numbered from 1 as they are met; `packages` lists how to make them, in that order."""

    size: int
    packages: list[Build | tuple[str, int, int]] = field(default_factory=list)
    layers: list[FleetLayer] = field(default_factory=list)
    images: list[FleetImage] = field(default_factory=list)
    repositories: list[str] = field(default_factory=list)
    _known: dict[Build, PackageId] = field(default_factory=dict)

    def package(self, number: int) -> Package:
        """Make the package of an id."""
        found = self.packages[number - 1]
        return package_of(found) if isinstance(found, Build) else private_package(*found)

    def is_of_system(self, number: int) -> bool:
        """Tell whether a package is one of a distribution's."""
        found = self.packages[number - 1]
        return isinstance(found, Build) and found.ecosystem in SYSTEMS

    def number(self, build: Build) -> PackageId:
        found = self._known.get(build)
        if found is None:
            self.packages.append(build)
            found = self._known[build] = len(self.packages)
        return found

    def add_layer(self, packages: Sequence[PackageId]) -> LayerId:
        self.layers.append(FleetLayer(len(self.layers) + 1, packages))
        return len(self.layers)

    def add_private(self, layer: FleetLayer, repository: str, version: int, count: int) -> None:
        """Add modules of the repository's own to a layer."""
        first = len(self.packages) + 1
        self.packages += [(repository, module, version) for module in range(count)]
        self.layers[layer.id - 1] = FleetLayer(layer.id, [*layer.packages, *range(first, first + count)])


@dataclass(frozen=True, slots=True)
class _Family:
    """Layers that follow each other in time, and the names of what they hold."""

    system: str
    language: str
    times: Sequence[LayerId]
    names: frozenset[Software]

    def at(self, time: float) -> LayerId:
        return self.times[min(int(time * len(self.times)), len(self.times) - 1)]


def populate(size: int) -> Population:
    """Make a fleet of so many images."""
    chance = random.Random(_SEED)
    fleet = Population(size)
    bases = [_make_base(fleet, list(SYSTEMS)[number % len(SYSTEMS)], chance) for number in range(_FAMILIES)]
    runtimes = [
        (base, _make_runtime(fleet, base, list(LANGUAGES)[number % len(LANGUAGES)], chance))
        for number in range(max(len(LANGUAGES), size // _IMAGES_A_RUNTIME_FAMILY))
        for base in [bases[int(len(bases) ** chance.random()) - 1]]
    ]
    while len(fleet.images) < size:
        base, runtime = runtimes[int(len(runtimes) ** chance.random()) - 1]
        _make_repository(fleet, base, runtime, chance)
    _fill_up(fleet)
    return fleet


def _make_base(fleet: Population, system: str, chance: random.Random) -> _Family:
    pool = pool_of(system)
    core = [(software, part) for software in pool[:30] for part in _PARTS[:2]]
    names = [*core, *_distinct(chance, pool[30:], _OS_PACKAGES - len(core), _PARTS)]
    times = [_layer_at(fleet, system, names, (number + 1) / _BASE_TIMES) for number in range(_BASE_TIMES)]
    return _Family(system, "", times, frozenset())


def _make_runtime(fleet: Population, base: _Family, language: str, chance: random.Random) -> _Family:
    system = [(software, "-dev") for software, _ in _distinct(chance, pool_of(base.system), _RUNTIME_OS_PACKAGES, ("",))]
    own = list(_distinct(chance, pool_of(language), _RUNTIME_PACKAGES, ("",)))
    times = []
    for number in range(_RUNTIME_TIMES):
        time = (number + 1) / _RUNTIME_TIMES
        packages = [*_packages_at(fleet, base.system, system, time), *_packages_at(fleet, language, own, time)]
        times.append(fleet.add_layer(packages))
    return _Family(base.system, language, times, frozenset(software for software, _ in own))


def _distinct(chance: random.Random, pool: Sequence[Software], count: int, parts: Sequence[str]) -> Iterator[tuple[Software, str]]:
    def draw() -> Iterator[tuple[Software, str]]:
        seen: set[tuple[Software, str]] = set()
        while True:
            pair = (popular(chance, pool), chance.choice(parts))
            if pair not in seen:
                seen.add(pair)
                yield pair

    return islice(draw(), count)


def _layer_at(fleet: Population, ecosystem: str, names: Sequence[tuple[Software, str]], time: float) -> LayerId:
    return fleet.add_layer(_packages_at(fleet, ecosystem, names, time))


def _packages_at(fleet: Population, ecosystem: str, names: Sequence[tuple[Software, str]], time: float) -> list[PackageId]:
    return [fleet.number(Build(ecosystem, software, software.version_at(time), part)) for software, part in names]


def _make_repository(fleet: Population, base: _Family, runtime: _Family, chance: random.Random) -> None:
    number = len(fleet.repositories)
    fleet.repositories.append(f"{'prod' if chance.random() < _PRODUCTION else 'team'}/service-{number}")
    count = min(_IMAGES_A_REPOSITORY, fleet.size - len(fleet.images))
    began = chance.random() * 0.7
    locked = _lock(runtime, began, chance)
    for version in range(count):
        time = began + (1 - began) * (version + 1) / count
        locked = {software: time if chance.random() < _RENEWED else at for software, at in locked.items()}
        packages = [fleet.number(Build(runtime.language, software, software.version_at(at))) for software, at in locked.items()]
        layers = (base.at(time), runtime.at(time), fleet.add_layer(packages))
        # The newest third has a tag: older tags were moved on.
        is_tagged = version >= count - count // 3 - 1
        fleet.images.append(FleetImage(len(fleet.images) + 1, number, version, is_tagged, base.system, layers))


def _lock(runtime: _Family, time: float, chance: random.Random) -> dict[Software, float]:
    """Choose software that the runtime does not have, in the versions of a time."""
    found: dict[Software, float] = {}
    pool = pool_of(runtime.language)
    while len(found) < _OWN_PACKAGES - PACKAGES_AN_IMAGE // 2:
        software = popular(chance, pool)
        if software not in runtime.names:
            found[software] = time
    return found


def _fill_up(fleet: Population) -> None:
    """Give each image as many modules of its own as it takes to have PACKAGES_AN_IMAGE times as many distinct packages as images."""
    missing = max(0, fleet.size * PACKAGES_AN_IMAGE - len(fleet.packages))
    for place, image in enumerate(fleet.images):
        count = missing * (place + 1) // fleet.size - missing * place // fleet.size
        fleet.add_private(fleet.layers[image.layers[2] - 1], fleet.repositories[image.repository], image.version, count)
