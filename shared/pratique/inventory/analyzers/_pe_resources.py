"""Portable executables (`.dll`, `.exe`): whether they hold .NET code, and the strings of their version resource.

Formats: Microsoft's "PE Format" (headers, "The .rsrc Section") and "VS_VERSIONINFO structure"; ECMA-335 II.25.3.3 for the header of .NET code. Whatever does not fit is no
such file or has no such strings: Windows and .NET run files without a version resource, so that none is no error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct, error

MAX_SECTIONS = 96  # what Windows loads
MAX_TYPES = 4_096  # entries of the resource directory's first level; real ones have ten
MAX_VERSIONS = 16  # version resources tried, one a language
MAX_NODES = 1_000  # blocks and strings of one version resource; real ones have thirty

_DOS = Struct("<2s58xL")
_PE = Struct("<4s2xH12xH2xH")  # signature, sections, size of the optional header, its magic
_SECTION = Struct("<8xLLLL16x")  # virtual size and address, size and offset in the file
_DIRECTORY = Struct("<LL")  # address, size
_RESOURCES = Struct("<12xHH")  # entries by name, by number
_ENTRY = Struct("<LL")  # name or number, offset
_NODE = Struct("<HHH")  # length, length of the value, type
_FIXED = Struct("<L4xLL")  # signature, file version
_PE_SIZE = 24  # signature and file header: the optional header follows
_DIRECTORIES_AT = {0x10B: 96, 0x20B: 112}  # in the optional header, by its magic: 32 and 64 bits
_RESOURCE_DIRECTORY, _DOTNET_DIRECTORY = 2, 14
_VERSION_TYPE = 16
_SUBDIRECTORY = 1 << 31
_FIXED_MAGIC = 0xFEEF04BD
_FIXED_SIZE = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    address: int
    size: int
    offset: int
    stored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PortableExecutable:
    """The headers of such a file. `end` is where its last section ends: what lies behind was appended. `is_managed` says that it holds .NET code."""

    content: memoryview
    sections: tuple[_Section, ...]
    resources: tuple[int, int]
    is_managed: bool

    @property
    def end(self) -> int:
        """The end of the last section, in bytes."""
        return max((section.offset + section.stored for section in self.sections), default=0)

    def bytes_at(self, address: int, size: int) -> memoryview:
        """What is loaded to an address: as much of it as there is in the file."""
        for section in self.sections:
            inside = address - section.address
            if 0 <= inside < max(section.size, section.stored):
                begin = section.offset + inside
                return self.content[begin : min(begin + size, section.offset + section.stored)]
        return self.content[:0]


def read_pe(content: bytes) -> PortableExecutable | None:
    """Return the headers, or None for another kind of file. Never raises."""
    if not content.startswith(b"MZ"):
        return None
    view = memoryview(content)
    try:
        _, at = _DOS.unpack_from(view)
        signature, count, optional_size, magic = _PE.unpack_from(view, at)
        if signature != b"PE\0\0" or magic not in _DIRECTORIES_AT or count > MAX_SECTIONS:
            return None
        directories = at + _PE_SIZE + _DIRECTORIES_AT[magic]
        resources = _DIRECTORY.unpack_from(view, directories + _RESOURCE_DIRECTORY * _DIRECTORY.size)
        is_managed = all(_DIRECTORY.unpack_from(view, directories + _DOTNET_DIRECTORY * _DIRECTORY.size))
        table = at + _PE_SIZE + optional_size
        sections = [_SECTION.unpack_from(view, table + number * _SECTION.size) for number in range(count)]
    except error:
        return None
    return PortableExecutable(
        content=view,
        sections=tuple(_Section(size=size, address=address, stored=stored, offset=offset) for size, address, stored, offset in sections),
        resources=resources,
        is_managed=is_managed,
    )


def version_strings(executable: PortableExecutable) -> dict[str, str]:
    """Return the strings of the version resource by key (`ProductVersion`, `OriginalFilename` …), of the first language that has any. Never raises.

    `FileVersion` is taken from the numbers before the strings where no string says it.
    """
    section = executable.bytes_at(*executable.resources)
    try:
        for data_at in _version_entries(section):
            address, size = _DIRECTORY.unpack_from(section, data_at)
            strings = _read_version(executable.bytes_at(address, min(size, 0xFFFF)))
            if strings:
                return strings
    except error:
        pass
    return {}


def _version_entries(section: memoryview) -> Iterator[int]:
    """The offsets of the data of version resources. The tree has three levels, by type, name and language, so that none is walked in circles."""
    left = MAX_VERSIONS
    for kind, by_name in _entries(section, 0, MAX_TYPES):
        if kind == _VERSION_TYPE and by_name & _SUBDIRECTORY:
            for _, by_language in _entries(section, by_name ^ _SUBDIRECTORY, MAX_VERSIONS):
                if by_language & _SUBDIRECTORY:
                    for _, data in _entries(section, by_language ^ _SUBDIRECTORY, left):
                        left -= 1
                        yield data
            return


def _entries(section: memoryview, at: int, limit: int) -> Iterator[tuple[int, int]]:
    named, numbered = _RESOURCES.unpack_from(section, at)
    for number in range(min(named + numbered, limit)):
        yield _ENTRY.unpack_from(section, at + _RESOURCES.size + number * _ENTRY.size)


def _read_version(data: memoryview) -> dict[str, str]:
    root = next(_nodes(data, 0, len(data)), None)
    if root is None or root[0] != "VS_VERSION_INFO":
        return {}
    _, value_at, value_size, end = root
    strings: dict[str, str] = {}
    for block in _nodes(data, _aligned(value_at + value_size), end):
        if block[0] == "StringFileInfo":
            for table in _nodes(data, block[1], block[3]):
                for key, at, _, string_end in _nodes(data, table[1], table[3]):
                    strings.setdefault(key, _read_text(data, at, string_end)[0])
    if not strings.get("FileVersion") and value_size >= _FIXED_SIZE:
        magic, high, low = _FIXED.unpack_from(data, value_at)
        if magic == _FIXED_MAGIC:
            strings["FileVersion"] = f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"
    return strings


def _nodes(data: memoryview, at: int, end: int) -> Iterator[tuple[str, int, int, int]]:
    """Yield key, beginning and length of the value, and end of each node between two offsets: the parts of a version resource are all built like this."""
    for _ in range(MAX_NODES):
        if at + _NODE.size > min(end, len(data)):
            return
        size, value_size, _ = _NODE.unpack_from(data, at)
        if size <= _NODE.size:
            return
        stop = min(at + size, end)
        key, after = _read_text(data, at + _NODE.size, stop)
        yield key, _aligned(after), value_size, stop
        at = _aligned(at + size)


def _read_text(data: memoryview, at: int, end: int) -> tuple[str, int]:
    """Read UTF-16 up to a zero, and answer it with the offset behind that."""
    raw = bytes(data[at : max(at, end)])
    stop = next((place for place in range(0, len(raw) - 1, 2) if raw[place : place + 2] == b"\0\0"), len(raw) & ~1)
    return raw[:stop].decode("utf-16-le", "replace"), at + stop + 2


def _aligned(offset: int) -> int:
    return (offset + 3) & ~3
