"""Opens a feed's files: plain or compressed, never more than the limits allow, and errors of all libraries as ours."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from pratique.advisories.sources.source import SourceLimits
from pratique.errors import InvalidAdvisory, InvalidLayer, LimitExceeded
from pratique.oci.decompress import ChunkReader, open_tar, translated_errors

READ_BYTES = 256 * 1024
_XZ_MEMORY = 192 * 1024**2  # `xz -9` needs 65 MiB; a header can ask for gigabytes
_SMALL_BYTES = 64 * 1024**2  # below it a high ratio costs nothing


class Reader(Protocol):
    """Something that fills buffers."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill up to the whole buffer; 0 is the end."""
        ...


def list_files(folder: Path, suffixes: tuple[str, ...], limits: SourceLimits) -> list[Path]:
    """The regular files below `folder` with one of the suffixes, sorted by path; links are not followed.

    Raises LimitExceeded for more than `limits.files` or a file larger than `limits.file_bytes`, InvalidAdvisory for a folder that is not there.
    """
    if not folder.is_dir():
        raise InvalidAdvisory(f"expected the folder {folder.name} in the mirror, found none: fetch this feed first")
    found: list[Path] = []
    for path in folder.rglob("*"):
        if not path.name.endswith(suffixes) or path.is_symlink() or not path.is_file():
            continue
        found.append(path)
        if len(found) > limits.files:
            raise LimitExceeded(f"{folder.name} has more than {limits.files} files")
        if (size := path.stat().st_size) > limits.file_bytes:
            raise LimitExceeded(f"{path.name} has {size} bytes; the limit is {limits.file_bytes}")
    return sorted(found)


def read_whole(path: Path, limit: int) -> bytes:
    """The content of a plain file of up to `limit` bytes.

    Raises LimitExceeded, InvalidAdvisory.
    """
    with translated(path.name), path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise LimitExceeded(f"{path.name} has more than {limit} bytes")
    return content


def read_blocks(path: Path, limits: SourceLimits) -> Iterator[memoryview]:
    """Yield a file's content, decompressed as its first bytes ask for, in blocks of READ_BYTES but for the last. A block is gone when the next one is asked for.

    Raises InvalidAdvisory for a broken or truncated stream, LimitExceeded for a bomb.
    """
    with translated(path.name), path.open("rb") as file:
        size = path.stat().st_size
        buffer = bytearray(READ_BYTES)
        view = memoryview(buffer)
        reader = _open(file)
        total = 0
        while count := _fill(reader, view):
            total += count
            if total > limits.total_bytes:
                raise LimitExceeded(f"{path.name} expands to more than {limits.total_bytes} bytes")
            if total > _SMALL_BYTES and total > limits.ratio * size:
                raise LimitExceeded(f"{path.name} expands more than {limits.ratio} times")
            yield view[:count]


def _open(file: BinaryIO) -> Reader:
    head = file.read(6)
    file.seek(0)
    if head.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if head.startswith(b"\xfd7zXZ\x00"):
        return _XzReader(file)
    return open_tar(ChunkReader(iter(lambda: file.read(READ_BYTES), b"")))


def _fill(reader: Reader, view: memoryview) -> int:
    filled = 0
    while filled < len(view) and (count := reader.readinto(view[filled:])):
        filled += count
    return filled


class _XzReader(io.RawIOBase):
    """Decompresses xz within a bound on memory, which `lzma.LZMAFile` does not take."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._inner = self._decompressor()
        self._rest = b""

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # nothing else is passed
        """Fill up to the whole buffer; 0 is the end."""
        while True:
            if self._inner.eof and not self._next_stream():
                return 0
            data = b""
            if self._inner.needs_input:
                data = self._rest or self._file.read(READ_BYTES)
                self._rest = b""
                if not data:
                    raise EOFError("ends inside a stream")
            if content := self._inner.decompress(data, len(buffer)):
                buffer[: len(content)] = content
                return len(content)

    def _next_stream(self) -> bool:
        rest = self._inner.unused_data or self._file.read(READ_BYTES)
        while rest and not (rest := rest.lstrip(b"\0")):  # padding between and after streams
            rest = self._file.read(READ_BYTES)
        if not rest:
            return False
        self._inner = self._decompressor()
        self._rest = rest
        return True

    @staticmethod
    def _decompressor() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Raise InvalidAdvisory for whatever the libraries raise about a broken file."""
    try:
        with translated_errors():
            yield
    except LimitExceeded as error:
        if str(error).startswith(name):
            raise
        raise LimitExceeded(f"{name}: {error}") from error
    except InvalidLayer as error:
        raise InvalidAdvisory(f"{name} cannot be read: {error}") from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile, struct.error, UnicodeError) as error:
        raise InvalidAdvisory(f"{name} cannot be read: {error}") from error
