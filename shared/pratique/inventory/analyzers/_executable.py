"""What the readers of executables share: what they answer, and what their files begin with."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Section(NamedTuple):
    """A run of bytes of a file: where it is in memory, and where in the file. What lies beyond the end of the file is cut off."""

    address: int
    offset: int
    size: int

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        return self.offset + self.size


class Executable(Protocol):
    """A program or library of one architecture. Readers take offsets of `content` and copy nothing."""

    @property
    def content(self) -> bytes:
        """The whole file, or as much of it as was read."""

    def section(self, name: bytes) -> Section | None:
        """Find the first section of that name that has bytes in the file."""

    def first_data(self) -> Section | None:
        """Find the first initialised data that a program may write."""

    def at(self, address: int) -> Section | None:
        """Find the bytes from an address in memory up to the end of its segment."""

    def is_packed(self) -> bool:
        """Tell whether UPX packed it, so that nothing of what it holds can be seen."""


ELF_MAGIC = b"\x7fELF"
PE_MAGIC = b"MZ"
MACHO_MAGICS = (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe")
FAT_MAGICS = tuple(b"\xca\xfe\xba\xbe\x00\x00\x00" + bytes([count]) for count in range(1, 6))
"""Universal binaries of up to five architectures; a Java class begins alike, with a version of 45 and up in that place."""


def cut_section(content: bytes, address: int, offset: int, size: int) -> Section | None:
    """Make a section of what the file has of it; None if that is nothing."""
    size = min(size, len(content) - offset)
    return Section(address, offset, size) if size > 0 else None
