"""A tar walker that is pushed blocks and tells a visitor what it meets. Bodies that nobody wants are skipped by arithmetic, not read.

Where dialects differ this reads as Go's archive/tar does, because that is what container runtimes unpack with: what they would see is what counts.
Sources: POSIX.1-2017 pax ("ustar Interchange Format", "pax Header Block"), GNU tar manual ("Basic Tar Format"), Go archive/tar.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pratique.errors import InvalidLayer, LimitExceeded
from pratique.oci.tar_fields import (
    has_valid_checksum,
    normalise_path,
    parse_link,
    parse_mode,
    parse_name,
    parse_number,
    parse_pax,
    parse_pax_size,
    storable,
)

BLOCK_BYTES = 512
HEAD_BYTES = 64
"""Of a file's beginning that a visitor sees before it chooses: a magic number, or a script's interpreter."""

_ZERO_BLOCK = bytes(BLOCK_BYTES)
_END_BLOCKS = 2  # zero blocks that end an archive
_NON_ZERO = re.compile(rb"[^\0]")
_SLASH, _DOT = b"/."
_OLD_FILE, _FILE, _HARD_LINK, _SYMLINK, _CHARACTER, _BLOCK, _DIRECTORY, _FIFO, _CONTIGUOUS = b"\x0001234567"
_GNU_SPARSE, _GNU_LONG_NAME, _GNU_LONG_LINK, _PAX, _PAX_GLOBAL = b"SLKxg"
_META = frozenset((_GNU_LONG_NAME, _GNU_LONG_LINK, _PAX, _PAX_GLOBAL))
_FILES = frozenset((_FILE, _OLD_FILE, _CONTIGUOUS))
_BODILESS = frozenset((_HARD_LINK, _SYMLINK, _CHARACTER, _BLOCK, _DIRECTORY, _FIFO))  # whatever size their header claims
_DEVICES = frozenset((_CHARACTER, _BLOCK, _FIFO))
_PAX_SPARSE = b"GNU.sparse."


@dataclass(frozen=True, slots=True, kw_only=True)
class TarLimits:
    """What one archive may cost.

    `entries` bounds the index kept of an archive; `path_bytes` (Linux's PATH_MAX) and `header_bytes` (of one PAX header or GNU long name) the memory of one entry.
    """

    entries: int = 2_000_000
    path_bytes: int = 4096
    header_bytes: int = 1024 * 1024


class TarVisitor(Protocol):
    """What a walker tells about an archive, in its order.

    Paths are as `normalise_path` makes them and never empty.
    """

    def visit_file(self, path: bytes, size: int, mode: int, head: bytes) -> int:
        """Meet a regular file, and answer how many bytes of its body to have in `visit_body`, 0 for none.

        `mode` is its permission bits. `head` is its first HEAD_BYTES, or all of a shorter file; empty also where they have not come yet.
        """
        ...

    def visit_body(self, content: bytes) -> None:
        """Take the body of the file met last, or as much of its beginning as was asked for."""
        ...

    def visit_piece(self, piece: memoryview) -> None:
        """Take a part of the body of the file met last, if the walker was told to show pieces. The parts come in order and are gone afterwards."""
        ...

    def visit_symlink(self, path: bytes, target: bytes) -> None:
        """Meet a symbolic link. `target` is as written, valid UTF-8, perhaps relative or absolute."""
        ...

    def visit_hard_link(self, path: bytes, target: bytes) -> None:
        """Meet a hard link. `target` is normalised like a path."""
        ...

    def visit_directory(self, path: bytes) -> None:
        """Meet a directory."""
        ...

    def visit_unread(self, path: bytes, reason: str) -> None:
        """Meet something that has a path but no body that can be read: `reason` says why, empty for devices and fifos."""
        ...

    def visit_trouble(self, reason: str) -> None:
        """Learn of something in the archive that was passed over."""
        ...


class TarStream:
    """Walks the archive that is pushed into `feed`. `entries` counts what was met, meta headers excluded."""

    def __init__(self, visitor: TarVisitor, limits: TarLimits, *, shows_pieces: bool = False) -> None:
        self.entries = 0
        self._shows_pieces = shows_pieces
        self._pieces_left = 0  # bytes of the current file that have not been shown
        self._visitor = visitor
        self._limits = limits
        self._skip = 0  # bytes from the start of the next block to the next header
        self._body: io.BytesIO | None = None
        self._missing = 0  # bytes of the body that have not come
        self._take: Callable[[bytes], None] = visitor.visit_body
        self._pax: Mapping[bytes, bytes] = {}
        self._long_name: bytes | None = None
        self._long_link: bytes | None = None
        self._has_extension = False  # any of the three above
        self._sparse_skip: int | None = None  # while GNU sparse maps go on: the size of the body behind them
        self._zero_blocks = 0

    def feed(self, block: memoryview) -> None:
        """Walk through the next bytes: a multiple of 512 of them, except at the end of the stream.

        Raises InvalidLayer, LimitExceeded, and whatever the visitor raises.
        """
        length = len(block)
        if self._pieces_left:
            self._show_piece(block, 0)
        position = self._continue_body(block) if self._body is not None else self._skip
        while position < length:
            if self._zero_blocks == _END_BLOCKS:
                self._pass_trailer(block[position:])
                position = length
                break
            header = block[position : position + BLOCK_BYTES].tobytes()
            position += BLOCK_BYTES
            size = self._read_header(header, block, position)
            if self._pieces_left:
                self._show_piece(block, position)
            if size and self._body is not None:
                position = self._begin_body(block, position, size)
            else:
                position += size
        self._skip = max(position - length, 0)

    def close(self) -> None:
        """Learn that the stream has ended.

        Raises InvalidLayer if that was inside an entry. An archive without the two zero blocks is accepted, as Go does.
        """
        if self._body is not None or self._skip or self._has_extension or self._sparse_skip is not None:
            raise InvalidLayer(f"tar is truncated inside entry {self.entries}")

    def _begin_body(self, block: memoryview, position: int, padded: int) -> int:
        """Start collecting a body; return where to go on."""
        self._skip = padded
        end = position + self._missing
        if end > len(block):
            return self._continue_body(block, position)
        self._body = None
        self._missing = 0
        self._take(block[position:end].tobytes())
        return position + padded

    def _continue_body(self, block: memoryview, position: int = 0) -> int:
        body = self._body
        if body is None:
            return position
        part = block[position : position + self._missing]
        body.write(part)
        self._missing -= len(part)
        if not self._missing:
            self._body = None
            self._take(body.getvalue())
        return position + self._skip

    def _show_piece(self, block: memoryview, position: int) -> None:
        piece = block[position : position + self._pieces_left]
        self._pieces_left -= len(piece)
        if piece:
            self._visitor.visit_piece(piece)

    def _read_header(self, header: bytes, block: memoryview, position: int) -> int:
        """Read one header; return the padded size of the body behind it, which is being collected if `_body` is set."""
        if len(header) < BLOCK_BYTES:
            raise InvalidLayer(f"tar is truncated inside the header of entry {self.entries + 1}")
        if self._sparse_skip is not None:
            return self._read_sparse_extension(header)
        if not header[0] and header == _ZERO_BLOCK:
            self._zero_blocks += 1
            return 0
        if self._zero_blocks or not has_valid_checksum(header):
            raise InvalidLayer(
                f"expected a tar header after entry {self.entries}, got {'data' if self._zero_blocks else 'a wrong checksum'}"
            )
        kind = header[156]
        size = parse_number(header[124:136])
        if kind in _META:
            return self._begin_meta(kind, size)
        if self._has_extension and b"size" in self._pax:
            size = parse_pax_size(self._pax[b"size"])
        return self._read_entry(header, kind, size, block[position : position + min(size, HEAD_BYTES)])

    def _read_entry(self, header: bytes, kind: int, size: int, head: memoryview) -> int:
        self.entries += 1
        if self.entries > self._limits.entries:
            raise LimitExceeded(f"layer of more than {self._limits.entries} entries")
        padded = 0 if kind in _BODILESS else (size + 511) & -512
        raw = self._extended_name(header) if self._has_extension else parse_name(header)
        if kind == _OLD_FILE and raw.endswith(b"/"):
            kind = _DIRECTORY  # as tar did it before ustar; Go keeps the body
        path = self._path(raw)
        if path and kind in _FILES and not self._is_sparse():
            self._has_extension = False
            wanted = self._visitor.visit_file(path, size, parse_mode(header), head.tobytes())
            if self._shows_pieces:
                self._pieces_left = size
            if wanted:
                self._collect(min(wanted, size), self._visitor.visit_body)
        else:
            self._visit_other(header, kind, path)
        if kind == _GNU_SPARSE and header[482]:
            self._sparse_skip = padded
            return 0
        return padded

    def _path(self, raw: bytes) -> bytes | None:
        if len(raw) > self._limits.path_bytes:
            raise LimitExceeded(f"path of {len(raw)} bytes in a layer; the limit is {self._limits.path_bytes}")
        is_plain = (
            raw.isascii() and raw and raw[0] != _SLASH and raw[0] != _DOT and raw[-1] != _SLASH and b"//" not in raw and b"/." not in raw
        )
        if is_plain:
            return raw
        if not raw.isascii() and storable(raw) != raw:  # it is written as another name, which another entry may have
            self._visitor.visit_trouble(f"name that is not UTF-8, read as {storable(raw[:200]).decode()}")
        path = normalise_path(raw)
        if path is None:
            self._visitor.visit_trouble(f"entry ignored because its path climbs out of the root: {storable(raw[:200]).decode()}")
        return path

    def _visit_other(self, header: bytes, kind: int, path: bytes | None) -> None:
        visitor = self._visitor
        is_sparse, target = kind == _GNU_SPARSE or self._is_sparse(), self._target(header)
        self._has_extension = False
        if not path:
            return  # the root itself, or an entry that climbs out of it
        if kind == _DIRECTORY:
            visitor.visit_directory(path)
        elif kind == _SYMLINK:
            visitor.visit_symlink(path, storable(target))
        elif kind == _HARD_LINK:
            self._visit_hard_link(path, target)
        elif kind in _DEVICES:
            visitor.visit_unread(path, "")
        elif is_sparse:
            visitor.visit_unread(path, "stored as a sparse file")
        else:
            visitor.visit_trouble(f"entry of unknown type {kind:#04x} ignored: {path.decode()}")

    def _visit_hard_link(self, path: bytes, target: bytes) -> None:
        normal = normalise_path(target)
        if normal is None:
            self._visitor.visit_unread(path, "hard link that climbs out of the root")
        else:
            self._visitor.visit_hard_link(path, normal)

    def _target(self, header: bytes) -> bytes:
        extended = self._long_link or self._pax.get(b"linkpath") if self._has_extension else None
        target = extended or parse_link(header)
        if len(target) > self._limits.path_bytes:
            raise LimitExceeded(f"link target of {len(target)} bytes in a layer; the limit is {self._limits.path_bytes}")
        if b"\0" in target:
            raise InvalidLayer(f"link target with a NUL byte at entry {self.entries}")
        return target

    def _extended_name(self, header: bytes) -> bytes:
        name = self._pax.get(b"GNU.sparse.name") or self._long_name or self._pax.get(b"path") or parse_name(header)
        if b"\0" in name:
            raise InvalidLayer(f"path with a NUL byte at entry {self.entries}")
        return name

    def _is_sparse(self) -> bool:
        return self._has_extension and any(keyword.startswith(_PAX_SPARSE) for keyword in self._pax)

    def _begin_meta(self, kind: int, size: int) -> int:
        if size > self._limits.header_bytes:
            raise LimitExceeded(f"extended header of {size} bytes in a layer; the limit is {self._limits.header_bytes}")
        if not self._has_extension:
            self._pax, self._long_name, self._long_link = {}, None, None
        takes = {_PAX: self._take_pax, _PAX_GLOBAL: self._take_global, _GNU_LONG_NAME: self._take_name, _GNU_LONG_LINK: self._take_link}
        self._has_extension = self._has_extension or kind != _PAX_GLOBAL
        self._collect(size, takes[kind])
        return (size + 511) & -512

    def _collect(self, size: int, take: Callable[[bytes], None]) -> None:
        if not size:
            take(b"")
            return
        self._body = io.BytesIO()
        self._missing = size
        self._take = take

    def _take_pax(self, body: bytes) -> None:
        if b"path=" in body or b"size=" in body or _PAX_SPARSE in body:  # most hold times and attributes only
            self._pax = parse_pax(body)

    def _take_global(self, body: bytes) -> None:
        if b"path=" in body or b"size=" in body:
            self._visitor.visit_trouble("global PAX header with paths or sizes ignored, as container runtimes do")

    def _take_name(self, body: bytes) -> None:
        self._long_name = body.partition(b"\0")[0]

    def _take_link(self, body: bytes) -> None:
        self._long_link = body.partition(b"\0")[0]

    def _read_sparse_extension(self, header: bytes) -> int:
        padded = self._sparse_skip or 0
        if header[504]:
            return 0
        self._sparse_skip = None
        return padded

    def _pass_trailer(self, rest: memoryview) -> None:
        if _NON_ZERO.search(rest):
            self._visitor.visit_trouble("data after the end of the archive")
