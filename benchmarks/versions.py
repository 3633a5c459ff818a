"""Measure how many versions are compared in a second, for every scheme, with real versions of an OSV mirror or with made-up ones.

`python -m benchmarks.versions [mirror]`, where `mirror` is a folder with `<Ecosystem>/all.zip`. Every version is a different one. Three figures:

- first: every comparison needs two keys that nobody has asked for yet;
- cold: versions in random order, each compared with the next: one new key a comparison, as when ranges are read;
- warm: the same comparisons again, all keys are cached.

CPU time of one core, the best of a few rounds; each round is a process of its own, so that nothing is cached before it.
"""

from __future__ import annotations

import argparse
import json
import random
import time
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

from pratique.advisories.versions import SCHEMES, compare
from pratique.errors import InvalidVersion

_VERSIONS = 20_000
_ROUNDS = 5
_GOAL = 200_000
_SEED = 20240229


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versions", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "mirror", type=Path, nargs="?", help="a mirror of OSV's records; made-up versions where it has none of an ecosystem"
    )
    mirror = parser.parse_args().mirror
    print(f"{'scheme':<14} {'ecosystem':<18} {'versions':>16} {'first/s':>10} {'cold/s':>10} {'warm/s':>10}")
    with get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        for scheme, ecosystem in _representatives(mirror).items():
            real = _read_versions(mirror, ecosystem) if mirror else []
            versions = pool.apply(_readable, (ecosystem, real or _made_up(scheme)))
            rounds = pool.starmap(_measure, [(ecosystem, versions)] * _ROUNDS, chunksize=1)
            first, cold, warm = map(max, zip(*rounds, strict=True))
            print(
                f"{scheme:<14} {ecosystem:<18} {len(versions):>7,} {'real' if real else 'made up':<8} {first:>10,.0f} {cold:>10,.0f} {warm:>10,.0f}"
            )
    print(f"promised: {_GOAL:,} a second for dpkg, rpm and apk, cold")


def _representatives(mirror: Path | None) -> dict[str, str]:
    """An ecosystem of each scheme: the one with the largest file in the mirror, or else the first by name."""
    sizes = {name: _archive(mirror, name).stat().st_size for name in SCHEMES if mirror and _archive(mirror, name).exists()}
    ordered = sorted(SCHEMES, key=lambda name: (-sizes.get(name, 0), name))
    found: dict[str, str] = {}
    for name in ordered:
        found.setdefault(SCHEMES[name].name, name)
    return {scheme: name for scheme, name in sorted(found.items()) if scheme != "by_release"}


def _archive(mirror: Path | None, ecosystem: str) -> Path:
    return (mirror or Path()) / ecosystem / "all.zip"


def _read_versions(mirror: Path, ecosystem: str) -> list[str]:
    found: set[str] = set()
    if _archive(mirror, ecosystem).exists():
        with zipfile.ZipFile(_archive(mirror, ecosystem)) as archive:
            for name in archive.namelist():
                found.update(_versions(json.loads(archive.read(name)), ecosystem))
    versions = sorted(found)
    random.Random(_SEED).shuffle(versions)
    return versions[:_VERSIONS]


def _versions(record: dict[str, list[dict[str, object]]], ecosystem: str) -> Iterator[str]:
    for affected in record.get("affected", ()):
        package, ranges, listed = affected.get("package"), affected.get("ranges"), affected.get("versions")
        if isinstance(package, dict) and package["ecosystem"].partition(":")[0] == ecosystem:
            yield from listed if isinstance(listed, list) else ()
            for entry in ranges if isinstance(ranges, list) else ():
                if entry["type"] != "GIT":
                    yield from (version for event in entry["events"] for version in event.values())


_TAILS = {
    "apk": ("-r{}", "_p{}-r1", "_alpha{}", "a-r{}"),
    "composer": ("", "-RC{}", "-beta{}", "-p{}"),
    "conda": ("", "rc{}", ".post{}", "dev{}"),
    "cran": ("-{}", ".{}"),
    "dpkg": ("-{}", "-1+deb12u{}", "~rc{}-1", "+dfsg-{}ubuntu1", "-0+deb11u{}"),
    "gentoo": ("-r{}", "_p{}", "_rc{}"),
    "hackage": (".{}",),
    "linux": ("", "-rc{}"),
    "maven": ("", "-alpha-{}", ".Final", "-SNAPSHOT", "-jre{}"),
    "opam": ("", "~rc{}", "-{}"),
    "pacman": ("-{}", "rc{}-1", ".r{}.gabcdef-1"),
    "pep440": ("", "rc{}", ".post{}", ".dev{}"),
    "rpm": ("-{}.el9", "-{}.el8_10.1", "-1.fc40.{}", "~rc{}-1.el9"),
    "rubygems": ("", ".rc{}", ".pre.{}"),
}


def _made_up(scheme: str) -> list[str]:
    chance = random.Random(_SEED)
    tails = _TAILS.get(scheme, ("", "-rc.{}", "-beta.{}"))
    made: dict[str, None] = {}
    while len(made) < _VERSIONS:
        numbers = ".".join(str(chance.randrange(limit)) for limit in (30, 60, 200))
        made[numbers + chance.choice(tails).format(chance.randrange(40))] = None
    return list(made)


def _readable(ecosystem: str, versions: list[str]) -> list[str]:
    return [version for version in versions if _is_read(ecosystem, version)]


def _is_read(ecosystem: str, version: str) -> bool:
    try:
        compare(ecosystem, version, version)
    except InvalidVersion:
        return False
    return True


def _measure(ecosystem: str, versions: list[str]) -> tuple[float, float, float]:
    """Comparisons a second: first, cold and warm. The first ones have other versions than the others."""
    half = len(versions) // 4 * 2
    apart = list(zip(versions[:half:2], versions[1:half:2], strict=True))
    neighbours = list(pairwise(versions[half:]))
    compare(ecosystem, "0", "0")  # imports what it needs
    first, cold, warm = (_rate(ecosystem, pairs) for pairs in (apart, neighbours, neighbours))
    return first, cold, warm


def _rate(ecosystem: str, pairs: list[tuple[str, str]]) -> float:
    started = time.process_time()
    for first, second in pairs:
        compare(ecosystem, first, second)
    return len(pairs) / (time.process_time() - started)


if __name__ == "__main__":
    main()
