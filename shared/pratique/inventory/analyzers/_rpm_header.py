"""One package's header as rpm stores it: an index of tags, and a store of their values (rpm manual, "RPM v4 format", "Header Structure").

Big-endian. `tags` and `size` (4 bytes each), then `tags` entries of tag, type, offset and count, then `size` bytes of store. A tag that comes twice was replaced when
the package was installed: the later one counts, as in rpm.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from pratique.errors import InvalidRecord

NAME = 1000
VERSION = 1001
RELEASE = 1002
EPOCH = 1003
VENDOR = 1011
LICENSE = 1014
ARCH = 1022
FILE_STATES = 1029
FILE_MODES = 1030
FILE_DIGESTS = 1035
FILE_FLAGS = 1037
SOURCE_RPM = 1044
DIRECTORY_INDEXES = 1116
BASE_NAMES = 1117
DIRECTORY_NAMES = 1118
FILE_DIGEST_ALGORITHM = 5011
MODULARITY_LABEL = 5096

MAX_TAGS = 0xFFFF  # as in rpm; a real header has some 100
MAX_VALUES = 0xFFFFF  # as in rpm: a million files in one package

_WANTED = frozenset(
    {NAME, VERSION, RELEASE, EPOCH, VENDOR, LICENSE, ARCH, SOURCE_RPM, MODULARITY_LABEL, FILE_STATES, FILE_MODES}
    | {FILE_DIGESTS, FILE_FLAGS, DIRECTORY_INDEXES, BASE_NAMES, DIRECTORY_NAMES, FILE_DIGEST_ALGORITHM}
)
_NUMBERS = {1: "B", 2: "B", 3: "H", 4: "I"}  # CHAR, INT8, INT16, INT32
_STRINGS = frozenset({6, 8, 9})  # STRING, STRING_ARRAY, I18NSTRING
_PREAMBLE = struct.Struct(">II")
_ENTRY = struct.Struct(">4I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A header whose wanted entries are known: tag to (type, offset in `blob`, count). Values are read when they are asked for."""

    blob: bytes
    entries: Mapping[int, tuple[int, int, int]]

    def string(self, tag: int) -> bytes | None:
        """Return the first string of a tag, None where the header has no such tag.

        Raises InvalidRecord for a value of another type or outside of the header.
        """
        entry = self.entries.get(tag)
        if entry is None:
            return None
        kind, offset, _ = entry
        end = self.blob.find(b"\0", offset)
        if kind not in _STRINGS or end < 0:
            raise InvalidRecord(f"tag {tag} is no string inside of the header")
        return self.blob[offset:end]

    def strings(self, tag: int) -> list[bytes]:
        """Return all strings of a tag, none where the header has no such tag.

        Raises InvalidRecord like `string`.
        """
        kind, offset, count = self.entries.get(tag, (8, 0, 0))
        found = self.blob[offset:].split(b"\0", count) if count else [b""]
        if kind not in _STRINGS or len(found) != count + 1:
            raise InvalidRecord(f"tag {tag} is not {count} strings inside of the header")
        del found[-1]
        return found

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return the unsigned numbers of a tag, none where the header has no such tag.

        Raises InvalidRecord like `string`.
        """
        kind, offset, count = self.entries.get(tag, (4, 0, 0))
        code = _NUMBERS.get(kind)
        layout = f">{count}{code}"
        if code is None or offset + struct.calcsize(layout) > len(self.blob):
            raise InvalidRecord(f"tag {tag} is not {count} numbers inside of the header")
        return struct.unpack_from(layout, self.blob, offset)

    def count(self, tag: int) -> int:
        """Return how many values the index promises for a tag."""
        return self.entries.get(tag, (0, 0, 0))[2]


def parse_header(blob: bytes) -> Header:
    """Read the index of a header.

    Raises InvalidRecord where its sizes do not make up `blob`, or an entry points out of it.
    """
    if len(blob) < _PREAMBLE.size:
        raise InvalidRecord(f"expected a header, got {len(blob)} bytes")
    tags, size = _PREAMBLE.unpack_from(blob)
    store = _PREAMBLE.size + tags * _ENTRY.size
    if not 0 < tags <= MAX_TAGS or store + size != len(blob):
        raise InvalidRecord(f"expected a header of {len(blob)} bytes, got one of {tags} tags and {size} bytes of values")
    index = memoryview(blob)[_PREAMBLE.size : store]
    entries = {tag: (kind, store + offset, count) for tag, kind, offset, count in _ENTRY.iter_unpack(index) if tag in _WANTED}
    for tag, (_, offset, count) in entries.items():
        if offset >= len(blob) or not 0 < count <= MAX_VALUES:
            raise InvalidRecord(f"tag {tag} has {count} values at {offset} in a header of {len(blob)} bytes")
    return Header(blob=blob, entries=entries)
