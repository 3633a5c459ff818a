"""Reads a mirror of OSV's bucket, `<Ecosystem>/all.zip`, one record after the other and within limits. What a mirror holds came from outside."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pratique.advisories.osv import MAX_RECORD_BYTES
from pratique.errors import InvalidAdvisory, LimitExceeded

_ECOSYSTEM = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}"
)  # without release: the bucket no longer exports directories such as Alpine:v3.10
_SMALL_BYTES = 1024 * 1024  # below it a high ratio costs nothing, and records of many like entries reach one
_END_OF_DIRECTORY = struct.Struct("<4s4H2LH")
_END_OF_DIRECTORY_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_MAX_COMMENT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorLimits:
    """What one ecosystem's zip may hold. npm, the largest today, has some 230,000 records; Ubuntu's are the longest.

    `directory_bytes` protects memory (zipfile keeps the whole list of names), `records` and `total_bytes` time, `record_bytes` memory, and `ratio`, looked at for
    records above 1 MiB, tells a bomb from a repetitive record early.
    """

    directory_bytes: int = 48 * 1024 * 1024
    records: int = 500_000
    record_bytes: int = MAX_RECORD_BYTES
    total_bytes: int = 32 * 1024**3
    ratio: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorRecord:
    """One file of a zip: its name, its whole content, and the number of records that its zip holds."""

    name: str
    content: bytes
    total: int


def list_ecosystems(mirror: Path) -> tuple[str, ...]:
    """The ecosystems of which a mirror holds OSV's zip, sorted."""
    return tuple(sorted(path.parent.name for path in mirror.glob("*/all.zip") if _ECOSYSTEM.fullmatch(path.parent.name)))


def read_records(mirror: Path, ecosystem: str, limits: MirrorLimits) -> Iterator[MirrorRecord]:
    """Yield an ecosystem's records in the order of their names, checked against their CRC.

    Raises InvalidAdvisory for a zip that is broken anywhere, and LimitExceeded for a bomb: half a feed is no feed.
    """
    with _translated(ecosystem), (mirror / ecosystem / "all.zip").open("rb") as file:
        if (size := _directory_bytes(file)) > limits.directory_bytes:
            raise LimitExceeded(f"directory of {ecosystem}/all.zip has {size} bytes; the limit is {limits.directory_bytes}")
        with zipfile.ZipFile(file) as archive:
            entries = sorted((entry for entry in archive.infolist() if entry.filename.endswith(".json")), key=lambda entry: entry.filename)
            _check(ecosystem, entries, limits)
            for entry in entries:
                yield MirrorRecord(name=entry.filename, content=archive.read(entry), total=len(entries))


def _check(ecosystem: str, entries: list[zipfile.ZipInfo], limits: MirrorLimits) -> None:
    # sizes are the directory's claims; zipfile reads no more than the claimed size of any entry
    if len(entries) > limits.records:
        raise LimitExceeded(f"{ecosystem}/all.zip has {len(entries)} records; the limit is {limits.records}")
    if (total := sum(entry.file_size for entry in entries)) > limits.total_bytes:
        raise LimitExceeded(f"{ecosystem}/all.zip expands to {total} bytes; the limit is {limits.total_bytes}")
    for entry in entries:
        if entry.file_size > limits.record_bytes:
            raise LimitExceeded(f"{entry.filename[:140]!r} of {ecosystem} has {entry.file_size} bytes; the limit is {limits.record_bytes}")
        if entry.file_size > _SMALL_BYTES and entry.file_size > limits.ratio * entry.compress_size:
            raise LimitExceeded(f"{entry.filename[:140]!r} of {ecosystem} expands more than {limits.ratio} times")


def _directory_bytes(file: BinaryIO) -> int:
    """Read the size of the central directory out of the record at the file's end, before zipfile loads the directory."""
    size = file.seek(0, 2)
    start = max(0, size - _END_OF_DIRECTORY.size - _MAX_COMMENT)
    file.seek(start)
    tail = file.read()
    position = tail.rfind(b"PK\x05\x06")
    if position < 0:
        raise zipfile.BadZipFile("no end of central directory")
    directory: int = _END_OF_DIRECTORY.unpack_from(tail, position)[5]
    locator_at = start + position - _LOCATOR_64.size
    if locator_at >= 0:
        file.seek(locator_at)
        signature, _, offset, _ = _LOCATOR_64.unpack(file.read(_LOCATOR_64.size))
        if signature == b"PK\x06\x07":
            file.seek(min(offset, size))
            directory = max(
                directory if directory != 2**32 - 1 else 0, _END_OF_DIRECTORY_64.unpack(file.read(_END_OF_DIRECTORY_64.size))[8]
            )
    return directory


@contextmanager
def _translated(ecosystem: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise InvalidAdvisory(f"expected {ecosystem}/all.zip in the mirror, found none") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,
        NotImplementedError,
        UnicodeDecodeError,
        struct.error,
        OSError,
    ) as error:
        # zipfile raises RuntimeError for encrypted entries and NotImplementedError for compressions and features it does not know
        raise InvalidAdvisory(f"{ecosystem}/all.zip cannot be read: {error}") from error
