"""Measure what it takes to bring a whole fleet to newer advisories: from a compiled database to the last finding, transition and outbox row committed.

    python -m benchmarks.fleet [--images 10000,30000,100000] [--rounds 3] [--profile FOLDER]

1. A fleet of each size is made in a PostgreSQL of its own, once, and kept under `.cache/benchmark-fleet` (`benchmarks/fleet/preparing.py`).
2. Each round copies the database, gives the copy to a process that does what the advisor does (`Fleet.adopt`), and takes that process' times and counts. The change of
   advisories is the same for all sizes: CHANGES records, EXPLOITED known exploited CVEs (`benchmarks/fleet/publishing.py`).
3. One more round explains every statement before it runs. A plan that reads a large table from beginning to end ends the program with 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.fleet.adopting import COMPARE, JUDGE, MATCH, ORDER, REST
from benchmarks.fleet.preparing import BASE, PreparedFleet, prepare_fleet
from benchmarks.fleet.publishing import CHANGES, EXPLOITED
from benchmarks.fleet.server import RUNNING, KeptPostgreSQL
from benchmarks.fleet.statements import LARGE_TABLES

_GOAL_SECONDS, _GOAL_IMAGES = 10.0, 100_000
_COPY = "run"
_TIMEOUT = 1800
_LEAST_PLANNED = 10_000  # images: in a smaller fleet, tables are so small that reading them whole is the best plan
_SETTINGS = (
    "server_version",
    "shared_buffers",
    "work_mem",
    "effective_cache_size",
    "fsync",
    "synchronous_commit",
    "max_wal_size",
    "jit",
    "random_page_cost",
)
_COUNTS = ("touched", "matched", "written", "events", "ordered", "decisions", "actions", "outbox", "left")

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to measure. `profiles` is a folder."""

    rounds: int
    settings: Mapping[str, str]
    profiles: Path | None
    is_cold: bool


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__.partition("\n")[0])
    parser.add_argument("--images", default="10000,30000,100000", help="sizes of fleets, with commas (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count for each size (default: %(default)s)")
    parser.add_argument("--profile", type=Path, help="a folder for Python's profile of one more round of each size")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of PostgreSQL; may be repeated")
    parser.add_argument("--cold", action="store_true", help="leave it to the runs to read the database from disk")
    options = parser.parse_args()
    plan = Plan(
        rounds=options.rounds,
        settings={**RUNNING, **dict(one.split("=", 1) for one in options.set)},
        profiles=options.profile,
        is_cold=options.cold,
    )
    if options.profile is not None:
        options.profile.mkdir(parents=True, exist_ok=True)
    sizes = [int(size) for size in options.images.split(",")]
    measured = [asyncio.run(_measure(size, plan)) for size in sizes]
    _print_table([(fleet, results) for fleet, results, _ in measured])
    for fleet, results, _ in measured:
        _print_statements(fleet, results[-1])
    scanned = [line for fleet, _, explained in measured for line in _print_plans(fleet, explained)]
    if scanned:
        sys.exit("\n".join(["", "plans that read a large table from beginning to end:", *scanned]))


async def _measure(size: int, plan: Plan) -> tuple[PreparedFleet, Sequence[Result], Result]:
    fleet = await prepare_fleet(size)
    server = KeptPostgreSQL(fleet.folder, plan.settings).start()
    try:
        await _print_settings(server, fleet)
        results = []
        for number in range(plan.rounds):
            results.append(await _adopt(server, fleet, is_warm=not plan.is_cold))
            print(f"{size:,} images, round {number + 1} of {plan.rounds}: {results[-1]['seconds']:.2f} s", flush=True)
        print(f"pratique's connections set {', '.join(results[-1]['settings']) or 'nothing'}")
        if plan.profiles is not None:
            await _adopt(server, fleet, "--profile", str(plan.profiles / f"{size}.prof"))
        explained = await _adopt(server, fleet, "--explain")
        await server.execute(f"DROP DATABASE {_COPY}")
    finally:
        server.stop()
    return fleet, results, explained


async def _adopt(server: KeptPostgreSQL, fleet: PreparedFleet, *options: str, is_warm: bool = True) -> Result:
    """Copy the fleet and run the process that is measured on it. `is_warm`: the kernel has the copy's files in memory, as on a server that has enough of it."""
    await server.execute(f"DROP DATABASE IF EXISTS {_COPY}")
    await server.execute(f"CREATE DATABASE {_COPY} TEMPLATE {BASE} STRATEGY file_copy")
    await server.execute("CHECKPOINT")
    if is_warm:
        await server.warm(_COPY)
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder) / "advisories.sqlite"
        shutil.copyfile(fleet.databases.new, new)
        shutil.copyfile(fleet.databases.old, new.with_name(f"{new.name}.applied"))
        command = [sys.executable, "-m", "benchmarks.fleet.adopting", server.database_url(_COPY), str(new), *options]
        done = await asyncio.to_thread(
            subprocess.run, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=_TIMEOUT, check=False
        )
    if done.returncode:
        raise SystemExit(f"adopting ended with {done.returncode}:\n{done.stderr.decode()[-4000:]}")
    result: Result = json.loads(done.stdout)
    if result["touched"] < 0 or result["left"]:
        raise SystemExit("the databases were not compared, or something is left to judge: nothing was measured")
    return result


async def _print_settings(server: KeptPostgreSQL, fleet: PreparedFleet) -> None:
    connection = await server.connect(BASE)
    told = [f"{name}={await connection.fetchval('SELECT current_setting($1)', name)}" for name in _SETTINGS]
    await connection.close()
    rows = fleet.rows
    print(
        f"\n{fleet.size:,} images: {rows['package']:,} distinct packages, {rows['image_package']:,} rows of packages in images, "
        f"{rows['package_advisory']:,} matches, {rows['repository']:,} repositories, {rows['tag']:,} tags; {fleet.bytes / 1024**3:.1f} GiB\n"
        f"PostgreSQL {', '.join(told)}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}",
        flush=True,
    )


def _print_table(measured: Sequence[tuple[PreparedFleet, Sequence[Result]]]) -> None:
    """One column a fleet: medians of seconds, and counts, which are the same in every round."""
    print(f"\n{CHANGES:,} advisories changed, {EXPLOITED} newly exploited")
    print(f"{'images':34}" + "".join(f"{fleet.size:>12,}" for fleet, _ in measured))
    for title, row in _rows([results for _, results in measured]):
        print(f"{title:34}" + "".join(f"{cell:>12}" for cell in row))
    for fleet, results in measured:
        if fleet.size == _GOAL_IMAGES:
            seconds = _median(results, "seconds")
            print(
                f"\ngoal: at most {_GOAL_SECONDS:g} s at {_GOAL_IMAGES:,} images: {seconds:.1f} s, {'met' if seconds <= _GOAL_SECONDS else 'MISSED'}"
            )


def _rows(measured: Sequence[Sequence[Result]]) -> Iterable[tuple[str, list[str]]]:
    yield "seconds, median", [f"{_median(results, 'seconds'):.2f}" for results in measured]
    yield "  least", [f"{min(one['seconds'] for one in results):.2f}" for results in measured]
    yield "  most", [f"{max(one['seconds'] for one in results):.2f}" for results in measured]
    for phase in (COMPARE, MATCH, ORDER, JUDGE, REST):
        yield f"  of it: {phase}", [f"{statistics.median(one['phases'].get(phase, 0) for one in results):.2f}" for results in measured]
    yield "  answers of PostgreSQL", [f"{_median(results, 'asked_seconds'):.2f}" for results in measured]
    yield "  processor time, own", [f"{_median(results, 'cpu_seconds'):.2f}" for results in measured]
    yield "peak memory, own, MiB", [f"{max(one['rss'] for one in results) / 1024**2:.0f}" for results in measured]
    titles = {
        "touched": "names that advisories changed for",
        "matched": "packages matched again",
        "written": "matches changed",
        "events": "events",
        "ordered": "images ordered to be judged",
        "decisions": "decisions",
        "actions": "planned actions",
        "outbox": "outbox rows",
        "left": "left to judge",
    }
    for name in _COUNTS:
        yield titles[name], [f"{results[-1][name]:,}" for results in measured]
    yield "ms an image judged", [f"{1000 * _median(results, 'seconds') / max(1, results[-1]['ordered']):.2f}" for results in measured]


def _print_statements(fleet: PreparedFleet, result: Result) -> None:
    """Print what took PostgreSQL longest, with the way there and back."""
    print(f"\nstatements that took longest at {fleet.size:,} images: seconds, calls")
    for one in result["statements"]:
        print(f"{one['seconds']:8.2f}{one['calls']:6}  {one['text'][:150]}")


def _median(results: Sequence[Result], name: str) -> float:
    return statistics.median(one[name] for one in results)


def _print_plans(fleet: PreparedFleet, explained: Result) -> list[str]:
    """Print how each statement is planned; answer those that should not be."""
    print(f"\nstatements at {fleet.size:,} images: calls and how tables are read")
    scanned = []
    for one in explained["statements"]:
        if not one["plan"]:
            continue
        print(f"{one['calls']:6} {one['phase']:16} {one['text'][:110]}\n{'':24}{one['steps']}")
        if one["sequential"]:
            print("\n".join(f"{'':28}{line}" for line in one["plan"]))
            scanned.append(f"{fleet.size:,} images: {', '.join(one['sequential'])}: {one['text'][:200]}")
    print(f"{len(explained['statements'])} statements; {len(scanned)} read one of {', '.join(sorted(LARGE_TABLES))} from beginning to end")
    if fleet.size < _LEAST_PLANNED:
        print("in a fleet as small as this one, that is the best plan: no verdict")
        return []
    return scanned


if __name__ == "__main__":
    main()
