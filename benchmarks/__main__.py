"""Measure `pratique scan` against its floor on the image of `benchmarks.image`, and print ratios.

Every number comes from whole processes, from their start to their end, with the image in a local docker-registry. The contenders take turns, so
that what else the machine does meets all of them. One run of each comes first and does not count. Memory is looked at in runs of its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.advisories import prepare_advisories
from benchmarks.image import BenchmarkImages, prepare_images
from benchmarks.processes import Memory, Run, run, sample_memory
from tests.support.images import push
from tests.support.servers import DockerRegistry

MAX_RATIO = 2.0
MAX_MEMORY = 400 * 1024**2
QUIET = 0.15  # cores that others may use before a verdict would be about them
_REPOSITORY = "benchmark/image"
_FLOOR, _PARALLEL, _SCAN, _SMALL, _VERSION = (
    "floor, one thread",
    "floor, parallel",
    "pratique scan",
    "scan of the small image",
    "pratique --version",
)

Runs = Mapping[str, Sequence[Run]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure pratique scan against its floor.")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    rounds = parser.parse_args().rounds
    images = prepare_images()
    database = prepare_advisories(images.packages, images.folder)
    with tempfile.TemporaryDirectory() as folder, DockerRegistry(Path(folder) / "registry") as registry:
        for layout in (images.large, images.small):
            push(layout, f"{registry.host}/{_REPOSITORY}:{layout.tag}")
        commands = _commands(registry.host, database, Path(folder) / "report.json")
        runs = _take_turns(commands, rounds)
        memory = [sample_memory(commands[_SCAN]) for _ in range(2)]
    _print_image(images)
    _print_times(runs)
    _print_verdict(runs, Memory(rss=max(one.rss for one in memory), pss=max(one.pss for one in memory)))


def _commands(host: str, database: Path, report: Path) -> Mapping[str, Sequence[str]]:
    pratique = [str(Path(sys.executable).with_name("pratique"))]
    scan = [*pratique, "scan", "--no-cache", "--plain-http", "--format", "json", "--advisories", str(database), "-o", str(report)]
    floor = [sys.executable, "-m", "benchmarks.floor", host, _REPOSITORY, "large"]
    return {
        _FLOOR: [*floor, "1"],
        _PARALLEL: [*floor, str(os.cpu_count() or 1)],
        _SCAN: [*scan, f"{host}/{_REPOSITORY}:large"],
        _SMALL: [*scan, f"{host}/{_REPOSITORY}:small"],
        _VERSION: [*pratique, "--version"],
    }


def _take_turns(commands: Mapping[str, Sequence[str]], rounds: int) -> Runs:
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        print(f"round {turn} of {rounds}" if turn else "warming up", flush=True)
        for name, command in commands.items():
            one = run(command)
            if one.status:  # a scan that ends with 0 has read everything
                sys.exit(f"{name} ended with {one.status}: {' '.join(command)}")
            if turn:
                runs[name].append(one)
    return runs


def _print_image(images: BenchmarkImages) -> None:
    print(
        f"\n{images.bytes_uncompressed / 1e9:.2f} GB uncompressed, {images.bytes_compressed / 1e9:.2f} GB of gzip -6, {images.layers} layers, "
        f"{images.files:,} files, {len(images.packages)} Debian packages; {os.cpu_count()} cores\n"
    )


def _print_times(runs: Runs) -> None:
    print(f"{'seconds':26}{'median':>8}{'least':>8}{'most':>8}{'CPU':>8}{'ratio':>8}{'others':>8}")
    floor = _median(runs[_FLOOR])
    for name, own in runs.items():
        times = [one.seconds for one in own]
        cpu, others = (statistics.median(values) for values in ([one.cpu_seconds for one in own], [one.others for one in own]))
        ratio = f"{_median(own) / floor:8.2f}" if name in {_FLOOR, _PARALLEL, _SCAN} else " " * 8
        print(f"{name:26}{statistics.median(times):8.2f}{min(times):8.2f}{max(times):8.2f}{cpu:8.2f}{ratio}{others:8.2f}")


def _print_verdict(runs: Runs, memory: Memory) -> None:
    ratio = _median(runs[_SCAN]) / _median(runs[_FLOOR])
    least = min(one.seconds for one in runs[_SCAN]) / min(one.seconds for one in runs[_FLOOR])
    cpu = statistics.median(one.cpu_seconds for one in runs[_SCAN]) / statistics.median(one.cpu_seconds for one in runs[_FLOOR])
    others = statistics.median(one.others for name in (_FLOOR, _SCAN) for one in runs[name])
    print(f"\ntime against the floor: {ratio:.2f} (of the least times {least:.2f}, of CPU time {cpu:.2f}); goal: at most {MAX_RATIO}")
    print(
        f"peak memory of all processes: RSS {memory.rss / 1024**2:.0f} MiB, PSS {memory.pss / 1024**2:.0f} MiB; goal: at most {MAX_MEMORY // 1024**2}"
    )
    if others > QUIET:
        print(f"no verdict: other processes used {others:.2f} cores meanwhile")
    else:
        print("verdict:", "met" if ratio <= MAX_RATIO and memory.rss <= MAX_MEMORY else "MISSED")


def _median(runs: Sequence[Run]) -> float:
    return statistics.median(one.seconds for one in runs)


if __name__ == "__main__":
    main()
