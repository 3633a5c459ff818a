"""rpm's database in a Berkeley DB hash file (`Packages`; up to RHEL 8, Fedora 32, SLES 12).

1. Page 0 tells the byte order, the size of a page and the number of the last one (libdb, `db_page.h`).
2. The pages of a hash hold pairs of a key (the package's number) and a value (its header), as offsets from the end of the page backwards.
3. A value of more than a quarter of a page lies in a chain of overflow pages.

All hash pages are read in the order of the file, instead of bucket by bucket: what libdb has freed has another type.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from pratique.errors import InvalidRecord

_MAGIC = 0x061561
_VERSIONS = range(8, 11)
_META_BYTES = 72
_HASH_META = 8
_PAGE_SIZES = frozenset(1 << power for power in range(9, 17))
_PAGE_HEADER = 26
_PAGE_TYPE = 25  # where in a page
_HASH_PAGES = (2, 13)  # unsorted (before libdb 4.6), sorted
_OVERFLOW_PAGE = 7
_INLINE, _OFF_PAGE = 1, 3  # H_KEYDATA, H_OFFPAGE
_OFF_PAGE_BYTES = 12
_COUNTER = 0  # the key under which rpm keeps the highest number it gave out


def read_blobs(content: bytes) -> Iterator[bytes | InvalidRecord]:
    """Yield the headers, and an error for each that cannot be read.

    No page is read twice, so that time and memory stay linear in `content`, whatever its pages point to.
    Raises InvalidRecord where this is no such file, or, after all that is there, a truncated one.
    """
    database = _open(content)
    for number, kind in enumerate(content[_PAGE_TYPE : database.end : database.page_size]):
        if kind in _HASH_PAGES:
            yield from database.read_page(number)
    if database.end > len(content):
        raise InvalidRecord(f"truncated: {len(content)} of {database.end} bytes")


def _open(content: bytes) -> _Database:
    if len(content) < _META_BYTES:
        raise InvalidRecord(f"expected a Berkeley DB, got {len(content)} bytes")
    order = next((order for order in "<>" if struct.unpack_from(f"{order}I", content, 12)[0] == _MAGIC), "")
    if not order:
        raise InvalidRecord(f"expected a Berkeley DB of the kind hash, got {content[12:16].hex()} for its mark")
    version, page_size = struct.unpack_from(f"{order}II", content, 16)
    encryption, kind = content[24:26]
    if version not in _VERSIONS or page_size not in _PAGE_SIZES or encryption or kind != _HASH_META:
        raise InvalidRecord(f"Berkeley DB of version {version}, page size {page_size}, encryption {encryption}, type {kind}")
    (last,) = struct.unpack_from(f"{order}I", content, 32)
    return _Database(content=content, order=order, page_size=page_size, end=(last + 1) * page_size)


@dataclass(slots=True, kw_only=True)
class _Database:
    content: bytes
    order: str
    page_size: int
    end: int
    _has_counter: bool = False
    _seen: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self._seen = bytearray(min(self.end, len(self.content)) // self.page_size)

    def read_page(self, number: int) -> Iterator[bytes | InvalidRecord]:
        """Yield the values of a hash page."""
        try:
            start = self._take(number)
            offsets = self._offsets(start)
        except InvalidRecord as error:
            yield error
            return
        lowest, end = _PAGE_HEADER + 2 * len(offsets), self.page_size
        for key, value in zip(offsets[::2], offsets[1::2], strict=True):
            if not lowest <= value < key < end:
                yield InvalidRecord(f"page {number} has an item from {value} over {key} to {end}")
                return
            yield from self._read_pair(self.content[start + key : start + end], self.content[start + value : start + key])
            end = value

    def _read_pair(self, key: bytes, value: bytes) -> Iterator[bytes | InvalidRecord]:
        if key[:1] == bytes([_INLINE]) and len(key) == 5 and not any(key[1:]) and not self._has_counter:  # noqa: PLR2004 # 4 bytes after the type
            self._has_counter = True
            return
        try:
            yield self._read_value(value)
        except InvalidRecord as error:
            yield error

    def _read_value(self, item: bytes) -> bytes:
        if item[0] == _INLINE:
            return item[1:]
        if item[0] != _OFF_PAGE or len(item) != _OFF_PAGE_BYTES:
            raise InvalidRecord(f"expected a value in the page or in other pages, got type {item[0]} of {len(item)} bytes")
        page, missing = struct.unpack_from(f"{self.order}II", item, 4)
        pieces = []
        while missing:
            piece, page = self._read_overflow(page)
            if len(piece) > missing:
                raise InvalidRecord(f"value of {len(piece) - missing} bytes too many")
            missing -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _read_overflow(self, number: int) -> tuple[memoryview, int]:
        start = self._take(number)
        following, _, used = struct.unpack_from(f"{self.order}IHH", self.content, start + 16)
        if self.content[start + _PAGE_TYPE] != _OVERFLOW_PAGE or used > self.page_size - _PAGE_HEADER:
            raise InvalidRecord(f"expected page {number} to hold the rest of a value")
        begin = start + _PAGE_HEADER
        return memoryview(self.content)[begin : begin + used], following

    def _take(self, number: int) -> int:
        """Where a page begins that was not read before, and that knows its own number."""
        if not 0 < number < len(self._seen) or self._seen[number]:
            raise InvalidRecord(f"page {number} of {len(self._seen)} is not there, or was read before")
        self._seen[number] = 1
        start = number * self.page_size
        (own,) = struct.unpack_from(f"{self.order}I", self.content, start + 8)
        if own != number:
            raise InvalidRecord(f"page {number} says that it is page {own}")
        return start

    def _offsets(self, start: int) -> tuple[int, ...]:
        (count,) = struct.unpack_from(f"{self.order}H", self.content, start + 20)
        if count % 2 or _PAGE_HEADER + 2 * count > self.page_size:
            raise InvalidRecord(f"expected pairs in a page of {self.page_size} bytes, got {count} items")
        return struct.unpack_from(f"{self.order}{count}H", self.content, start + _PAGE_HEADER)
