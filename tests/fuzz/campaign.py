"""A fuzz run: one target after the other, each in a child process that may die of what it parses."""

from __future__ import annotations

import mmap
import os
import resource
import signal
import struct
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec

from tests.fuzz.trial import Finding, Input, Tally, Target, Trials

_MAX_DEATHS = 3  # children of one target that die before the next one's turn comes
_LENGTH = struct.Struct("<Q")
_SHARED_BYTES = 16 * 1024**2  # for the input that a child is working on


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """`seconds` are for all targets together; the same `seed` makes the same inputs, as far as the time goes.

    The kernel bounds each child: a scan worker has 512 MB of address space, some 90 of them taken before it parses; `cpu_seconds` are for one input.
    """

    seconds: float
    seed: int
    folder: Path = Path(".cache/fuzz")
    memory_bytes: int = 420 * 1024**2
    cpu_seconds: float = 20.0

    def run(self, targets: Sequence[Target]) -> Iterator[tuple[Target, Tally]]:
        """Give every target its share of the time; yield what came of it."""
        end = time.monotonic() + self.seconds
        for number, target in enumerate(targets):
            share = (end - time.monotonic()) / (len(targets) - number)
            yield target, self._try(target, max(share, self.seconds / len(targets) / 2))

    def _try(self, target: Target, seconds: float) -> Tally:
        """Run a child until the time is up. If it dies, that costs what it was working on, and the next one begins with other damage."""
        end = time.monotonic() + seconds
        deaths: list[Finding] = []
        tally = Tally()
        for number in range(_MAX_DEATHS):
            tally = self._run_child(target, end - time.monotonic(), Random(f"{self.seed}:{target.name}:{number}"))
            if tally.trials:
                break
            deaths += tally.findings
        return msgspec.structs.replace(tally, findings=list(dict.fromkeys([*deaths, *tally.findings])))

    def _run_child(self, target: Target, seconds: float, random: Random) -> Tally:
        current = mmap.mmap(-1, _SHARED_BYTES)

        def announce(case: Input) -> None:
            """Leave the input where the parent finds it, and let the kernel end this process if it takes too long."""
            raw = case.encode()
            current[: _LENGTH.size + len(raw)] = _LENGTH.pack(len(raw)) + raw
            signal.setitimer(signal.ITIMER_PROF, self.cpu_seconds)

        receiving, sending = os.pipe()
        child = os.fork()
        if not child:
            os.close(receiving)
            self._serve(Trials(target=target, random=random, folder=self.folder, announce=announce), seconds, sending)
        os.close(sending)
        with os.fdopen(receiving, "rb") as stream:
            answer = stream.read()
        _, status = os.waitpid(child, 0)
        if answer:
            return msgspec.msgpack.decode(answer, type=Tally)
        (length,) = _LENGTH.unpack(current[: _LENGTH.size])
        case = Input.decode(current[_LENGTH.size : _LENGTH.size + length])
        place = f"more than {self.cpu_seconds:.0f} s" if os.WTERMSIG(status) == signal.SIGPROF else f"status {status}"
        return Tally(findings=[Finding(target.name, "died", place, str(case.keep(self.folder / target.name)))])

    def _serve(self, trials: Trials, seconds: float, sending: int) -> None:
        """The child: tell the tally and end, whatever happens."""
        try:
            taken = int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (taken + self.memory_bytes, taken + self.memory_bytes))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.write(sending, msgspec.msgpack.encode(trials.run(seconds)))
        except BaseException:  # noqa: BLE001 # nothing of the child may run on in the code of its parent
            traceback.print_exc()
        finally:
            os._exit(0)
