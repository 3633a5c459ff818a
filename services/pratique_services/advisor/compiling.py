"""Compiles a mirror in a child process and puts the result in its place.

What the mirror holds came from outside, and compiling it takes a core for minutes: the child has its own memory, no secrets, and gives way to everything else.
The compiled file is written to a folder beside its place, opened and compared with what the child answered, and only then moved there. A folder that a
killed process left is removed by the next run; the caller holds the mirror's lock, so that there is one run at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import DatabaseUnavailable, InputError, InvalidAdvisory, LimitExceeded, PratiqueError, UnavailableError
from pratique.feeds.folder import publish
from pratique.runtime.children import child_environment

_WORKER = "pratique_services.advisor.compile_worker"
_MODE = 0o444  # it is replaced, never written
_MAX_MESSAGE = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileLimits:
    """What a compilation may take: `seconds` until it is killed, `memory_bytes` of address space, `disk_bytes` a file.

    A mirror of OSV takes some 100 MB; vendors' archives may ask for windows of 128 MiB to be unpacked, and hold documents of 64 MiB.
    """

    seconds: float = 2 * 3600
    memory_bytes: int = 2 * 1024**3
    disk_bytes: int = 16 * 1024**3


class CompileAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the child answers: what it compiled, or the name of an error and its message. `skipped` counts records by feed."""

    digest: str = ""
    bytes: int = 0
    advisories: int = 0
    affected: int = 0
    skipped: dict[str, int] = {}
    error: str = ""
    message: str = ""


_ERRORS: dict[str, type[PratiqueError]] = {
    kind.__name__: kind for kind in (InputError, InvalidAdvisory, LimitExceeded, UnavailableError, DatabaseUnavailable)
}
# At import: msgspec resolves a type at its first use, and two threads that do so at once crash the interpreter.
_ANSWER = msgspec.json.Decoder(CompileAnswer)


async def compile_mirror(mirror: Path, target: Path, *, limits: CompileLimits | None = None) -> CompileAnswer:
    """Compile a mirror, whose lock the caller holds, into `target`: that is replaced at once, or stays as it is.

    Raises InvalidAdvisory and LimitExceeded for what the mirror holds, UnavailableError when the child died or the file cannot be written.
    """
    work = target.with_name(f".{target.name}.sync")
    await asyncio.to_thread(_make_afresh, work)
    try:
        answer = await _ask_child(mirror, work, limits or CompileLimits())
        if answer.error:
            raise _ERRORS.get(answer.error, UnavailableError)(answer.message[:_MAX_MESSAGE])
        await asyncio.to_thread(_adopt, work / target.name, target, answer)
        return answer
    finally:
        shutil.rmtree(work, ignore_errors=True)


async def _ask_child(mirror: Path, work: Path, limits: CompileLimits) -> CompileAnswer:
    output = work / work.name.removeprefix(".").removesuffix(".sync")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", _WORKER, str(os.getpid()), str(limits.memory_bytes), str(limits.disk_bytes)),
        *(str(mirror), str(output)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env=child_environment(SQLITE_TMPDIR=str(work)),  # what it sorts is as large as the file itself
    )
    try:
        async with asyncio.timeout(limits.seconds):
            output_bytes, _ = await process.communicate()
    except TimeoutError as error:
        raise LimitExceeded(f"compiling took more than {limits.seconds:g} s and was given up") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        return _ANSWER.decode(output_bytes)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnavailableError(f"the compiler ended with status {process.returncode} and no answer") from error


def _make_afresh(work: Path) -> None:
    with _translated(work):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()


def _adopt(compiled: Path, target: Path, answer: CompileAnswer) -> None:
    with AdvisoryDatabase.open(compiled) as database:
        if str(database.digest) != answer.digest:
            raise UnavailableError(f"expected the compiled file to be {answer.digest}, it is {database.digest}")
    with _translated(target):
        publish(compiled, target, mode=_MODE)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatabaseUnavailable(f"{path} cannot be written: {error.strerror or error}") from error
