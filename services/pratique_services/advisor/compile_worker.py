"""The child process that compiles a mirror, bounded by the kernel. Its arguments are its parent's process id, its limits in bytes (memory, each file), mirror and output.

It answers one JSON document on standard output.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pratique.advisories.compiler import compile_database
from pratique.errors import InputError, LimitExceeded, UnavailableError
from pratique.runtime.children import bound_resource, die_with_parent
from pratique_services.advisor.compiling import CompileAnswer

_NICENESS = 10  # scans on the same machine come first


def main(arguments: Sequence[str]) -> None:
    """Compile, and answer what came of it."""
    parent, memory_bytes, disk_bytes, mirror, output = arguments
    die_with_parent(int(parent))
    answers = os.dup(1)
    os.dup2(2, 1)  # nothing else ends up in the answer
    os.nice(_NICENESS)
    bound_resource(resource.RLIMIT_CORE, 0)
    bound_resource(resource.RLIMIT_FSIZE, int(disk_bytes))
    bound_resource(resource.RLIMIT_AS, int(memory_bytes))
    with os.fdopen(answers, "wb") as file:
        file.write(msgspec.json.encode(_compile(Path(mirror), Path(output), int(memory_bytes))))


def _compile(mirror: Path, output: Path, memory_bytes: int) -> CompileAnswer:
    try:
        report = compile_database(mirror, output)
    except (InputError, UnavailableError) as error:
        return CompileAnswer(error=type(error).__name__, message=str(error).encode("utf-8", "backslashreplace").decode())
    except MemoryError:
        pass  # answered below, when the traceback no longer holds what filled the memory
    else:
        return CompileAnswer(
            digest=str(report.digest),
            bytes=report.size,
            advisories=report.advisories,
            affected=report.affected,
            skipped={feed.name: feed.skipped for feed in report.feeds if feed.skipped},
        )
    return CompileAnswer(error=LimitExceeded.__name__, message=f"compiling the mirror needs more than {memory_bytes} bytes of memory")


if __name__ == "__main__":
    main(sys.argv[1:])
