"""rpm's database in SQLite (`rpmdb.sqlite`; RHEL 9, Fedora 33, Photon, Azure Linux): the blobs of the table `Packages`.

1. The first page begins with the file's header, and is the root of the table that lists all tables (`sqlite_schema`): there stands the root page of `Packages`.
2. A table is a tree: interior pages point to pages, leaves hold rows of a length, a number and a record; what does not fit goes into a chain of overflow pages.
3. A record is a list of types and then the values; the second column of `Packages` is the header.

Source: SQLite, "Database File Format". Read here and not by SQLite, for two reasons: SQLite opens no bytes in memory that are marked as having a write-ahead log, and rpm marks
all of its databases so; and the schema is SQL, which in a stranger's database would be compiled and run by a library in C.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from pratique.errors import InvalidRecord, LimitExceeded

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_PAGE_SIZES = frozenset(1 << power for power in range(9, 17))
_MIN_USABLE = 480  # bytes of a page
_UTF8 = 1
_TABLE = b"packages"
_INTERIOR, _LEAF = 5, 13  # pages of a table
_CONTINUED = 0x80
_NINTH = 8  # bytes of 7 bits before the one of 8
_FIRST_BLOB = 12  # even types from here on are blobs, odd ones texts
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_CONSTANTS = {8: 0, 9: 1}
_NUMBER_BYTES = {0: 0, **_INTEGER_BYTES, 7: 8, **dict.fromkeys(_CONSTANTS, 0)}
_MAX_SCHEMA_ROWS = 10_000  # rpm makes 50 tables and indexes; each row costs time

_WAL_MAGICS = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_WAL_HEADER_BYTES = 32
_WAL_FRAME_BYTES = 24
_WAL_SALTS = slice(16, 24)  # in the header of the log
_FRAME_SALTS = slice(_WAL_HEADER_BYTES + 8, _WAL_HEADER_BYTES + 16)  # in that of its first frame


def read_blobs(content: bytes) -> Iterator[bytes | InvalidRecord]:
    """Yield the headers in the order of their numbers, and an error for each that cannot be read.

    No page is read twice, and all rows together are no longer than the file, so that time and memory stay linear in `content`, whatever its pages point to.
    Raises InvalidRecord where this is no such file or it has no table `Packages`, or, after all that is there, a truncated one.
    """
    database = _open(content)
    for row in database.rows(database.root_of_packages()):
        try:
            yield row if isinstance(row, InvalidRecord) else _second_value(row)
        except InvalidRecord as error:
            yield error
    if database.promised > len(content):
        raise InvalidRecord(f"truncated: {len(content)} of {database.promised} bytes")


def has_frames(log: bytes) -> bool:
    """Tell whether a write-ahead log holds pages: then the database beside it is older than what rpm would read.

    Whether they were copied into the database since is not written in either file; rpm does so, and empties the log, whenever it ends in order. Frames of an earlier
    round, which SQLite ignores, have other salts than the log.
    """
    return log.startswith(_WAL_MAGICS) and len(log) > _WAL_HEADER_BYTES + _WAL_FRAME_BYTES and log[_WAL_SALTS] == log[_FRAME_SALTS]


def _open(content: bytes) -> _Database:
    if len(content) < _HEADER_BYTES or not content.startswith(_MAGIC):
        raise InvalidRecord(f"expected an SQLite database, got {content[:16]!r}")
    (raw_size,) = struct.unpack_from(">H", content, 16)
    page_size = 65536 if raw_size == 1 else raw_size
    usable = page_size - content[20]
    changes, pages = struct.unpack_from(">II", content, 24)
    (encoding,) = struct.unpack_from(">I", content, 56)
    (counted_at,) = struct.unpack_from(">I", content, 92)
    if page_size not in _PAGE_SIZES or usable < _MIN_USABLE or encoding != _UTF8:
        raise InvalidRecord(f"SQLite database of page size {page_size}, {usable} of it usable, text encoding {encoding}")
    promised = pages * page_size if changes == counted_at else len(content)
    return _Database(content=content, page_size=page_size, usable=usable, promised=promised, left=len(content))


@dataclass(slots=True, kw_only=True)
class _Database:
    """`promised` is the size that the file says it has, `left` the bytes that rows may still have."""

    content: bytes
    page_size: int
    usable: int
    promised: int
    left: int
    _seen: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self._seen = bytearray(len(self.content) // self.page_size + 1)
        self._seen[0] = 1

    def root_of_packages(self) -> int:
        """Find the root page of the table.

        Raises InvalidRecord where there is none.
        """
        for number, row in enumerate(self.rows(1)):
            if number >= _MAX_SCHEMA_ROWS:
                raise LimitExceeded(f"more than {_MAX_SCHEMA_ROWS} tables and indexes")
            if isinstance(row, InvalidRecord):
                raise row
            kind, name, _, root = _values(row, 4)
            if kind == b"table" and name.lower() == _TABLE:
                return int.from_bytes(root, "big")
        raise InvalidRecord("no table Packages")

    def rows(self, root: int) -> Iterator[bytes | InvalidRecord]:
        """Yield the records of a table, and an error for each page or row that cannot be read."""
        pages = [root]
        while pages:
            try:
                start, kind, cells = self._take_tree_page(pages.pop())
            except InvalidRecord as error:
                yield error
                continue
            if kind == _INTERIOR:
                pages.extend(page for page in reversed(cells) if page < len(self._seen))
                if max(cells) >= len(self._seen):
                    yield InvalidRecord(f"page {max(cells)} of {len(self._seen) - 1} is not there")
                if len(pages) > len(self._seen):  # a few pages that name the same ones over and over would fill the memory
                    raise LimitExceeded(f"tree of more than the {len(self._seen) - 1} pages of the file")
                continue
            for cell in cells:
                try:
                    yield self._row(start, cell)
                except InvalidRecord as error:
                    yield error

    def _take_tree_page(self, number: int) -> tuple[int, int, list[int]]:
        """Read a page of a table: where it begins, its type, and the pages below it, or where its rows lie in it."""
        start = self._take(number)
        header = start + (_HEADER_BYTES if number == 1 else 0)
        kind, _, count = struct.unpack_from(">BHH", self.content, header)
        first = header + (12 if kind == _INTERIOR else 8)
        last = start + self.usable - (4 if kind == _INTERIOR else 1)  # where a cell can begin
        if kind not in {_INTERIOR, _LEAF} or first + 2 * count > start + self.usable:
            raise InvalidRecord(f"expected page {number} to be part of a table, got type {kind} with {count} cells")
        cells = struct.unpack_from(f">{count}H", self.content, first)
        if cells and not (first + 2 * count - start <= min(cells) and start + max(cells) <= last):
            raise InvalidRecord(f"page {number} has cells outside of it")
        if kind == _LEAF:
            return start, kind, list(cells)
        children = [int.from_bytes(self.content[start + cell : start + cell + 4], "big") for cell in cells]
        return start, kind, [*children, int.from_bytes(self.content[header + 8 : header + 12], "big")]

    def _row(self, start: int, cell: int) -> bytes:
        end = start + self.usable
        size, position = _varint(self.content, start + cell, end)
        _, position = _varint(self.content, position, end)  # the row's number
        if size > self.left:
            raise InvalidRecord(f"row of {size} bytes, but only {self.left} of the file are left for rows")
        self.left -= size
        local = self._local_bytes(size)
        if position + local + (4 if local < size else 0) > end:
            raise InvalidRecord(f"row of {size} bytes reaches out of its page")
        pieces = [self.content[position : position + local]]
        following = self.content[position + local : position + local + 4]
        missing = size - local
        while missing:
            begin = self._take(int.from_bytes(following, "big"))
            following = self.content[begin : begin + 4]
            pieces.append(self.content[begin + 4 : begin + 4 + min(missing, self.usable - 4)])
            missing -= len(pieces[-1])
        return b"".join(pieces)

    def _local_bytes(self, size: int) -> int:
        """How much of a row lies in its leaf (section 1.6, "Cell Payload Overflow Pages")."""
        largest = self.usable - 35
        if size <= largest:
            return size
        smallest = (self.usable - 12) * 32 // 255 - 23
        fitting = smallest + (size - smallest) % (self.usable - 4)
        return fitting if fitting <= largest else smallest

    def _take(self, number: int) -> int:
        """Where a page begins that is all there and was not read before."""
        if not 0 < number < len(self._seen) or self._seen[number]:
            raise InvalidRecord(f"page {number} of {len(self._seen) - 1} is not there, or was read before")
        self._seen[number] = 1
        return (number - 1) * self.page_size


def _varint(content: bytes, position: int, end: int) -> tuple[int, int]:
    """Read an integer of one to nine bytes; answer it and where it ends."""
    value = 0
    for index, byte in enumerate(content[position : min(position + _NINTH + 1, end)]):
        if index == _NINTH:
            return value << 8 | byte, position + index + 1
        value = value << 7 | byte & ~_CONTINUED
        if byte < _CONTINUED:
            return value, position + index + 1
    raise InvalidRecord("number that does not end")


def _values(record: bytes, count: int) -> list[bytes]:
    """The first `count` values of a record, as they lie there (constants as a byte).

    Raises InvalidRecord where it has fewer, or they are not all there.
    """
    header, position = _varint(record, 0, len(record))
    start = header
    found = []
    for _ in range(count):
        kind, position = _varint(record, position, min(header, len(record)))
        size = (kind - _FIRST_BLOB) // 2 if kind >= _FIRST_BLOB else _NUMBER_BYTES.get(kind, 0)
        if start + size > len(record):
            raise InvalidRecord(f"value of {size} bytes at {start} of a record of {len(record)}")
        found.append(bytes([_CONSTANTS[kind]]) if kind in _CONSTANTS else record[start : start + size])
        start += size
    return found


def _second_value(record: bytes) -> bytes:
    return _values(record, 2)[1]
