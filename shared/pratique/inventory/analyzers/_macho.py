"""Mach-O files (macOS programs), universal ones too, as far as finding data in them needs it. Source: mach-o/loader.h, mach-o/fat.h."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from pratique.inventory.analyzers._executable import FAT_MAGICS, MACHO_MAGICS, Section, cut_section

MAX_COMMANDS = 512  # linkers write some 20 load commands
MAX_SECTIONS = 255  # what a symbol can name

_FAT_HEADER, _FAT_ARCHITECTURE = 8, Struct(">IIIII")
_READ_WRITE = 3


class _Layout(NamedTuple):
    big_endian: bool
    header: Struct
    command: Struct
    segment_command: int
    segment: Struct
    section: Struct


def _layout(*, order: str, is_64: bool) -> _Layout:
    return _Layout(
        big_endian=order == ">",
        header=Struct(order + ("IIIIIIII" if is_64 else "IIIIIII")),
        command=Struct(order + "II"),
        segment_command=0x19 if is_64 else 0x1,
        segment=Struct(order + ("II16sQQQQIIII" if is_64 else "II16sIIIIIIII")),
        section=Struct(order + ("16s16sQQIIIIIIII" if is_64 else "16s16sIIIIIIIII")),
    )


_LAYOUTS = {
    b"\xfe\xed\xfa\xce": _layout(order=">", is_64=False),
    b"\xfe\xed\xfa\xcf": _layout(order=">", is_64=True),
    b"\xce\xfa\xed\xfe": _layout(order="<", is_64=False),
    b"\xcf\xfa\xed\xfe": _layout(order="<", is_64=True),
}


class _Segment(NamedTuple):
    name: bytes
    address: int
    offset: int
    size: int
    is_data: bool
    sections_at: int
    section_count: int


class MachO(NamedTuple):
    """A Mach-O file of one architecture."""

    content: bytes
    layout: _Layout
    segments: tuple[_Segment, ...]

    def section(self, name: bytes) -> Section | None:
        """Find the first section of that name (without its segment's) that has bytes in the file."""
        for segment in self.segments:
            for index in range(segment.section_count):
                found, _, address, size, offset, *_ = self.layout.section.unpack_from(
                    self.content, segment.sections_at + index * self.layout.section.size
                )
                if found.rstrip(b"\0") == name and offset:
                    return cut_section(self.content, address, offset, size)
        return None

    def first_data(self) -> Section | None:
        """Find the first segment that a program may read and write, and not execute."""
        for segment in self.segments:
            if segment.is_data and segment.address and segment.size:
                return cut_section(self.content, segment.address, segment.offset, segment.size)
        return None

    def at(self, address: int) -> Section | None:
        """Find the bytes from an address in memory up to the end of its segment."""
        for segment in self.segments:
            skipped = address - segment.address
            if 0 <= skipped < segment.size and segment.name != b"__PAGEZERO":
                return cut_section(self.content, address, segment.offset + skipped, segment.size - skipped)
        return None

    def is_packed(self) -> bool:
        """UPX no longer packs these."""
        return False


def open_macho(content: bytes) -> Iterator[MachO]:
    """Yield the Mach-O files of a plain or a universal one, each with its own copy of its part; nothing for what is neither."""
    if content.startswith(FAT_MAGICS):
        for part in _parts(content):
            yield from _open_thin(part)
    elif content.startswith(MACHO_MAGICS):
        yield from _open_thin(content)


def _parts(content: bytes) -> Iterator[bytes]:
    """The parts of a universal file, one after the other; a part cannot begin before the one before it ended, so that all take no more than the file."""
    end = 0
    for index in range(content[7]):
        place = _FAT_HEADER + index * _FAT_ARCHITECTURE.size
        if place + _FAT_ARCHITECTURE.size > len(content):
            return
        _, _, offset, size, _ = _FAT_ARCHITECTURE.unpack_from(content, place)
        if offset >= end:
            yield content[offset : offset + size]
            end = offset + size


def _open_thin(content: bytes) -> Iterator[MachO]:
    layout = _LAYOUTS.get(content[:4])
    if layout is not None and len(content) >= layout.header.size:
        yield MachO(content, layout, tuple(_segments(content, layout)))


def _segments(content: bytes, layout: _Layout) -> Iterator[_Segment]:
    count = layout.header.unpack_from(content)[4]
    position = layout.header.size
    for _ in range(min(count, MAX_COMMANDS)):
        if position + layout.command.size > len(content):
            return
        command, size = layout.command.unpack_from(content, position)
        if command == layout.segment_command and position + layout.segment.size <= len(content):
            yield _read_segment(content, layout, position)
        position += max(size, layout.command.size)


def _read_segment(content: bytes, layout: _Layout, position: int) -> _Segment:
    _, size, name, address, _, offset, length, maximum, initial, count, _ = layout.segment.unpack_from(content, position)
    sections_at = position + layout.segment.size
    room = min(len(content), position + size) - sections_at
    return _Segment(
        name=name.rstrip(b"\0"),
        address=address,
        offset=offset,
        size=length,
        is_data=maximum == initial == _READ_WRITE,
        sections_at=sections_at,
        section_count=min(count, MAX_SECTIONS, max(0, room) // layout.section.size),
    )
