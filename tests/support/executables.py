"""Executables made by hand: as small as their readers take them, in every class and byte order."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

BASE = 0x40_0000
"""The address in memory of the first byte of a file made here."""

Data = bytes | Callable[[int], bytes]
"""A section's bytes, or what makes them from the section's address."""

ALL_ELF = ((64, "<"), (64, ">"), (32, "<"), (32, ">"))
"""Bits and byte order (as in `struct`) of every kind of ELF file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfSpec:
    """What to make: `sections` in the order of the file, one segment that holds everything, and one of the notes if a section is named like one."""

    sections: Mapping[bytes, Data]
    bits: int = 64
    order: str = "<"
    with_table: bool = True
    symbols: Mapping[bytes, tuple[bytes, int]] | None = None
    """Name to section and size of what it names."""

    @property
    def is_64(self) -> bool:
        return self.bits == 64


def make_elf(spec: ElfSpec) -> bytes:
    """An ELF file: headers, sections on multiples of 16, names, table of sections."""
    header_size, program_size, section_size = (64, 56, 64) if spec.is_64 else (52, 32, 40)
    body = bytearray(header_size + 2 * program_size)
    placed: dict[bytes, tuple[int, int, int, int]] = {}  # offset, size, kind, link
    for name, data in spec.sections.items():
        placed[name] = (*_append(body, data), 1, 0)
    if spec.symbols is not None:
        names = b"\0" + b"".join(name + b"\0" for name in spec.symbols)
        placed[b".strtab"] = (*_append(body, names), 3, 0)
        link = 1 + list(placed).index(b".strtab")
        placed[b".symtab"] = (*_append(body, _symbols(spec, names, placed)), 2, link)
    table = b"\0" + b"".join(name + b"\0" for name in placed) + b".shstrtab\0"
    placed[b".shstrtab"] = (*_append(body, table), 3, 0)
    body += bytes(-len(body) % 16)
    sections_at = len(body)
    sections = bytes(section_size)
    for name, (offset, size, kind, link) in placed.items():
        sections += struct.pack(
            spec.order + ("IIQQQQIIQQ" if spec.is_64 else "IIIIIIIIII"),
            table.index(name + b"\0"),
            kind,
            0,
            BASE + offset,
            offset,
            size,
            link,
            0,
            16,
            0,
        )
    if spec.with_table:
        body += sections
    notes = next((value for name, value in placed.items() if name.startswith(b".note")), (0, 0, 0, 0))
    programs = _program(spec, 1, 0, len(body)) + _program(spec, 4, notes[0], notes[1])
    count = len(placed) + 1 if spec.with_table else 0
    ident = b"\x7fELF" + bytes([2 if spec.is_64 else 1, 2 if spec.order == ">" else 1, 1]) + bytes(9)
    header = ident + struct.pack(
        spec.order + ("HHIQQQIHHHHHH" if spec.is_64 else "HHIIIIIHHHHHH"),
        *(
            2,
            62,
            1,
            BASE,
            header_size,
            sections_at if count else 0,
            0,
            header_size,
            program_size,
            2,
            section_size,
            count,
            count - 1 if count else 0,
        ),
    )
    body[: header_size + 2 * program_size] = header + programs
    return bytes(body)


def make_pe(sections: Mapping[bytes, tuple[int, Data]], *, bits: int = 64) -> bytes:
    """A PE file: sections by name, with their characteristics."""
    optional = struct.pack("<H22xQ", 0x20B, BASE) if bits == 64 else struct.pack("<H26xI", 0x10B, BASE)
    optional += bytes(32)
    start = 64
    body = bytearray(start + 24 + len(optional) + 40 * len(sections))
    headers = b""
    for name, (characteristics, data) in sections.items():
        offset, size = _append(body, data)
        headers += struct.pack("<8sIIIIIIHHI", name, size, offset, size, offset, 0, 0, 0, 0, characteristics)
    dos = b"MZ" + bytes(58) + struct.pack("<I", start)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, len(sections), 0, 0, 0, len(optional), 0)
    head = dos + coff + optional + headers
    body[: len(head)] = head
    return bytes(body)


def make_macho(sections: Mapping[bytes, Data], *, bits: int = 64, order: str = "<", with_sections: bool = True) -> bytes:
    """A Mach-O file: a page of nothing, and one writable segment that holds everything."""
    is_64 = bits == 64
    header_size, segment_size, section_size = (32, 72, 80) if is_64 else (28, 56, 68)
    count = len(sections) if with_sections else 0
    body = bytearray(header_size + 2 * segment_size + count * section_size)
    table = b""
    for name, data in sections.items():
        offset, size = _append(body, data)
        table += struct.pack(
            order + ("16s16sQQIIIIIIII" if is_64 else "16s16sIIIIIIIII"),
            name,
            b"__DATA",
            BASE + offset,
            size,
            offset,
            4,
            0,
            0,
            0,
            0,
            0,
            *([0] * is_64),
        )
    segment = order + ("II16sQQQQIIII" if is_64 else "II16sIIIIIIII")
    command = 0x19 if is_64 else 1
    nothing = struct.pack(segment, command, segment_size, b"__PAGEZERO", 0, BASE, 0, 0, 0, 0, 0, 0)
    data_segment = struct.pack(
        segment, command, segment_size + count * section_size, b"__DATA", BASE, len(body), 0, len(body), 3, 3, count, 0
    )
    magic = 0xFEEDFACF if is_64 else 0xFEEDFACE
    header = struct.pack(order + "IIIIIII", magic, 7, 3, 2, 2, 2 * segment_size + count * section_size, 0) + bytes(4 * is_64)
    head = header + nothing + data_segment + (table if with_sections else b"")
    body[: len(head)] = head
    return bytes(body)


def make_universal(*parts: bytes) -> bytes:
    """A universal binary of several Mach-O files."""
    body = bytearray(8 + 20 * len(parts))
    headers = b"\xca\xfe\xba\xbe" + struct.pack(">I", len(parts))
    for part in parts:
        offset, size = _append(body, part)
        headers += struct.pack(">IIIII", 7, 3, offset, size, 4)
    body[: len(headers)] = headers
    return bytes(body)


def make_note(owner: bytes, kind: int, text: bytes, order: str = "<") -> bytes:
    """An ELF note."""
    return struct.pack(order + "III", len(owner), len(text), kind) + owner + bytes(-len(owner) % 4) + text + bytes(-len(text) % 4)


def _append(body: bytearray, data: Data) -> tuple[int, int]:
    body += bytes(-len(body) % 16)
    offset = len(body)
    content = data if isinstance(data, bytes) else data(BASE + offset)
    body += content
    return offset, len(content)


def _program(spec: ElfSpec, kind: int, offset: int, size: int) -> bytes:
    flags = 6
    if spec.is_64:
        return struct.pack(spec.order + "IIQQQQQQ", kind, flags, offset, BASE + offset, 0, size, size, 16)
    return struct.pack(spec.order + "IIIIIIII", kind, offset, BASE + offset, 0, size, size, flags, 16)


def _symbols(spec: ElfSpec, names: bytes, placed: Mapping[bytes, tuple[int, int, int, int]]) -> bytes:
    table = bytes(24 if spec.is_64 else 16)
    for name, (section, size) in (spec.symbols or {}).items():
        place, address = names.index(name + b"\0"), BASE + placed[section][0]
        if spec.is_64:
            table += struct.pack(spec.order + "IBBHQQ", place, 1, 0, 1, address, size)
        else:
            table += struct.pack(spec.order + "IIIBBH", place, address, size, 1, 0, 1)
    return table
