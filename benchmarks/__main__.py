"""Measure pratique against its floor and its peers on the images of `benchmarks.image`, and print one table with what is promised.

Every number comes from whole processes, from their start to their end, with the images in a local docker-registry. The contenders take turns, so
that what else the machine does meets all of them. One run of each comes first and does not count. Memory is looked at in runs of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.advisories import prepare_advisories
from benchmarks.contenders import Command, prepare_contenders
from benchmarks.goals import QUIET, Measured, print_goals
from benchmarks.image import BenchmarkImages, prepare_images
from benchmarks.linear import LinearImage, prepare_linear
from benchmarks.processes import Memory, Run, run, sample_memory
from benchmarks.tasks import CHANGED_SBOM, FLOOR, REPOSITORY, SBOM, SCAN, SYFT, TRIVY, Bench, Task, tasks
from tests.support.images import ImageLayout, push
from tests.support.servers import DockerRegistry

_LAYER_ANSWER = re.compile(r'"GET \S+ HTTP/[0-9.]+" 200 (\d+)')
_COMPARED = (SBOM, SCAN, TRIVY, SYFT)
_PEAK_RUNS = {SBOM: 3, SCAN: 3}

Runs = Mapping[str, Sequence[Run]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure pratique against its floor and its peers.")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5; what is slow takes part in every second one")
    parser.add_argument(
        "--linear", action="store_true", help="measure images of 0.25 to 4 GB instead: does cost grow with size and no faster?"
    )
    parser.add_argument("--no-peers", action="store_true", help="leave Trivy and Syft out")
    options = parser.parse_args()
    images = prepare_images()
    database = prepare_advisories(images.packages, images.folder)
    with tempfile.TemporaryDirectory() as name, DockerRegistry(Path(name) / "registry") as registry:
        folder = Path(name)
        contenders = prepare_contenders()
        bench = Bench(host=registry.host, database=database, contenders=contenders, folder=folder, warm_cache=folder / "warm-cache")
        if options.linear:
            _measure_linear(bench, prepare_linear(images), options.rounds)
        else:
            _push(bench, (images.large, images.changed, images.small))
            _measure(bench, registry, images, options)


def _measure(bench: Bench, registry: DockerRegistry, images: BenchmarkImages, options: argparse.Namespace) -> None:
    _warm(bench)
    parts = [task for task in tasks(bench) if not (options.no_peers and task.name in {TRIVY, SYFT})]
    runs = _take_turns(parts, options.rounds)
    commands = {task.name: task.command for task in parts}
    print("looking at memory", flush=True)
    memory = {name: _peak(commands[name], _PEAK_RUNS.get(name, 1)) for name in _COMPARED if name in commands}
    fetched = _fetched_bytes(registry, commands[CHANGED_SBOM])
    _print_image(images)
    _print_times(runs, memory)
    least = _manifest_bytes(images.changed) + images.changed_layer.compressed
    print_goals(Measured(seconds={name: _median(own) for name, own in runs.items()}, memory=memory, fetched=fetched, least_fetched=least))
    others = statistics.median(one.others for name in (FLOOR, SBOM) for one in runs[name])
    if others > QUIET:
        print(f"\nno verdict: other processes used {others:.2f} cores meanwhile")


def _push(bench: Bench, layouts: Iterable[ImageLayout]) -> None:
    print("pushing", flush=True)
    for layout in layouts:
        push(layout, f"{bench.host}/{REPOSITORY}:{layout.tag}")


def _warm(bench: Bench) -> None:
    """Let pratique see the large image, and keep its results: each run that needs them starts with a copy."""
    bench.warm_cache.mkdir()
    for command in (bench.sbom("large"), bench.scan("large")):
        arguments = [argument if argument != "--no-cache" else f"--cache-dir={bench.warm_cache}" for argument in command.arguments]
        done = run(arguments)
        if done.status not in command.statuses:
            sys.exit(f"{' '.join(arguments[:2])} ended with {done.status}")


def _take_turns(parts: Sequence[Task], rounds: int) -> Runs:
    runs: dict[str, list[Run]] = {task.name: [] for task in parts}
    for turn in range(rounds + 1):
        print(f"round {turn} of {rounds}" if turn else "warming up", flush=True)
        for task in parts:
            if turn and task.is_slow and not turn % 2:
                continue
            one = _run(task.name, task.command if turn else task.warm_up)
            if turn:
                runs[task.name].append(one)
    return runs


def _run(name: str, command: Command) -> Run:
    command.prepare()
    done = run(command.arguments, command.environment)
    if done.status not in command.statuses:
        sys.exit(f"{name} ended with {done.status}: {' '.join(command.arguments)}")
    return done


def _peak(command: Command, runs: int = 1) -> Memory:
    """The largest of some runs: which layers are read at the same time differs, and with it the peak."""
    seen = []
    for _ in range(runs):
        command.prepare()
        seen.append(sample_memory(command.arguments, command.environment))
    return Memory(rss=max(one.rss for one in seen), pss=max(one.pss for one in seen))


def _fetched_bytes(registry: DockerRegistry, command: Command) -> int:
    """Run a command, and count the bytes of all bodies that the registry's access log says it got."""
    registry.clear()
    _run("counting", command)
    log = (registry.folder / "access.log").read_text()
    return sum(map(int, _LAYER_ANSWER.findall(log)))


def _manifest_bytes(layout: ImageLayout) -> int:
    """Sizes of an image's manifest and config."""
    named = next(
        entry
        for entry in json.loads((layout.folder / "index.json").read_text())["manifests"]
        if entry["annotations"]["org.opencontainers.image.ref.name"] == layout.tag
    )
    manifest = json.loads((layout.folder / "blobs" / named["digest"].replace(":", "/")).read_text())
    size: int = named["size"] + manifest["config"]["size"]
    return size


def _measure_linear(bench: Bench, images: Sequence[LinearImage], rounds: int) -> None:
    _push(bench, (image.layout for image in images))
    print(f"\n{'GB':>6}{'layers':>8}{'floor':>8}{'sbom':>8}{'CPU':>8}{'ratio':>8}{'s per GB':>10}{'RSS MiB':>9}{'others':>8}")
    for image in images:
        tag = image.layout.tag
        floor, sbom = bench.floor(tag, 1), bench.sbom(tag)
        _run(SBOM, sbom)
        pairs = [(_run(FLOOR, floor), _run(SBOM, sbom)) for _ in range(rounds)]
        least, own = _median([pair[0] for pair in pairs]), _median([pair[1] for pair in pairs])
        cpu, others = (statistics.median(values) for values in zip(*((one.cpu_seconds, one.others) for _, one in pairs), strict=True))
        size = image.bytes_uncompressed / 1e9
        memory = _peak(sbom, _PEAK_RUNS[SBOM]).rss / 1024**2
        print(
            f"{size:6.2f}{len(image.layers):8}{least:8.2f}{own:8.2f}{cpu:8.2f}{own / least:8.2f}{own / size:10.2f}{memory:9.0f}{others:8.2f}",
            flush=True,
        )


def _print_image(images: BenchmarkImages) -> None:
    print(
        f"\n{images.bytes_uncompressed / 1e9:.2f} GB uncompressed, {images.bytes_compressed / 1e9:.2f} GB of gzip -6, {len(images.layers)} layers, "
        f"{images.files:,} files, {len(images.packages)} Debian packages; {os.cpu_count()} cores\n"
    )


def _print_times(runs: Runs, memory: Mapping[str, Memory]) -> None:
    print(f"{'seconds':26}{'median':>8}{'least':>8}{'most':>8}{'CPU':>8}{'ratio':>8}{'others':>8}{'RSS MiB':>9}{'PSS MiB':>9}")
    floor = _median(runs[FLOOR])
    for name, own in runs.items():
        times = [one.seconds for one in own]
        cpu, others = (statistics.median(values) for values in ([one.cpu_seconds for one in own], [one.others for one in own]))
        sizes = "".join(f"{size / 1024**2:9.0f}" for size in (memory[name].rss, memory[name].pss)) if name in memory else ""
        row = (
            f"{name:26}{statistics.median(times):8.2f}{min(times):8.2f}{max(times):8.2f}{cpu:8.2f}{_median(own) / floor:8.2f}{others:8.2f}"
        )
        print(row + sizes)


def _median(runs: Sequence[Run]) -> float:
    return statistics.median(one.seconds for one in runs)


if __name__ == "__main__":
    main()
