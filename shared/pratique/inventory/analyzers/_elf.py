"""ELF files: sections by name, addresses, notes and symbols, without copying anything of the file.

Every ELF file of an image passes here several times, so that the usual answer ("no such section") must take a few microseconds: a name is searched in the
table of names first, and section headers are read only if it stands there. Source: gabi 4.1, chapters 4 and 5; elf(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from pratique.inventory.analyzers._executable import ELF_MAGIC, Section, cut_section

MAX_PROGRAM_HEADERS = 256  # linkers write some 15; each look-up of an address walks them
MAX_NOTES = 64  # of one segment: linkers write one to three
MAX_NAME_HITS = 1_000  # places where a symbol's name may stand: a table of repeated names must not cost memory
MAX_SYMBOLS = 1_000  # of a table with a name that is asked for: callers look up the address of each, which takes time

_PT_LOAD, _PT_NOTE = 1, 4
_PF_X, _PF_W = 1, 2
_SHT_SYMTAB, _SHT_NOBITS, _SHT_DYNSYM = 2, 8, 11
_SHN_XINDEX = 0xFFFF
_UPX_MARK, _UPX_WITHIN = b"UPX!", 1024  # right behind the program headers, of which there are three or four then


class _Layout(NamedTuple):
    """How one class and byte order lays its tables out; `program` are the places of type, flags, offset, address and size in a program header."""

    big_endian: bool
    header: Struct
    program: Struct
    program_fields: tuple[int, int, int, int, int]
    section: Struct
    symbol: Struct
    symbol_fields: tuple[int, int, int]
    note: Struct


def _layout(*, order: str, is_64: bool) -> _Layout:
    return _Layout(
        big_endian=order == ">",
        header=Struct(order + ("16xHHIQQQIHHHHHH" if is_64 else "16xHHIIIIIHHHHHH")),
        program=Struct(order + ("IIQQQQQQ" if is_64 else "IIIIIIII")),
        program_fields=(0, 1, 2, 3, 5) if is_64 else (0, 6, 1, 2, 4),
        section=Struct(order + ("IIQQQQIIQQ" if is_64 else "IIIIIIIIII")),
        symbol=Struct(order + ("IBBHQQ" if is_64 else "IIIBBH")),
        symbol_fields=(0, 4, 5) if is_64 else (0, 1, 2),
        note=Struct(order + "III"),
    )


_LAYOUTS = {
    b"\x01\x01": _layout(order="<", is_64=False),
    b"\x01\x02": _layout(order=">", is_64=False),
    b"\x02\x01": _layout(order="<", is_64=True),
    b"\x02\x02": _layout(order=">", is_64=True),
}


class _SectionHeader(NamedTuple):
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


class Segment(NamedTuple):
    """A program header: `offset` and `size` in the file as written, which may reach beyond its end."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int


class Symbol(NamedTuple):
    """A symbol's address in memory and the size of what lies there."""

    name: bytes
    address: int
    size: int


class Elf(NamedTuple):
    """An ELF file. Tables that lie outside of `content`, as in the head of a large file, count as absent."""

    content: bytes
    layout: _Layout
    segments_at: int
    segment_count: int
    sections_at: int
    section_count: int
    names_at: int
    names_end: int

    @property
    def has_sections(self) -> bool:
        """Tell whether there is a table of sections with names."""
        return self.names_end > 0

    def section(self, name: bytes) -> Section | None:
        """Find the first section of that name that has bytes in the file (those of separate debug files have none)."""
        wanted = name + b"\0"
        if self.content.find(wanted, self.names_at, self.names_end) < 0:
            return None
        for header in self._section_headers():
            if header.kind != _SHT_NOBITS and self.content.startswith(wanted, self.names_at + header.name):
                return cut_section(self.content, header.address, header.offset, header.size)
        return None

    def segments(self) -> Iterator[Segment]:
        """Yield the program headers."""
        kind, flags, offset, address, size = self.layout.program_fields
        start, length = self.segments_at, self.segment_count * self.layout.program.size
        for fields in self.layout.program.iter_unpack(memoryview(self.content)[start : start + length]):
            yield Segment(fields[kind], fields[flags], fields[offset], fields[address], fields[size])

    def first_data(self) -> Section | None:
        """Find the first segment that a program may write and not execute."""
        for segment in self.segments():
            if segment.kind == _PT_LOAD and segment.flags & (_PF_X | _PF_W) == _PF_W:
                return cut_section(self.content, segment.address, segment.offset, segment.size)
        return None

    def at(self, address: int) -> Section | None:
        """Find the bytes from an address in memory up to the end of its segment."""
        for segment in self.segments():
            skipped = address - segment.address
            if segment.kind == _PT_LOAD and 0 <= skipped < segment.size:
                return cut_section(self.content, address, segment.offset + skipped, segment.size - skipped)
        return None

    def is_packed(self) -> bool:
        """Tell whether UPX packed it: its mark stands behind the program headers."""
        return self.content.find(_UPX_MARK, 0, _UPX_WITHIN) >= 0

    def has_note(self, owner: bytes, kind: int) -> bool:
        """Tell whether a note segment has such a note."""
        return next(self.notes(owner, kind), None) is not None

    def notes(self, owner: bytes, kind: int) -> Iterator[Section]:
        """Yield what the notes of that owner (with its closing zero) and kind say, from the note segments."""
        for segment in self.segments():
            if segment.kind == _PT_NOTE:
                area = cut_section(self.content, segment.address, segment.offset, segment.size)
                yield from self.notes_in(area, owner, kind) if area else ()

    def notes_in(self, area: Section, owner: bytes, kind: int) -> Iterator[Section]:
        """Yield what the notes of that owner and kind say in a section or segment of notes; what is broken ends it."""
        position = area.offset
        for _ in range(MAX_NOTES):
            if position + self.layout.note.size > area.end:
                return
            owner_size, size, found = self.layout.note.unpack_from(self.content, position)
            position += self.layout.note.size
            start = position + _aligned(owner_size)
            if found == kind and start + size <= area.end and self.content[position : position + min(owner_size, 64)] == owner:
                yield Section(area.address + start - area.offset, start, size)
            position = start + _aligned(size)

    def symbols(self, ending: bytes) -> Iterator[Symbol]:
        """Yield the symbols of which the name ends so, first the exported ones, then those of the full table."""
        headers = [header for header in self._section_headers() if header.kind in (_SHT_SYMTAB, _SHT_DYNSYM)]
        for header in sorted(headers, key=lambda header: -header.kind)[:2]:
            names = self._section_header(header.link)
            table = cut_section(self.content, header.address, header.offset, header.size)
            if names is not None and table is not None:
                yield from self._symbols_in(table, names, ending)

    def _symbols_in(self, table: Section, names: _SectionHeader, ending: bytes) -> Iterator[Symbol]:
        starts = self._name_starts(names, ending + b"\0")
        if not starts:
            return
        name, address, size = self.layout.symbol_fields
        whole = table.size - table.size % self.layout.symbol.size
        entries = self.layout.symbol.iter_unpack(memoryview(self.content)[table.offset : table.offset + whole])
        found = (fields for fields in entries if fields[name] in starts)
        for fields in islice(found, MAX_SYMBOLS):
            yield Symbol(starts[fields[name]], fields[address], fields[size])

    def _name_starts(self, names: _SectionHeader, wanted: bytes) -> dict[int, bytes]:
        """Where in a table of names those begin that end so; a name may also be the end of a longer one, which linkers store once."""
        starts: dict[int, bytes] = {}
        end, found = names.offset + names.size, names.offset - 1
        for _ in range(MAX_NAME_HITS):
            found = self.content.find(wanted, found + 1, end)
            if found < 0:
                break
            behind = found + len(wanted) - 1
            starts[found - names.offset] = self.content[found:behind]
            start = self.content.rfind(b"\0", max(names.offset, found - 512), found) + 1
            if start > 0:
                starts[start - names.offset] = self.content[start:behind]
        return starts

    def _section_headers(self) -> Iterator[_SectionHeader]:
        end = self.sections_at + self.section_count * self.layout.section.size
        return map(_SectionHeader._make, self.layout.section.iter_unpack(memoryview(self.content)[self.sections_at : end]))

    def _section_header(self, index: int) -> _SectionHeader | None:
        if index >= self.section_count:
            return None
        return _SectionHeader._make(self.layout.section.unpack_from(self.content, self.sections_at + index * self.layout.section.size))


def open_elf(content: bytes) -> Elf | None:
    """Read the header of an ELF file; None for what is none."""
    layout = _LAYOUTS.get(content[4:6])
    if layout is None or len(content) < layout.header.size or not content.startswith(ELF_MAGIC):
        return None
    header = layout.header.unpack_from(content)
    _, _, _, _, segments_at, sections_at, _, _, segment_size, segment_count, section_size, section_count, names_index = header
    if segment_size != layout.program.size or segments_at + segment_count * segment_size > len(content):
        segment_count = 0
    if section_size != layout.section.size or not sections_at:
        section_count = names_index = 0
    elif not section_count or names_index == _SHN_XINDEX:
        section_count, names_index = _extended_counts(content, layout, sections_at, section_count, names_index)
    names_at, names_end = _names(content, layout, sections_at, section_count, names_index)
    if not names_end:
        section_count = 0
    return Elf(content, layout, segments_at, min(segment_count, MAX_PROGRAM_HEADERS), sections_at, section_count, names_at, names_end)


def _names(content: bytes, layout: _Layout, sections_at: int, count: int, index: int) -> tuple[int, int]:
    """Where the names of sections begin and end; twice 0 if there are none or the table does not lie in the content."""
    if index >= count or sections_at + count * layout.section.size > len(content):
        return 0, 0
    header = layout.section.unpack_from(content, sections_at + index * layout.section.size)
    start, size = header[4], header[5]
    return (start, start + size) if start < len(content) else (0, 0)


def _extended_counts(content: bytes, layout: _Layout, sections_at: int, count: int, index: int) -> tuple[int, int]:
    """The numbers of sections and of the one with names, which the first section header holds where they do not fit."""
    try:
        first = _SectionHeader._make(layout.section.unpack_from(content, sections_at))
    except (struct_error, OverflowError):  # an offset beyond the content, or beyond what memory can have
        return 0, 0
    return count or first.size, first.link if index == _SHN_XINDEX else index


def _aligned(size: int) -> int:
    return (size + 3) & ~3
