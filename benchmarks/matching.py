"""Measure what advisories cost before and after they are compiled.

    python -m benchmarks.matching MIRROR [--rounds 5] [--no-sbom]

1. `pratique advisories build` of the whole mirror, a folder with `<Ecosystem>/all.zip`: records a second and the peak memory of the process.
2. Matching of PACKAGES distinct packages, one process, one thread, nothing cached: most have names that the mirror's records name, with versions that records of that name
   mention; the others have names of which there are no advisories.
3. Questions about one name that nobody has asked for yet, and the same again.
4. `pratique scan sbom:FILE` on the bill of the large image (`benchmarks/image.py`), against `trivy sbom` with an empty database (`benchmarks/sboms.py`), and against
   reading and parsing the bill in Python and nothing else. The three take turns. Grype is in no package registry.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.contenders import Command, prepare_contenders
from benchmarks.goals import QUIET, Goal
from benchmarks.image import prepare_images
from benchmarks.processes import Memory, run, sample_memory
from benchmarks.sboms import prepare_sbom, prepare_trivy_state, trivy_sbom
from benchmarks.tasks import PRATIQUE
from pratique.advisories.database import AdvisoryDatabase
from pratique.advisories.matching import match_singly
from pratique.advisories.versions import sort_key
from pratique.errors import InvalidVersion
from pratique.inventory.package import Package

PACKAGES = 10_000
_KNOWN = 0.6  # of the packages: names with advisories
_QUESTIONS = 2_000
_SEED = 20240229
_VERSIONS_A_NAME = 50
_MIB = 1024**2
_SCAN, _TRIVY, _FLOOR = "pratique scan sbom:", "trivy sbom, empty database", "floor: read and parse"
_STATUSES = frozenset({0, 3})  # 3: some records were skipped, some packages are of no known ecosystem
_PARSE = "import sys, msgspec; msgspec.json.decode(open(sys.argv[1], 'rb').read())"
_TYPES = {
    "AlmaLinux": "rpm",
    "Alpine": "apk",
    "Bitnami": "bitnami",
    "CRAN": "cran",
    "Debian": "deb",
    "Go": "golang",
    "Hackage": "hackage",
    "Hex": "hex",
    "Maven": "maven",
    "NuGet": "nuget",
    "Packagist": "composer",
    "PyPI": "pypi",
    "Rocky Linux": "rpm",
    "RubyGems": "gem",
    "SwiftURL": "swift",
    "Ubuntu": "deb",
    "Wolfi": "apk",
    "crates.io": "cargo",
    "npm": "npm",
}

AnswerT = TypeVar("AnswerT")
Name = tuple[str, str]
"""Ecosystem with release, and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """How a mirror was compiled. `rss` is the peak of the process, in bytes."""

    seconds: float
    rss: int
    records: int
    skipped: int
    advisories: int
    affected: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """One round of matching: seconds of the processor and by the clock, and the number of findings."""

    cpu_seconds: float
    seconds: float
    findings: int
    affected: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching", description=__doc__.partition("\n")[0])
    parser.add_argument("mirror", type=Path, help="a folder with <Ecosystem>/all.zip, as `pratique advisories update` makes it")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default: %(default)s)")
    parser.add_argument("--no-sbom", action="store_true", help="leave out the image's bill, for which the image may have to be made")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "advisories.sqlite"
        compilation = _compile(options.mirror, database)
        _print_compilation(compilation)
        matching = _measure_matching(options.mirror, database, options.rounds)
        goals = [
            Goal(text="compiling: peak memory", value=compilation.rss / _MIB, limit=600, unit=" MiB"),
            Goal(text=f"matching {PACKAGES:,} packages, one core", value=matching, limit=2, unit=" s"),
        ]
        if not options.no_sbom:
            goals += _measure_scans(database, Path(folder), options.rounds)
    _print_goals(goals)


def _compile(mirror: Path, output: Path) -> Compilation:
    print("compiling", flush=True)
    command = [PRATIQUE, "advisories", "build", str(mirror), "-o", str(output)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in _STATUSES:
        sys.exit(f"{' '.join(command[:3])} ended with {process.returncode}")
    with closing(sqlite3.connect(output)) as connection:
        (records, skipped), (advisories,), (affected,) = (
            connection.execute(query).fetchone()
            for query in (
                "SELECT sum(records), sum(skipped) FROM feed WHERE name NOT IN ('KEV', 'EPSS')",
                "SELECT count(*) FROM advisory",
                "SELECT count(*) FROM affected",
            )
        )
    return Compilation(
        seconds=seconds,
        rss=usage.ru_maxrss * 1024,
        records=records,
        skipped=skipped,
        advisories=advisories,
        affected=affected,
        size=output.stat().st_size,
    )


def _print_compilation(done: Compilation) -> None:
    print(
        f"{done.records:,} records in {done.seconds:.1f} s: {done.records / done.seconds:,.0f}/s; {done.advisories:,} advisories about {done.affected:,} packages, "
        f"{done.skipped} skipped; {done.size / _MIB:.1f} MiB; peak memory {done.rss / _MIB:.0f} MiB",
        flush=True,
    )


def _measure_matching(mirror: Path, database: Path, rounds: int) -> float:
    """Print how matching went; answer the median seconds of processor time."""
    names = _read_names(mirror, database)
    packages = _draw(names)
    results = [_apart(_match, database, packages) for _ in range(rounds)]
    cpu = statistics.median(one.cpu_seconds for one in results)
    print(
        f"\n{PACKAGES:,} distinct packages of {len({package.ecosystem for package in packages})} ecosystems, {results[0].affected:,} of them affected"
    )
    print(f"{'seconds of one core':26}{'median':>8}{'least':>8}{'most':>8}{'a second':>12}{'findings':>10}")
    times = [one.cpu_seconds for one in results]
    print(f"{'match':26}{cpu:8.2f}{min(times):8.2f}{max(times):8.2f}{PACKAGES / cpu:12,.0f}{results[0].findings:10,}")
    chance = random.Random(_SEED)
    known = [package for package in packages if not package.name.startswith("unknown-")]
    unknown = [package for package in packages if package.name.startswith("unknown-")]
    print(f"\n{'µs to ask for one package':42}{'median':>8}{'99 of 100':>11}")
    for title, asked in (("its name has advisories", known), ("it has none", unknown)):
        first, again = _apart(_ask, database, chance.sample(asked, min(_QUESTIONS, len(asked))))
        for which, micros in (("first", first), ("again", again)):
            print(f"{f'{title}, {which}':42}{statistics.median(micros):8.1f}{statistics.quantiles(micros, n=100)[98]:11.1f}")
    return cpu


def _apart(measure: Callable[[Path, Sequence[Package]], AnswerT], database: Path, packages: Sequence[Package]) -> AnswerT:
    """Measure in a process of its own: nothing is cached."""
    with get_context("fork").Pool(1) as pool:
        return pool.apply(measure, (database, packages))


def _match(database: Path, packages: Sequence[Package]) -> Matching:
    with AdvisoryDatabase.open(database) as opened:
        cpu, started = time.process_time(), time.perf_counter()
        found = [match.findings for match in match_singly(opened, packages)]
        cpu, seconds = time.process_time() - cpu, time.perf_counter() - started
    if len(found) != len(packages):
        sys.exit(f"{len(found)} of {len(packages)} packages were matched")
    return Matching(cpu_seconds=cpu, seconds=seconds, findings=sum(map(len, found)), affected=sum(map(bool, found)))


def _ask(database: Path, packages: Sequence[Package]) -> tuple[list[float], list[float]]:
    with AdvisoryDatabase.open(database) as opened:
        return [_clock(opened, package) for package in packages], [_clock(opened, package) for package in packages]


def _clock(database: AdvisoryDatabase, package: Package) -> float:
    started = time.perf_counter_ns()
    database.match_all((package,))
    return (time.perf_counter_ns() - started) / 1000


def _read_names(mirror: Path, database: Path) -> Mapping[Name, Sequence[str]]:
    """What the compiled database has names of, with versions that records of the name mention and that have a place in its order."""
    with closing(sqlite3.connect(database)) as connection:
        compiled = set(connection.execute("SELECT e.name, p.name FROM package AS p JOIN ecosystem AS e ON e.id = p.ecosystem"))
    found: dict[Name, dict[str, None]] = defaultdict(dict)
    for archive_path in sorted(mirror.glob("*/all.zip")):
        with zipfile.ZipFile(archive_path) as archive:
            for name in archive.namelist():
                for named, version in _versions(json.loads(archive.read(name))):
                    if named in compiled and len(found[named]) < _VERSIONS_A_NAME:
                        found[named][version] = None
    return {
        named: versions
        for named, all_versions in found.items()
        if (versions := [one for one in all_versions if _is_version(named[0], one)])
    }


def _versions(record: Mapping[str, Any]) -> Iterator[tuple[Name, str]]:
    for affected in record.get("affected", ()):
        package = affected.get("package", {})
        named = (package.get("ecosystem", ""), package.get("name", ""))
        if named[0].partition(":")[0] in _TYPES:
            yield from ((named, version) for version in affected.get("versions", ()))
            ranges = (one for one in affected.get("ranges", ()) if one["type"] != "GIT")
            yield from (
                (named, version) for one in ranges for event in one["events"] for version in event.values() if version not in {"0", "*"}
            )


def _is_version(ecosystem: str, version: str) -> bool:
    try:
        sort_key(ecosystem, version)
    except InvalidVersion:
        return False
    return True


def _draw(names: Mapping[Name, Sequence[str]]) -> list[Package]:
    chance = random.Random(_SEED)
    pairs = sorted(names)
    known = int(PACKAGES * _KNOWN)
    drawn = {(named, chance.choice(names[named])) for named in chance.choices(pairs, k=known * 4)}  # some come twice
    packages = [_package(ecosystem, name, version) for (ecosystem, name), version in chance.sample(sorted(drawn), known)]
    for number in range(PACKAGES - known):
        ecosystem, _ = named = chance.choice(pairs)
        packages.append(_package(ecosystem, f"unknown-{number}", chance.choice(names[named])))
    chance.shuffle(packages)
    return packages


def _package(ecosystem: str, name: str, version: str) -> Package:
    kind = _TYPES[ecosystem.partition(":")[0]]
    namespace, _, own = name.rpartition(":" if kind == "maven" else "/")
    return Package(type=kind, namespace=namespace, name=own, version=version, ecosystem=ecosystem)


def _measure_scans(database: Path, folder: Path, rounds: int) -> list[Goal]:
    sbom, contenders = prepare_sbom(prepare_images()), prepare_contenders()
    scan = [
        PRATIQUE,
        "scan",
        "--no-cache",
        "--advisories",
        str(database),
        "--format",
        "json",
        "-o",
        str(folder / "report.json"),
        f"sbom:{sbom}",
    ]
    commands = {
        _FLOOR: Command(arguments=[sys.executable, "-c", _PARSE, str(sbom)]),
        _SCAN: Command(arguments=scan, statuses=_STATUSES),
        _TRIVY: trivy_sbom(contenders, prepare_trivy_state(contenders), sbom, folder / "trivy.json"),
    }
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            done = run(command.arguments, command.environment)
            if done.status not in command.statuses:
                sys.exit(f"{name} ended with {done.status}")
            if turn:
                runs[name].append((done.seconds, done.cpu_seconds, done.others))
    memory = {name: sample_memory(command.arguments, command.environment) for name, command in commands.items()}
    _print_scans(sbom, runs, memory)
    seconds = {name: statistics.median(one[0] for one in own) for name, own in runs.items()}
    return [
        Goal(text="scan sbom: times faster than trivy sbom", value=seconds[_TRIVY] / seconds[_SCAN], limit=3, is_least=True),
    ]


def _print_scans(sbom: Path, runs: Mapping[str, Sequence[tuple[float, float, float]]], memory: Mapping[str, Memory]) -> None:
    count = len(json.loads(sbom.read_bytes())["components"])
    print(f"\na bill of {count:,} components, {sbom.stat().st_size / _MIB:.1f} MiB")
    print(f"{'seconds':28}{'median':>8}{'least':>8}{'most':>8}{'CPU':>8}{'ratio':>8}{'others':>8}{'RSS MiB':>9}")
    floor = statistics.median(one[0] for one in runs[_FLOOR])
    for name, own in runs.items():
        seconds, cpu, others = (statistics.median(values) for values in zip(*own, strict=True))
        times = [one[0] for one in own]
        print(
            f"{name:28}{seconds:8.2f}{min(times):8.2f}{max(times):8.2f}{cpu:8.2f}{seconds / floor:8.2f}{others:8.2f}{memory[name].rss / _MIB:9.0f}"
        )
    busy = statistics.median(one[2] for own in runs.values() for one in own)
    if busy > QUIET:
        print(f"no verdict: other processes used {busy:.2f} cores meanwhile")


def _print_goals(goals: Sequence[Goal]) -> None:
    print(f"\n{'promise':44}{'goal':>14}{'measured':>16}")
    for goal in goals:
        told = f"{'≥' if goal.is_least else '≤'} {goal.limit:,.10g}{goal.unit}"
        print(f"{goal.text:44}{told:>14}{f'{goal.value:,.4g}{goal.unit}':>16}  {'met' if goal.is_met else 'MISSED'}")


if __name__ == "__main__":
    main()
