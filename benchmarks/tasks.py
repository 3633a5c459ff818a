"""The tasks that are timed, and what is promised of each."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import Command, Contenders

REPOSITORY = "benchmark/image"
FLOOR, PARALLEL = "floor, one thread", "floor, all cores"
SBOM, SCAN, TRIVY, SYFT = "pratique sbom", "pratique scan", "Trivy", "Syft"
CHANGED_SBOM, CHANGED_SCAN = "sbom, own code changed", "scan, own code changed"
KNOWN_SBOM, KNOWN_SCAN = "sbom, known digest", "scan, known digest"
SMALL, VERSION = "sbom, small image", "pratique --version"
_SCANNED = frozenset({0, 3})  # 3: the invented advisories leave some kinds of packages out, and pratique says so
PRATIQUE = str(Path(sys.executable).with_name("pratique"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A command that takes part in every round, or only in every second one; `warm_up` runs in its place before what counts."""

    name: str
    command: Command
    warm_up: Command
    is_slow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where the images are, the advisories, the peers, a folder for what is written, and one with what pratique keeps after it saw `large`."""

    host: str
    database: Path
    contenders: Contenders
    folder: Path
    warm_cache: Path

    def reference(self, tag: str) -> str:
        return f"{self.host}/{REPOSITORY}:{tag}"

    def sbom(self, tag: str, *cache: str) -> Command:
        """`cache` is what says where results are kept; nowhere without."""
        options = cache or ("--no-cache",)
        command = [PRATIQUE, "sbom", *options, "--plain-http", "-o", str(self.folder / "pratique.json"), self.reference(tag)]
        return Command(arguments=command, fresh=self._fresh(cache))

    def scan(self, tag: str, *cache: str) -> Command:
        options = [*(cache or ("--no-cache",)), "--plain-http", "--format", "json", "--advisories", str(self.database)]
        command = [PRATIQUE, "scan", *options, "-o", str(self.folder / "report.json"), self.reference(tag)]
        return Command(arguments=command, fresh=self._fresh(cache), statuses=_SCANNED)

    def floor(self, tag: str, threads: int) -> Command:
        return Command(arguments=[sys.executable, "-m", "benchmarks.floor", self.host, REPOSITORY, tag, str(threads)])

    def _fresh(self, cache: Iterable[str]) -> dict[Path, Path]:
        return {Path(folder): self.warm_cache for folder in cache if not folder.startswith("-")}

    def trivy(self, tag: str) -> Command:
        return self.contenders.run_trivy(self.reference(tag), self.folder / "trivy.json", self.folder / "trivy-state")

    def syft(self, tag: str) -> Command:
        return self.contenders.run_syft(self.reference(tag), self.folder / "syft.json")


def tasks(bench: Bench) -> Iterator[Task]:
    """All tasks in the order of a round."""
    warm = ("--cache-dir", str(bench.folder / "cache"))
    version = Command(arguments=[PRATIQUE, "--version"])
    alike = {
        FLOOR: bench.floor("large", 1),
        PARALLEL: bench.floor("large", os.cpu_count() or 1),
        SBOM: bench.sbom("large"),
        SCAN: bench.scan("large"),
        CHANGED_SBOM: bench.sbom("changed", *warm),
        CHANGED_SCAN: bench.scan("changed", *warm),
        KNOWN_SBOM: bench.sbom("large", *warm),
        KNOWN_SCAN: bench.scan("large", *warm),
        SMALL: bench.sbom("small"),
        VERSION: version,
    }
    yield from (Task(name=name, command=command, warm_up=command) for name, command in alike.items())
    yield Task(name=TRIVY, command=bench.trivy("large"), warm_up=bench.trivy("small"))
    yield Task(name=SYFT, command=bench.syft("large"), warm_up=bench.syft("small"), is_slow=True)
