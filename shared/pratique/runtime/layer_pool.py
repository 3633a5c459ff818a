"""Child processes that read layers, one layer a child at a time, as many at once as there are cores.

A child is started when a layer needs one (or ahead of the first, by `prepare`), and killed when it does not answer in time, when its layer is cancelled,
or when it dies; the next layer gets a fresh one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Self

import msgspec

from pratique.errors import LimitExceeded, UnavailableError
from pratique.inventory.layer_result import LayerResult
from pratique.inventory.limits import LayerLimits
from pratique.oci.manifest import Layer
from pratique.runtime.children import child_environment
from pratique.runtime.layer_protocol import ANSWER_DECODER, ENCODER, ERRORS, HEADER, MAX_ANSWER_BYTES, PIPE_BYTES, Answer, Job

ANALYZERS = "pratique.inventory.analyzers._every:ANALYZERS"
"""Where children find their analyzers."""

_EXIT_SECONDS = 5.0  # for a child whose pipe was closed
_FRAME_BYTES = 1024 * 1024  # of a blob, written at once: fewer turns of the event loop, still little memory
_MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(2**27), "MALLOC_TRIM_THRESHOLD_": str(2**27)}
"""For mallopt(3). One arena, because each of the threads' own would reserve 128 MiB of address space. Bodies of files come from one heap that is kept from file
to file: mapping fresh memory for each costs four times the page faults, and a fifth more memory."""


class LayerPool:
    """Reads layers in child processes. Safe to use from many tasks of one event loop; `analyzers` is `module:name` of a tuple."""

    def __init__(self, *, workers: int | None = None, limits: LayerLimits | None = None, analyzers: str = ANALYZERS) -> None:
        self._limits = limits or LayerLimits()
        self._analyzers = analyzers
        self._turns = asyncio.Semaphore(workers or os.cpu_count() or 1)
        self._idle: list[_Child] = []
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def prepare(self) -> None:
        """Start a child for the layer that will come: the interpreter takes a tenth of a second, in which the caller has other things to do."""
        self._idle.append(await _Child.start(self._analyzers))

    async def scan(self, layer: Layer, stream: Callable[[], AsyncIterator[bytes]], *, compares_contents: bool = False) -> LayerResult:
        """Read one layer. `stream` is called for its bytes, once more if links need a second look. With `compares_contents` every file is hashed.

        Raises InvalidLayer, DigestMismatch, LimitExceeded, UnavailableError when a child died, and whatever `stream` raises.
        """
        async with self._turns:
            job = Job(layer=layer, limits=self._limits, compares_contents=compares_contents)
            answer = await self._look(job, stream)
            if answer.second_look:
                answer = await self._look(replace(job, second_look=answer.second_look), stream)
        if answer.error:
            raise ERRORS.get(answer.error, UnavailableError)(answer.message)
        if answer.result is None:
            raise UnavailableError("a layer worker answered nothing")
        return LayerResult.decode(answer.result)

    async def close(self) -> None:
        """End all idle children; one that still reads a layer ends after it. Idempotent."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(child.kill() for child in idle))  # they have nothing to lose, and would take their time to leave

    async def _look(self, job: Job, stream: Callable[[], AsyncIterator[bytes]]) -> Answer:
        if self._is_closed:
            raise UnavailableError("the layer pool is closed")
        child = await self._take_idle() or await _Child.start(self._analyzers)
        is_usable = False
        try:
            answer = await child.look(job, stream)
            is_usable = not answer.is_last and not self._is_closed
            return answer
        finally:
            if is_usable:
                self._idle.append(child)
            else:
                await child.kill()

    async def _take_idle(self) -> _Child | None:
        while self._idle:
            child = self._idle.pop()
            if child.is_alive:
                return child
            await child.kill()
        return None


class _ChildLeft(Exception):
    """The child closed its end of the pipe. Told apart from what the stream raises."""


class _Child:
    """One child process and the pipe to it."""

    def __init__(self, process: asyncio.subprocess.Process, pipe: int) -> None:
        self._process = process
        self._pipe = pipe
        self._limits = LayerLimits()  # of the job
        self._waiting = 0.0  # seconds left for the job

    @classmethod
    async def start(cls, analyzers: str) -> _Child:
        theirs, ours = os.pipe()
        try:
            with contextlib.suppress(OSError):  # above the user's pipe quota: slower, not wrong
                fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            os.set_blocking(ours, False)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "pratique.runtime.layer_worker", str(os.getpid()), analyzers),
                stdin=theirs,
                stdout=asyncio.subprocess.PIPE,
                env=child_environment(**_MALLOC),
                limit=PIPE_BYTES,
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return cls(process, ours)

    @property
    def is_alive(self) -> bool:
        """Tell whether the child has not ended, as far as is known."""
        return self._process.returncode is None

    async def look(self, job: Job, stream: Callable[[], AsyncIterator[bytes]]) -> Answer:
        """Have one job done. Afterwards the child waits for the next, unless this raised."""
        self._limits = job.limits
        self._waiting = job.limits.wait_seconds
        answer = asyncio.ensure_future(self._read_answer())
        try:
            with contextlib.suppress(_ChildLeft):  # perhaps after it answered: reading tells
                await self._send([ENCODER.encode(job)])
                await self._send_blob(stream(), answer)
                await self._send([])
            return await self._wait_for(answer)
        finally:
            answer.cancel()
            with contextlib.suppress(asyncio.CancelledError, asyncio.IncompleteReadError, msgspec.DecodeError):
                await answer

    async def kill(self) -> None:
        """End the child now."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._reap()

    async def stop(self) -> None:
        """End a child that is idle or leaving: it goes when its pipe is closed."""
        self._close_pipe()
        try:
            async with asyncio.timeout(_EXIT_SECONDS):
                await self._reap()
        except TimeoutError:
            await self.kill()

    async def _wait_for(self, answer: asyncio.Future[Answer]) -> Answer:
        async with self._patience():
            try:
                return await answer
            except (asyncio.IncompleteReadError, msgspec.DecodeError, UnicodeError) as error:
                raise await self._explain() from error

    async def _send_blob(self, chunks: AsyncIterator[bytes], answer: asyncio.Future[Answer]) -> None:
        frame: list[bytes] = []
        size = 0
        try:
            async for chunk in chunks:
                if answer.done():  # refused before the end
                    return
                frame.append(chunk)
                size += len(chunk)
                if size >= _FRAME_BYTES:
                    await self._send(frame)
                    frame, size = [], 0
                    await asyncio.sleep(0)  # a stream that never waits (a file) must not keep the answer, and everybody else, from the loop
            if size:
                await self._send(frame)
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    async def _read_answer(self) -> Answer:
        output = self._process.stdout
        if output is None:
            raise msgspec.DecodeError("no pipe to read an answer from")
        size = HEADER.unpack(await output.readexactly(HEADER.size))[0]
        if size > MAX_ANSWER_BYTES:
            raise msgspec.DecodeError(f"answer of {size} bytes")
        return ANSWER_DECODER.decode(await output.readexactly(size))

    async def _send(self, parts: Sequence[bytes]) -> None:
        """Write a frame of these parts, waiting while the pipe is full: what the child cannot take yet is not fetched either."""
        left = [memoryview(part) for part in (HEADER.pack(sum(map(len, parts))), *parts) if part]
        while left:
            try:
                count = os.writev(self._pipe, left)
            except BlockingIOError:
                async with self._patience():
                    await self._writable()
                continue
            except BrokenPipeError as error:
                raise _ChildLeft from error
            while left and count >= len(left[0]):
                count -= len(left.pop(0))
            if left:
                left[0] = left[0][count:]

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_writer(self._pipe, _set, ready)
        try:
            await ready
        finally:
            loop.remove_writer(self._pipe)

    @contextlib.asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        """Wait for the child, against the job's budget. Waiting for the stream is not counted: a slow registry is no fault of the layer."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(self._waiting):
                yield
        except TimeoutError as error:
            raise LimitExceeded(f"layer took more than {self._limits.wait_seconds:.0f} s; its worker was killed") from error
        self._waiting -= loop.time() - started

    async def _explain(self) -> LimitExceeded | UnavailableError:
        """Say why the child is gone. Not by `kill`: sending a signal polls, and a poll that meets an ended child takes its status from asyncio's watcher."""
        await self.stop()
        code = self._process.returncode
        if code == -signal.SIGXCPU:
            return LimitExceeded(f"layer took more than {self._limits.stream.cpu_seconds:.0f} s of CPU time")
        return UnavailableError(f"a layer worker ended with status {code} and no answer")

    async def _reap(self) -> None:
        self._close_pipe()
        if self._process.stdout is not None:
            while await self._process.stdout.read(PIPE_BYTES):
                pass
        await self._process.wait()

    def _close_pipe(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
