"""Zip archives held in memory, read within bounds: jars, wheels, eggs, zipapps, and archives in archives.

The way of the JVM (`java.util.zip.ZipFile`) and of `zipimport`: the end record is looked for from the end of the file, the central directory lies right before it, and
what stands before the archive (the shell script of an executable jar, the `#!` line of a zipapp) does not matter. Local headers only say where their data begins.
The standard library's `zipfile` is not used: it makes an object of 600 bytes of each entry before anything can be counted, inflates without a bound, copies stored
members and raises ten kinds of exceptions on arbitrary bytes. Format: PKWARE's APPNOTE.TXT 6.3.10; the letters in the comments are those of its section 4.3.
"""

from __future__ import annotations

import zlib
from bisect import bisect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from struct import Struct

from pratique.errors import InvalidRecord, LimitExceeded

_CHUNK = 256 * 1024  # bytes inflated at a time: what is held beside the member itself
_COMMENT = 0xFFFF  # the longest comment behind an end record
_SMALL = 1024**2  # bytes that a member may inflate to at any ratio: tables of blanks and zeros are usual
_ENTRIES_AT_ONCE = 1_000  # entries that are read before their cost is counted
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _UTF_8 = 1, 1 << 11
_ESCAPE_16, _ESCAPE_32 = 0xFFFF, 0xFFFFFFFF  # "see the zip64 record"

_LOCAL = Struct("<4s22xHH")  # A: name length, extra length
_ENTRY = Struct("<4s4xHH4xLLLHHH8xL")  # F: flags, method, CRC, packed and plain size, lengths of name, extra and comment, offset
_END = Struct("<4s6xHLLH")  # I: entries, size and offset of the directory, comment length
_END_64 = Struct("<4s28xQQQ")  # G: entries, size and offset of the directory
_LOCATOR_64 = Struct("<4s4xQ4x")  # H: offset of G
_EXTRA = Struct("<HH")  # kind, length
_EXTRA_64 = 1
_LOCAL_MAGIC, _ENTRY_MAGIC, _END_MAGIC, _END_64_MAGIC, _LOCATOR_64_MAGIC = b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipLimits:
    """What reading an archive may cost.

    - `entries`, `directory_bytes`: of the central directory, which is walked whole: time;
    - `held_entries`: entries kept after `wanted` has chosen: memory, some 300 bytes each;
    - `member_bytes`: one member, inflated: memory;
    - `ratio`: inflated to packed size of members above 1 MiB: zip bombs (text packs 10:1, deflate reaches 1,032:1).
    """

    entries: int = 500_000
    directory_bytes: int = 64 * 1024**2
    held_entries: int = 100_000
    member_bytes: int = 64 * 1024**2
    ratio: int = 200


@dataclass(slots=True, kw_only=True)
class ZipBudget:
    """Bytes and entries that one file of an image may still cost, whatever is nested in it; share one between an archive and those in it."""

    inflated_bytes: int = 512 * 1024**2  # two seconds
    entries: int = 2_000_000  # two seconds

    def spend(self, *, inflated_bytes: int = 0, entries: int = 0) -> None:
        """Raises LimitExceeded if that is more than what is left."""
        self.inflated_bytes -= inflated_bytes
        self.entries -= entries
        if self.inflated_bytes < 0:
            raise LimitExceeded("the archives inflate to too much in total")
        if self.entries < 0:
            raise LimitExceeded("the archives hold too many entries in total")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipMember:
    """An entry of the central directory: sizes in bytes, `offset` that of its local header."""

    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int

    @property
    def is_stored(self) -> bool:
        """Tell whether the member lies in the archive as it is, so that `view` costs no memory."""
        return self.method == _STORED


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipArchive:
    """An archive whose central directory was read. `members` are the wanted ones by name, the last of equal names, in the order of the archive.

    Names are as recorded, with `..` and all: nothing is ever written. What is not UTF-8 is escaped with backslashes. `end` is where the central directory begins: the
    data of members lies before it. `spans` are the begin, end and name of what was read so far, sorted: members that share bytes are a bomb or a forgery.
    """

    content: memoryview
    members: Mapping[str, ZipMember]
    limits: ZipLimits
    budget: ZipBudget
    end: int
    spans: list[tuple[int, int, str]] = field(default_factory=list)

    def names(self) -> Iterator[str]:
        """The names of the wanted members, in the order of the archive; directories end with a slash."""
        return iter(self.members)

    def __contains__(self, name: object) -> bool:
        return name in self.members

    def read(self, name: str, max_bytes: int | None = None) -> bytes:
        """The content of a member, verified against its size and CRC; `max_bytes` narrows `limits.member_bytes`.

        Raises InvalidRecord for broken, encrypted or strangely compressed ones, LimitExceeded, and KeyError for a name that is not among `names()`.
        """
        limit = self.limits.member_bytes if max_bytes is None else min(max_bytes, self.limits.member_bytes)
        size = self.members[name].size
        if size > limit:
            raise LimitExceeded(f"expected a zip member of at most {limit} bytes, got {size}")
        return bytes(self.view(name))

    def view(self, name: str) -> memoryview:
        """As `read`, without copying a stored member, so that `limits.member_bytes` counts for deflated ones only: for archives in archives."""
        member = self.members[name]
        if member.flags & _ENCRYPTED:
            raise InvalidRecord("an encrypted zip member")
        packed = self._packed(name, member)
        if member.method == _STORED:
            self.budget.spend(inflated_bytes=member.packed // 8)  # the CRC takes an eighth of the time
            plain = packed
        elif member.method == _DEFLATED:
            self._check_cost(member)
            plain = memoryview(_inflate(packed, member.size))
        else:
            raise InvalidRecord(f"expected a zip member that is stored or deflated, got compression method {member.method}")
        if len(plain) != member.size or zlib.crc32(plain) != member.crc:
            raise InvalidRecord("a zip member whose content is not what its header promises")
        return plain

    def head(self, name: str, size: int) -> bytes:
        """The first `size` bytes of a member or all of a shorter one, without inflating more; only a whole one is verified. Raises as `read`."""
        member = self.members[name]
        if member.size <= size:
            return self.read(name)
        if member.method != _DEFLATED or member.flags & _ENCRYPTED:
            return bytes(self.view(name)[:size])
        self.budget.spend(inflated_bytes=size)
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(self._packed(name, member)[: size + _CHUNK], size)
        except zlib.error as error:
            raise InvalidRecord(f"a zip member that cannot be inflated: {error}") from error

    def _check_cost(self, member: ZipMember) -> None:
        if member.size > self.limits.member_bytes:
            raise LimitExceeded(f"a zip member that inflates to {member.size} bytes")
        if member.size > _SMALL and member.size > self.limits.ratio * member.packed:
            raise LimitExceeded(f"a zip member that inflates from {member.packed} to {member.size} bytes")
        self.budget.spend(inflated_bytes=member.size)

    def _packed(self, name: str, member: ZipMember) -> memoryview:
        """The bytes of a member as they lie in the archive."""
        header = bytes(self.content[member.offset : member.offset + _LOCAL.size])
        if len(header) < _LOCAL.size or not header.startswith(_LOCAL_MAGIC):
            raise InvalidRecord("expected the local header of a zip member")
        _, name_size, extra_size = _LOCAL.unpack(header)
        begin = member.offset + _LOCAL.size + name_size + extra_size
        end = begin + member.packed
        if end > self.end:
            raise InvalidRecord("a zip member that reaches beyond the archive")
        self._note_span((member.offset, end, name))
        return self.content[begin:end]

    def _note_span(self, span: tuple[int, int, str]) -> None:
        place = bisect(self.spans, span)
        before = self.spans[place - 1] if place else (0, 0, "")
        after = self.spans[place] if place < len(self.spans) else (self.end, 0, "")
        if before == span:
            return
        if before[1] > span[0] or after[0] < span[1]:
            raise InvalidRecord("zip members that overlap")
        self.spans.insert(place, span)


def open_zip(
    content: bytes | memoryview,
    limits: ZipLimits | None = None,
    *,
    budget: ZipBudget | None = None,
    wanted: Callable[[str], bool] | None = None,
) -> ZipArchive:
    """Read the central directory of an archive and keep the entries whose names are `wanted` (all by default).

    Raises InvalidRecord for what is no archive, LimitExceeded for one beyond `limits` or `budget` (each by default a fresh one).
    """
    limits, budget, view = limits or ZipLimits(), budget or ZipBudget(), memoryview(content)
    begin, size, start = _find_directory(view)
    if size > limits.directory_bytes:
        raise LimitExceeded(f"a zip directory of {size} bytes")
    members: dict[str, ZipMember] = {}
    for number, (name, entry) in enumerate(_read_directory(view[begin : begin + size]), 1):
        if number > limits.entries:
            raise LimitExceeded(f"more than {limits.entries} zip members")
        if wanted is None or wanted(name):
            members[name] = _parse_entry(entry, start)
        if len(members) > limits.held_entries:
            raise LimitExceeded(f"more than {limits.held_entries} zip members to choose from")
        if not number % _ENTRIES_AT_ONCE:
            budget.spend(entries=_ENTRIES_AT_ONCE)
    budget.spend(entries=1)
    return ZipArchive(content=view, members=members, limits=limits, budget=budget, end=begin)


def _find_directory(view: memoryview) -> tuple[int, int, int]:
    """Answer where the central directory begins, its size, and what has to be added to the offsets in it (the size of what precedes the archive).

    The record counts that is nearest to the end of the file and fits: its comment ends with the file, or it points at a directory.
    """
    base = max(0, len(view) - _END.size - _COMMENT)
    tail = bytes(view[base:])
    place = tail.rfind(_END_MAGIC)
    while place >= 0:
        if len(tail) - place >= _END.size:
            _, count, size, offset, comment = _END.unpack_from(tail, place)
            begin, size, start = _place_directory(view, base + place, count, size, offset)
            is_last = base + place + _END.size + comment == len(view)
            if start >= 0 and (is_last or view[begin : begin + 4] == _ENTRY_MAGIC):
                return begin, size, start
        place = tail.rfind(_END_MAGIC, 0, place + 3)
    raise InvalidRecord("expected a zip archive: it has no end record")


def _place_directory(view: memoryview, end: int, count: int, size: int, offset: int) -> tuple[int, int, int]:
    """As `_find_directory`, of an end record at `end`, which may leave what is large to a zip64 record before it."""
    locator = bytes(view[max(0, end - _LOCATOR_64.size) : end])
    is_wide = count == _ESCAPE_16 or _ESCAPE_32 in (size, offset)
    if is_wide and len(locator) == _LOCATOR_64.size and locator.startswith(_LOCATOR_64_MAGIC):
        near, named = max(0, end - _LOCATOR_64.size - _END_64.size), _LOCATOR_64.unpack(locator)[1]
        for place in (near, named):  # the latter is wrong where something precedes the archive
            record = bytes(view[place : place + _END_64.size])
            if len(record) == _END_64.size and record.startswith(_END_64_MAGIC):
                _, _, size, offset = _END_64.unpack(record)
                return place - size, size, place - size - offset
    return end - size, size, end - size - offset


def _read_directory(directory: memoryview) -> Iterator[tuple[str, memoryview]]:
    """Yield the name and the bytes of each entry. The record's own count is not believed: it wraps in archives of more than 65,535 members."""
    place, size = 0, len(directory)
    while place < size:
        if place + _ENTRY.size > size:
            raise InvalidRecord("a zip directory that ends inside of an entry")
        magic, _, _, _, _, _, name_size, extra_size, comment_size, _ = _ENTRY.unpack_from(directory, place)
        if magic != _ENTRY_MAGIC:
            raise InvalidRecord("expected an entry of a zip directory")
        name = place + _ENTRY.size
        end = name + name_size + extra_size + comment_size
        if end > size:
            raise InvalidRecord("a zip directory that ends inside of an entry")
        yield str(directory[name : name + name_size], "utf-8", "backslashreplace"), directory[place:end]
        place = end


def _parse_entry(entry: memoryview, start: int) -> ZipMember:
    _, flags, method, crc, packed, size, name_size, extra_size, _, offset = _ENTRY.unpack_from(entry)
    if _ESCAPE_32 in (packed, size, offset):
        extra = entry[_ENTRY.size + name_size : _ENTRY.size + name_size + extra_size]
        size, packed, offset = _widen(extra, (size, packed, offset))
    return ZipMember(flags=flags, method=method, crc=crc, packed=packed, size=size, offset=start + offset)


def _widen(extra: memoryview, values: tuple[int, int, int]) -> tuple[int, int, int]:
    """Replace what does not fit 32 bits by the values of the zip64 extra field (4.5.3), which come in this order and only for those."""
    place = 0
    while place + _EXTRA.size <= len(extra):
        kind, length = _EXTRA.unpack_from(extra, place)
        place += _EXTRA.size
        if kind == _EXTRA_64:
            wide = _words(extra[place : place + length])
            size, packed, offset = (next(wide, value) if value == _ESCAPE_32 else value for value in values)
            return size, packed, offset
        place += length
    return values


def _words(raw: memoryview) -> Iterator[int]:
    return (int.from_bytes(raw[place : place + 8], "little") for place in range(0, len(raw) - 7, 8))


def _inflate(packed: memoryview, size: int) -> bytearray:
    """Inflate at most `size` bytes, piece by piece: zlib's own buffer would take twice the memory.

    Raises InvalidRecord for broken data and for other than `size` bytes.
    """
    plain = bytearray(size)
    filled = 0
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for place in range(0, len(packed), _CHUNK):
            piece = stream.decompress(packed[place : place + _CHUNK], size - filled + 1)
            if filled + len(piece) > size:
                raise InvalidRecord("a zip member that is larger than its header says")
            plain[filled : filled + len(piece)] = piece
            filled += len(piece)
            if stream.eof:
                break
    except zlib.error as error:
        raise InvalidRecord(f"a zip member that cannot be inflated: {error}") from error
    if filled != size or not stream.eof:
        raise InvalidRecord("a zip member that ends early")
    return plain
