"""The child process that reads layers: one job after the other, bounded by the kernel, with nothing to lose.

Its arguments are the parent's process id and where its analyzers are (`module:name`). It reads bytes that strangers made, so it has no secrets in its
environment, writes no file, and is killed by its parent, by the kernel's limits, or with its parent.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from pratique.errors import InputError, LimitExceeded
from pratique.inventory.analyzer import Analyzer, select_analyzers
from pratique.inventory.layer_pass import PassPlan, SecondLook, look_at_layer
from pratique.inventory.limits import LayerLimits
from pratique.runtime.children import bound_resource, die_with_parent
from pratique.runtime.layer_protocol import ENCODER, HEADER, JOB_DECODER, PIPE_BYTES, Answer, Job

_STACK_BYTES = 1024 * 1024  # of each thread: the default reserves 8 MiB of address space
_SWITCH_SECONDS = 0.0005  # threads here wait for C code to let go, not for Python: a tenth of the default lets the next stage start
_RECYCLE_RSS_BYTES = 128 * 1024**2  # a child that has not given memory back beyond this ends: a fresh one takes its place


class _Frames:
    """The pipe from the parent."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._left = 0  # of the current frame
        self._is_open = False  # inside a blob

    def read_job(self) -> Job | None:
        """Return the next job, None when the parent has closed the pipe."""
        header = self._read(HEADER.size)
        if len(header) < HEADER.size:
            return None
        job = JOB_DECODER.decode(self._read(HEADER.unpack(header)[0]))
        self._is_open = True
        return job

    def chunks(self) -> Iterator[bytes]:
        """Yield the blob as it comes, up to a pipe's fill at a time."""
        while self._is_open:
            if not self._left:
                self._next_frame()
                continue
            part = os.read(self._descriptor, min(self._left, PIPE_BYTES))
            if not part:
                raise EOFError("the parent has gone")
            self._left -= len(part)
            yield part

    def pass_rest(self) -> None:
        """Read what is left of the blob."""
        for _ in self.chunks():
            pass

    def _next_frame(self) -> None:
        self._left = HEADER.unpack(self._read(HEADER.size))[0]
        self._is_open = self._left > 0

    def _read(self, count: int) -> bytes:
        content = b""
        while len(content) < count and (part := os.read(self._descriptor, count - len(content))):
            content += part
        return content


def main(arguments: Sequence[str]) -> None:
    """Serve jobs from standard input on standard output until the parent closes the pipe."""
    parent, place = arguments
    die_with_parent(int(parent))
    answers = os.dup(1)
    os.dup2(2, 1)  # what a plug-in prints must not end up among the answers
    module, _, name = place.partition(":")
    analyzers: tuple[Analyzer, ...] = getattr(importlib.import_module(module), name)
    _bound_process()
    frames = _Frames(0)
    while (job := frames.read_job()) is not None:
        _bound(job.limits)
        answer = _look(job, frames.chunks(), analyzers)
        _write(answers, ENCODER.encode(answer))
        if answer.is_last:
            return
        frames.pass_rest()
        gc.collect()


def _look(job: Job, chunks: Iterator[bytes], analyzers: Sequence[Analyzer]) -> Answer:
    try:
        chosen = select_analyzers(analyzers, compares_contents=job.compares_contents)
        plan = PassPlan(analyzers=chosen, limits=job.limits, compares_contents=job.compares_contents)
        found = look_at_layer(job.layer, chunks, plan, second_look=job.second_look)
        if isinstance(found, SecondLook):
            return Answer(second_look=tuple(sorted(found.paths)))
        return Answer(result=found.encode(), is_last=_has_grown())
    except InputError as error:
        return Answer(error=type(error).__name__, message=str(error).encode("utf-8", "backslashreplace").decode())
    except MemoryError:
        pass  # answered below, when the traceback no longer holds what filled the memory
    message = f"layer needs more than {job.limits.memory_bytes} bytes of memory"
    return Answer(error=LimitExceeded.__name__, message=message, is_last=True)


def _has_grown() -> bool:
    """Tell from the process' own pages: `ru_maxrss` begins with the size of the parent, whatever the child does."""
    pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    return pages * resource.getpagesize() > _RECYCLE_RSS_BYTES


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(HEADER.pack(len(content)) + content)
    while view:
        view = view[os.write(descriptor, view) :]


def _bound(limits: LayerLimits) -> None:
    """Set the kernel's limits for the next job: memory, and CPU time on top of what was used before."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    # the pass itself notices first; this is for a parser that never returns
    bound_resource(resource.RLIMIT_CPU, used + int(limits.stream.cpu_seconds) + 1)
    bound_resource(resource.RLIMIT_AS, limits.memory_bytes)


def _bound_process() -> None:
    """Set what holds for every job. After the imports, so that the traceback of one that fails can be written."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the layer
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # nothing is written to disk
    threading.stack_size(_STACK_BYTES)
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # looking for cycles as often as by default takes 2 to 5 % of a layer's time


if __name__ == "__main__":
    main(sys.argv[1:])
