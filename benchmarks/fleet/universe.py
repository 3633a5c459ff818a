"""All software that is published, as far as the fleets know: names, and versions that follow each other in time. The same for fleets of any size.

Time runs from 0 to 1, which is now. Software is ordered by popularity within its pool; choices are as `popular` makes them (Zipf's law).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pratique.inventory.package import Package

SYSTEMS: Mapping[str, tuple[str, str]] = {
    "Debian:10": ("deb", "debian"),
    "Debian:11": ("deb", "debian"),
    "Debian:12": ("deb", "debian"),
    "Alpine:v3.17": ("apk", "alpine"),
    "Alpine:v3.18": ("apk", "alpine"),
    "Alpine:v3.19": ("apk", "alpine"),
    "AlmaLinux:8": ("rpm", "almalinux"),
    "AlmaLinux:9": ("rpm", "almalinux"),
}
"""Releases of distributions, with the type and the namespace of their packages."""

LANGUAGES: Mapping[str, tuple[str, int]] = {
    "npm": ("npm", 60_000),
    "PyPI": ("pypi", 20_000),
    "Maven": ("maven", 20_000),
    "Go": ("golang", 15_000),
}
"""Ecosystems of languages, with the type of their packages, and how much software each has."""

SOURCES = 3_000  # of a distribution; its releases have the same ones
_SEED = 20_250_825
_SYLLABLES = (
    "ba",
    "cor",
    "dex",
    "fi",
    "gra",
    "hub",
    "jet",
    "kit",
    "lo",
    "mo",
    "net",
    "pix",
    "quo",
    "ro",
    "syn",
    "ter",
    "ul",
    "ver",
    "xi",
    "zen",
)
_MOST_RELEASES = 30


@dataclass(frozen=True, slots=True)
class Software:
    """A name in a pool: an ecosystem of languages, or a distribution (`debian`), whose releases have it all. `pace` is how many versions come out from time 0 to 1."""

    pool: str
    rank: int
    name: str
    phase: float
    pace: float

    def version_at(self, time: float) -> int:
        """The number of its newest version at a time."""
        return int(self.phase + time * self.pace)


@dataclass(frozen=True, slots=True)
class Build:
    """A package to be: software of a version, in the release of a distribution where it has one. `part` tells the binary packages of a source apart."""

    ecosystem: str
    software: Software
    version: int
    part: str = ""


@lru_cache(maxsize=1)
def pools() -> Mapping[str, Sequence[Software]]:
    """All software, by pool, the most popular first."""
    chance = random.Random(_SEED)
    sizes = {**{namespace: SOURCES for _, namespace in SYSTEMS.values()}, **{name: size for name, (_, size) in LANGUAGES.items()}}
    return {pool: [_invent(pool, rank, chance) for rank in range(size)] for pool, size in sizes.items()}


def popular(chance: random.Random, pool: Sequence[Software]) -> Software:
    """Choose by Zipf's law: the first of n is chosen as often as the second and the third together, and so on."""
    return pool[int(len(pool) ** chance.random()) - 1]


def pool_of(ecosystem: str) -> Sequence[Software]:
    """The software that an ecosystem (with its release) has."""
    return pools()[SYSTEMS[ecosystem][1] if ecosystem in SYSTEMS else ecosystem]


def spell(ecosystem: str, version: int) -> str:
    """Spell a version as its ecosystem does; the order is that of the numbers."""
    numbers = f"{1 + version // 10}.{version % 10}"
    match ecosystem.partition(":"):
        case "Debian", _, release:
            return f"{numbers}.0-1+deb{release}u1"
        case "Alpine", _, _:
            return f"{numbers}.0-r0"
        case "AlmaLinux", _, release:
            return f"{numbers}.0-1.el{release}"
        case "Go", _, _:
            return f"v{numbers}.0"
        case _:
            return f"{numbers}.0"


def package_of(build: Build) -> Package:
    """The package as an inventory has it."""
    name, version = build.software.name, spell(build.ecosystem, build.version)
    if build.ecosystem in SYSTEMS:
        kind, namespace = SYSTEMS[build.ecosystem]
        source = (name, version) if build.part else (None, None)
        label = f"{namespace}-{build.ecosystem.partition(':')[2].removeprefix('v')}"
        return Package(
            type=kind,
            namespace=namespace,
            name=name + build.part,
            version=version,
            ecosystem=build.ecosystem,
            architecture="x86_64" if kind != "deb" else "amd64",
            source_name=source[0],
            source_version=source[1],
            qualifiers={"distro": label},
        )
    namespace, _, own = name.rpartition(":" if build.ecosystem == "Maven" else "/")
    return Package(type=LANGUAGES[build.ecosystem][0], namespace=namespace, name=own, version=version, ecosystem=build.ecosystem)


def private_package(repository: str, module: int, version: int) -> Package:
    """A module of the fleet's own making, of which no advisory speaks."""
    return Package(type="npm", namespace="@own", name=f"{repository.replace('/', '-')}-{module}", version=f"1.{version}.0", ecosystem="npm")


def _invent(pool: str, rank: int, chance: random.Random) -> Software:
    word = "".join(chance.choices(_SYLLABLES, k=2)) + str(rank)
    name = {"Maven": f"org.{word}:{word}-core", "Go": f"code.example/{word}/{word}"}.get(pool, word)
    return Software(pool=pool, rank=rank, name=name, phase=chance.random() * 9, pace=3 + _MOST_RELEASES * chance.random() ** 2)
