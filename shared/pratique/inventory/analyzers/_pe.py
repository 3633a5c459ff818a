"""PE files (Windows programs), as far as finding data in them needs it: sections by name, and addresses. Source: Microsoft's "PE Format"."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from pratique.inventory.analyzers._executable import PE_MAGIC, Section, cut_section

MAX_SECTIONS = 96  # what Windows loads

_FILE_HEADER = Struct("<4sHHIIIHH")
_SECTION = Struct("<8sIIIIIIHHI")
_PE_OFFSET_AT = Struct("<I")
_BASE_32, _BASE_64 = (Struct("<I"), 28), (Struct("<Q"), 24)  # ImageBase, and where it stands in the optional header
_PE32_PLUS = 0x20B
_WRITABLE_DATA = 0xC0000040  # initialised, readable, writable
_ALIGNMENT = 0x00F00000
_UPX_SECTION = b"UPX0"


class _SectionHeader(NamedTuple):
    name: bytes
    virtual_size: int
    address: int
    size: int
    offset: int
    characteristics: int


class Pe(NamedTuple):
    """A PE file. `base` is the address in memory that the sections' own addresses count from."""

    content: bytes
    base: int
    sections: tuple[_SectionHeader, ...]

    def section(self, name: bytes) -> Section | None:
        """Find the first section of that name (at most eight bytes) that has bytes in the file."""
        return next((self._cut(header) for header in self.sections if header.name == name), None)

    def first_data(self) -> Section | None:
        """Find the first section of initialised data that a program may write."""
        writable = (header for header in self.sections if header.characteristics & ~_ALIGNMENT == _WRITABLE_DATA)
        return next((self._cut(header) for header in writable if header.address and header.size), None)

    def at(self, address: int) -> Section | None:
        """Find the bytes from an address in memory up to the end of its section."""
        for header in self.sections:
            skipped = address - self.base - header.address
            if 0 <= skipped < header.size:
                return cut_section(self.content, address, header.offset + skipped, header.size - skipped)
        return None

    def is_packed(self) -> bool:
        """Tell whether UPX packed it: it names its sections."""
        return any(header.name == _UPX_SECTION for header in self.sections)

    def _cut(self, header: _SectionHeader) -> Section | None:
        return cut_section(self.content, self.base + header.address, header.offset, header.size)


def open_pe(content: bytes) -> Pe | None:
    """Read the headers of a PE file; None for what is none, as old DOS programs are."""
    if not content.startswith(PE_MAGIC) or len(content) < 64:  # noqa: PLR2004 - the DOS header, which ends with the offset of the other one
        return None
    (start,) = _PE_OFFSET_AT.unpack_from(content, 60)
    optional = start + _FILE_HEADER.size
    if content[start : start + 4] != b"PE\0\0" or len(content) < optional + 32:
        return None
    _, _, count, _, _, _, optional_size, _ = _FILE_HEADER.unpack_from(content, start)
    number, place = _BASE_64 if int.from_bytes(content[optional : optional + 2], "little") == _PE32_PLUS else _BASE_32
    (base,) = number.unpack_from(content, optional + place) if optional_size else (0,)
    table = optional + optional_size
    count = min(count, MAX_SECTIONS, max(0, len(content) - table) // _SECTION.size)
    return Pe(content, base, tuple(_read_section(content, table + index * _SECTION.size) for index in range(count)))


def _read_section(content: bytes, start: int) -> _SectionHeader:
    name, virtual_size, address, size, offset, _, _, _, _, characteristics = _SECTION.unpack_from(content, start)
    return _SectionHeader(name.rstrip(b"\0"), virtual_size, address, size, offset, characteristics)
