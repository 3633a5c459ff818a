"""Running a command and knowing what it took: wall-clock and CPU time, the memory of all its processes, and how busy the machine was with others."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.01
_TICK = os.sysconf("SC_CLK_TCK")
_KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a command. `cpu_seconds` is user and system time of all its processes; `others` how many cores were busy with anything else."""

    seconds: float
    cpu_seconds: float
    others: float
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The largest sums over all processes of one run, in bytes. `rss` counts a page once for each process that has it, `pss` once."""

    rss: int
    pss: int


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end, with more variables. What this process' other children do meanwhile (the registry) is not counted among `others`."""
    servers = list(_family(os.getpid()))
    busy, served = _busy_seconds(), _cpu_seconds(servers)
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    others = _busy_seconds() - busy - cpu - (_cpu_seconds(servers) - served)
    return Run(seconds=seconds, cpu_seconds=cpu, others=max(others, 0) / seconds, status=process.returncode)


def sample_memory(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Memory:
    """Run a command and look at its memory every 10 ms. Not for timing: looking costs the command time."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
    rss = pss = 0
    while process.poll() is None:
        family = list(_family(process.pid))
        sizes = [_sizes(one) for one in family]
        rss = max(rss, sum(size[0] for size in sizes))
        pss = max(pss, sum(size[1] for size in sizes))
        time.sleep(_SAMPLE_SECONDS)
    return Memory(rss=rss, pss=pss)


def _family(root: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield root
    for children in Path(f"/proc/{root}/task").glob("*/children"):
        with suppress(OSError):
            for child in children.read_text().split():
                yield from _family(int(child))


def _sizes(process: int) -> tuple[int, int]:
    """Resident and proportional size; nothing of a process that has just ended."""
    with suppress(OSError, KeyError):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields["Rss"].split()[0]) * _KIB, int(fields["Pss"].split()[0]) * _KIB
    return 0, 0


def _busy_seconds() -> float:
    """What all processes of the machine have used so far; not interrupts, which belong to nobody."""
    user, nice, system, *_ = map(int, Path("/proc/stat").read_text().partition("\n")[0].split()[1:])
    return (user + nice + system) / _TICK


def _cpu_seconds(processes: Sequence[int]) -> float:
    fields = [Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in processes]
    return sum(int(one[11]) + int(one[12]) for one in fields) / _TICK
