"""Single-file .NET applications: an executable with a `.deps.json`, assemblies and more appended.

The executable holds a signature, before which the SDK writes where the bundle's header lies. Format: dotnet/designs, `accepted/2020/single-file/bundler.md`; dotnet/runtime,
`src/native/corehost/bundle/header.h`. The `.deps.json` in it is never compressed.
"""

from __future__ import annotations

from struct import Struct, error

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._dotnet_deps import MAX_DEPS_BYTES

MAX_HOST_BYTES = 32 * 1024 * 1024  # the executable part, which is searched; with the runtime linked into it, it has some 15 MB
MAX_FILES = 50_000  # of a manifest that is read only to find one of them
SIGNATURE = bytes.fromhex("8b1202b96a6120 38727b930214d7a03213f5b9e6efae3318ee3b2dce24b36aae")  # SHA-256 of ".net core bundle"

_ELF_64, _ELF_32 = Struct("<40xQ10xHH"), Struct("<32xL10xHH")  # offset of the section headers, size and number of them
_HEADER = Struct("<LLl")  # major, minor, number of files
_PLACES = Struct("<qqqqQ")  # from version 2: offset and size of .deps.json, of .runtimeconfig.json, flags
_ENTRY, _ENTRY_6 = Struct("<qqB"), Struct("<qqqB")  # offset, size, from version 6 packed size, kind
_DEPS_JSON = 3
_MAJOR_WITH_PLACES, _MAJOR_WITH_PACKED = 2, 6
_OFFSET_SIZE = 8


def elf_end(content: bytes) -> int:
    """Where an ELF file ends, which is with its section headers, for all that linkers make; 0 if it has none. What lies behind was appended. Never raises."""
    try:
        at, size, count = (_ELF_64 if content[4:5] == b"\2" else _ELF_32).unpack_from(content)
    except error:
        return 0
    return int(at + size * count)


def find_bundle(content: bytes, host_end: int) -> int:
    """Return the offset of the bundle's header in an executable of `host_end` bytes with something appended, or 0 if that is no bundle."""
    place = content.find(SIGNATURE, _OFFSET_SIZE, min(host_end, MAX_HOST_BYTES))
    return int.from_bytes(content[place - _OFFSET_SIZE : place], "little") if place >= 0 else 0


def read_deps(content: bytes, header_at: int) -> bytes:
    """Return the bundle's `.deps.json`, or nothing if it has none. Raises InvalidRecord for a bundle that breaks its format, LimitExceeded."""
    try:
        at, size = _place_deps(content, header_at)
    except (error, OverflowError) as cause:  # the latter: an offset beyond what Python counts with
        raise InvalidRecord("a single-file .NET application whose bundle ends early") from cause
    if size > MAX_DEPS_BYTES:
        raise LimitExceeded(f"a single-file .NET application with a .deps.json of {size} bytes")
    if at < 0 or size < 0 or at + size > len(content):
        raise InvalidRecord("a single-file .NET application whose .deps.json lies outside of it")
    return content[at : at + size]


def _place_deps(content: bytes, at: int) -> tuple[int, int]:
    major, _, count = _HEADER.unpack_from(content, at)
    at = _skip_text(content, at + _HEADER.size)
    if major >= _MAJOR_WITH_PLACES:
        offset, size, _, _, _ = _PLACES.unpack_from(content, at)
        return offset, size
    if count > MAX_FILES:
        raise LimitExceeded(f"a single-file .NET application of {count} files")
    layout = _ENTRY_6 if major >= _MAJOR_WITH_PACKED else _ENTRY
    for _ in range(count):
        entry = layout.unpack_from(content, at)
        if entry[-1] == _DEPS_JSON:
            return entry[0], entry[1]
        at = _skip_text(content, at + layout.size)
    return 0, 0


def _skip_text(content: bytes, at: int) -> int:
    """Skip a string with its length before it, seven bits a byte, the lowest first."""
    length = 0
    for number, byte in enumerate(content[at : at + 5]):
        length |= (byte & 0x7F) << 7 * number
        if not byte & 0x80:
            return at + number + 1 + length
    raise InvalidRecord("a single-file .NET application with a broken string in its bundle")
