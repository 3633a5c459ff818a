"""Reading local files off the event loop, and the errors that means."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pratique.errors import DigestMismatch, LimitExceeded, MissingError, RefusedError, RegistryUnavailable
from pratique.oci.manifest import Descriptor

CHUNK = 1024 * 1024  # bytes read at once: one hop to a thread each


@contextmanager
def translated_files(path: Path) -> Iterator[None]:
    """Turn what the operating system raises for a file into MissingError, RefusedError or RegistryUnavailable."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise MissingError(f"{error.filename or path}: {error.strerror}") from error
    except PermissionError as error:
        raise RefusedError(f"{error.filename or path}: {error.strerror}") from error
    except OSError as error:
        raise RegistryUnavailable(f"{error.filename or path}: {error.strerror}") from error


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. A pipe or device in its place would block or never end.

    Raises MissingError, RefusedError, RegistryUnavailable.
    """
    with translated_files(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise MissingError(f"{path}: expected a regular file")
        return os.fdopen(descriptor, "rb", buffering=0)


def read_file(path: Path, limit: int) -> bytes:
    """Read a small file whole.

    Raises LimitExceeded, and what `open_regular` raises.
    """
    with open_regular(path) as file, translated_files(path):
        content = file.read(limit + 1)
    if len(content) > limit:
        raise LimitExceeded(f"{path}: more than {limit} bytes")
    return content


async def stream_range(path: Path, start: int, descriptor: Descriptor) -> AsyncIterator[bytes]:
    """Stream the `descriptor.size` bytes of a file from `start` on, in chunks of 1 MiB, reading in threads.

    Raises DigestMismatch where the file ends before, and what `open_regular` raises.
    """
    file = await asyncio.to_thread(open_regular, path)
    try:
        offset, left = start, descriptor.size
        while left:
            with translated_files(path):
                chunk = await asyncio.to_thread(os.pread, file.fileno(), min(CHUNK, left), offset)
            if not chunk:
                raise DigestMismatch(f"{path}: {left} of {descriptor.size} bytes of {descriptor.digest} are missing")
            offset += len(chunk)
            left -= len(chunk)
            yield chunk
    finally:
        file.close()


def check_limit(descriptor: Descriptor, limit: int) -> None:
    """Raise LimitExceeded where a blob says to be larger than `limit` bytes."""
    if descriptor.size > limit:
        raise LimitExceeded(f"blob {descriptor.digest} of {descriptor.size} bytes; the limit is {limit}")
