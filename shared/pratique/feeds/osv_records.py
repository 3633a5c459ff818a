"""The records of one ecosystem in the layout of OSV's bucket: `modified_id.csv`, and `all.zip` that it describes."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from pratique.advisories.mirror import MirrorLimits, read_records
from pratique.errors import InvalidAdvisory, LimitExceeded

_ROW = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?(?:Z|\+00:00),([A-Za-z0-9][A-Za-z0-9._:+-]{0,127})", re.ASCII)
_MAX_ROWS = 1_000_000  # protects memory: some 150 bytes a row
_MAX_ROW_BYTES = 300
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same for all entries, so that the same records give the same bytes
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_COPIED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_UTF8 = 0x800  # the flag for names; others (sizes behind the data, encryption) do not survive copying
_ENCRYPTED = 0x1
_MAX_ZIP_BYTES = 2**32 - 2**20  # larger ones need 64-bit offsets: those are fetched whole

Index = dict[str, str]
"""Record id to the second in which it was last modified, as `2024-01-02T03:04:05`."""


class _Head(msgspec.Struct):
    id: str
    modified: str


# At import: msgspec resolves a type at its first use, and two threads that do so at once crash the interpreter.
_DECODER = msgspec.json.Decoder(_Head)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipContents:
    """What an `all.zip` holds: its readable records, how many were not, and the newest date."""

    index: Index
    skipped: int

    @property
    def modified(self) -> str:
        """When the newest record was modified, ISO 8601; empty where there is none."""
        return f"{newest}Z" if (newest := max(self.index.values(), default="")) else ""


def read_zip(folder: Path, ecosystem: str) -> ZipContents:
    """Read all of `folder/<ecosystem>/all.zip`, checksums included. Blocking.

    Raises InvalidAdvisory for what is broken or mostly not records, LimitExceeded for a bomb.
    """
    index: Index = {}
    skipped = 0
    for record in read_records(folder, ecosystem, MirrorLimits()):
        head = read_head(record.content)
        if head is None or f"{head[0]}.json" != record.name:
            skipped += 1
        else:
            index[head[0]] = head[1]
    if skipped > len(index):
        raise InvalidAdvisory(f"{ecosystem}/all.zip: {skipped} of {skipped + len(index)} files are no OSV records: has its format changed?")
    return ZipContents(index=index, skipped=skipped)


def read_head(content: bytes) -> tuple[str, str] | None:
    """Read a record's id and the second in which it was modified; None for what is no OSV record, or could not be in an index."""
    try:
        head = _DECODER.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    found = _ROW.fullmatch(f"{head.modified},{head.id}")
    return (found[2], found[1]) if found is not None and found[2] == head.id else None


def read_index(path: Path) -> Index:
    """Read a `modified_id.csv`; a row that is none is passed over. Blocking.

    Raises InvalidAdvisory if those are most, LimitExceeded for an index without end.
    """
    index: Index = {}
    bad, example = 0, b""
    with path.open("rb") as file:
        while line := file.readline(_MAX_ROW_BYTES):
            found = _ROW.fullmatch(line.decode("utf-8", "replace").rstrip("\r\n"))
            if found is None:
                bad, example = bad + 1, line
            else:
                index[found[2]] = found[1]
            if len(index) + bad > _MAX_ROWS:
                raise LimitExceeded(f"{path.name} has more than {_MAX_ROWS} rows")
    if bad > len(index):
        raise InvalidAdvisory(f"{path.name}: expected rows of `modified,id`, got {example[:80]!r} and such")
    return index


def write_index(path: Path, index: Mapping[str, str]) -> None:
    """Write a `modified_id.csv`, newest first. Blocking."""
    rows = sorted(((modified, identifier) for identifier, modified in index.items()), key=lambda row: row[1])
    rows.sort(key=lambda row: row[0], reverse=True)
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{modified}Z,{identifier}\n" for modified, identifier in rows)


def rewrite_zip(old: Path, new: Path, changed: Mapping[str, bytes], removed: Collection[str]) -> None:
    """Write `new` from `old` with some records replaced, added or left out, in the order of their names. What stays is copied packed. Blocking.

    The same `old` and changes give the same bytes. Raises InvalidAdvisory for an `old` that cannot be copied so.
    """
    added = {f"{identifier}.json": content for identifier, content in changed.items()}
    gone = {f"{identifier}.json" for identifier in removed}
    with _translated(old), old.open("rb") as file, zipfile.ZipFile(file) as source, zipfile.ZipFile(new, "w") as target:
        kept = {entry.filename: entry for entry in source.infolist() if entry.filename not in gone}
        for name in sorted(kept.keys() | added.keys()):
            if name in added:
                target.writestr(_entry(name), added[name], compress_type=zipfile.ZIP_DEFLATED, compresslevel=6)
            else:
                _copy(file, kept[name], target)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = 3
    entry.external_attr = 0o100644 << 16
    return entry


def _copy(file: BinaryIO, old: zipfile.ZipInfo, target: zipfile.ZipFile) -> None:
    """Append an entry's packed bytes and note it in the directory: unpacking and packing a large ecosystem for a few new records would take minutes."""
    if old.compress_type not in _COPIED or old.flag_bits & _ENCRYPTED or target.fp is None:
        raise InvalidAdvisory(f"{old.filename[:140]!r} is packed in a way that is not copied")
    file.seek(max(0, old.header_offset))  # negative in a directory that lies; what is there then is told below
    fields = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    file.seek(fields[-2] + fields[-1], 1)  # the name and the extra field of the local header
    packed = file.read(old.compress_size)
    if fields[0] != b"PK\x03\x04" or len(packed) != old.compress_size:
        raise InvalidAdvisory(f"{old.filename[:140]!r} is not where the directory says")
    entry = _entry(old.filename)
    entry.compress_type, entry.CRC, entry.flag_bits = old.compress_type, old.CRC, old.flag_bits & _UTF8
    entry.compress_size, entry.file_size = old.compress_size, old.file_size
    target.fp.seek(target.start_dir)
    entry.header_offset = target.start_dir
    if entry.header_offset + len(packed) > _MAX_ZIP_BYTES:
        raise LimitExceeded(f"a zip of more than {_MAX_ZIP_BYTES} bytes is not put together here")
    target.fp.write(entry.FileHeader(zip64=False))
    target.fp.write(packed)
    target.start_dir = target.fp.tell()
    target.filelist.append(entry)
    target.NameToInfo[entry.filename] = entry


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, UnicodeDecodeError, struct.error) as error:
        raise InvalidAdvisory(f"{path.name} cannot be read: {error}") from error
