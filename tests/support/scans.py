"""`pratique scan` as a process of its own: what it says, how long it takes, how much memory it and its workers take."""

from __future__ import annotations

import contextlib
import functools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from pratique.reports.json import SCHEMA_PATH

PRATIQUE = (sys.executable, "-m", "pratique_services.cli")
_SAMPLE_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan that has ended. `peak_bytes` is the sum of what each of its processes took at most."""

    code: int
    output: str
    errors: str
    seconds: float
    peak_bytes: int

    @property
    def report(self) -> dict[str, Any]:
        """The JSON report, checked against its schema."""
        document: dict[str, Any] = json.loads(self.output, parse_constant=_refuse)
        _schema().validate(document)
        return document

    @property
    def reasons(self) -> str:
        """The reasons of all gaps, a line each."""
        return "\n".join(f"{item['name']}: {item['reason']}" for item in self.report["coverage"]["items"] if item["status"] != "complete")


def scan(target: str, advisories: Path, *options: str, timeout: float = 60) -> Scan:
    """Run `pratique scan TARGET --format json`. What still runs at the timeout (in seconds) is killed and fails the test."""
    command = [*PRATIQUE, "scan", target, "--format", "json", "--advisories", str(advisories), *options]
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        meter = _Meter(process.pid)
        try:
            output, errors = process.communicate(timeout=timeout)
        finally:
            process.kill()
            peak = meter.stop()
    return Scan(code=process.returncode, output=output, errors=errors, seconds=time.monotonic() - started, peak_bytes=peak)


class _Meter:
    """Samples the high-water mark (VmHWM, proc(5)) of a process and all below it; the kernel keeps the mark, so that few samples are enough."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._marks: dict[int, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._ended.set()
        self._thread.join()
        return sum(self._marks.values())

    def _sample(self) -> None:
        while True:
            for pid in _tree(self._pid):
                self._marks[pid] = max(self._marks.get(pid, 0), _high_water(pid))
            if self._ended.wait(_SAMPLE_SECONDS):
                return


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):  # it may end at any time
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))


def _high_water(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@functools.cache
def _schema() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA_PATH.read_bytes()))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
