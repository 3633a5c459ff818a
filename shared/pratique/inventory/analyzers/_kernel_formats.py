"""Where Linux kernels and their modules tell what they are: boot headers, banners, the `.modinfo` section."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from itertools import islice
from struct import Struct

from pratique.errors import InputError, InvalidRecord
from pratique.inventory.analyzers._inflate import GZIP, XZ, ZSTD, inflated

MAX_IMAGE_BYTES = 192 * 1024**2  # unpacked: the largest have 70 MB; a decompression bomb costs a second
MAX_SECTIONS = 10_000  # of an ELF file: modules built with -ffunction-sections have 2,000; each costs time
MAX_MODINFO_BYTES = 4 * 1024**2  # the longest lists of device aliases have 100 KB
MAX_FIELDS = 50_000  # entries of .modinfo, of which aliases are the most: each costs time

MAX_CANDIDATES = 1_000  # places in a piece that begin like a banner: a kernel has three; each costs time
_BEGINNING = re.compile(rb"Linux version (?=\d)")
_BANNER = re.compile(rb"[\x20-\x7e]{4,400}+(?=[\n\0])")  # init/version.c: linux_banner; its end matters where pieces do
_OVERLAP = 512  # bytes: what a banner cut in two pieces needs of the first
_HEADER = re.compile(r"\d+\.\d+[\x20-\x7e]*")
_ZBOOT = Struct("<4s4sII8x8s")
_ELF_HEADER = 64  # bytes: that of 64 bits; one of 32 bits has 52, and sections behind it


def read_banner(content: bytes) -> str:
    """The banner of a kernel image without its first two words: `6.1.0-56-cloud-amd64 (debian-kernel@…) #1 SMP …`; empty for what is no kernel.

    Sources: Documentation/arch/x86/boot.rst (`kernel_version`), Documentation/arch/arm64/booting.rst, drivers/firmware/efi/libstub/zboot-header.S.

    Raises InvalidRecord for a kernel in which no banner is found, LimitExceeded for one of more than MAX_IMAGE_BYTES.
    """
    if content[0x202:0x206] == b"HdrS":
        return _read_boot_header(content)
    if content[0x38:0x3C] == b"ARM\x64" or content.startswith(b"\x7fELF"):
        return _search((content,), is_kernel=content.startswith(b"\x7fELF") is False)
    if content.startswith(b"MZ") and content[4:8] == b"zimg":
        return _read_zboot(content)
    if content.startswith((GZIP, XZ, ZSTD)):
        return _read_packed(content)
    return ""


def _read_boot_header(content: bytes) -> str:
    """x86: at 0x20E the offset of the text behind 0x200, or 0 for none."""
    offset = int.from_bytes(content[0x20E:0x210], "little")
    text = content[0x200 + offset : 0x200 + offset + 512].partition(b"\0")[0].decode("ascii", "replace")
    if not offset or not _HEADER.fullmatch(text):
        raise InvalidRecord(f"expected the release of an x86 kernel at 0x200 + {offset:#x}, got {text[:40]!r}")
    return text


def _read_zboot(content: bytes) -> str:
    """EFI's generic compressed image: offset and size of the payload, and how it is packed."""
    try:
        _, _, offset, size, _ = _ZBOOT.unpack_from(content)
    except struct.error as error:
        raise InvalidRecord("expected a whole header of an EFI kernel") from error
    return _search(inflated(content[offset : offset + size], MAX_IMAGE_BYTES), is_kernel=True)


def _read_packed(content: bytes) -> str:
    """A packed image, or something else that is packed (an initrd, a vmlinux's symbols): the beginning tells."""
    pieces = inflated(content, MAX_IMAGE_BYTES)
    try:
        first = next(pieces, b"")
    except InputError:
        return ""  # no kernel: boot loaders check what they unpack
    if first[0x38:0x3C] != b"ARM\x64" and not first.startswith(b"\x7fELF"):
        return ""
    return _search(_prepended(first, pieces), is_kernel=not first.startswith(b"\x7fELF"))


def _prepended(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _search(pieces: Iterator[bytes] | tuple[bytes, ...], *, is_kernel: bool) -> str:
    tail = b""
    for piece in pieces:
        text = tail + piece if tail else piece
        for beginning in islice(_BEGINNING.finditer(text), MAX_CANDIDATES):
            found = _BANNER.match(text, beginning.end())
            if found is not None:
                return found[0].decode("ascii")
        tail = piece[-_OVERLAP:]
    if is_kernel:
        raise InvalidRecord("expected a banner in a kernel, found none")
    return ""


def read_modinfo(content: bytes) -> Mapping[str, str]:
    """The fields of a module's `.modinfo` section, `NAME=VALUE` and NUL (include/linux/moduleparam.h); of a repeated one the first counts.

    Raises InvalidRecord for what is no ELF file with that section.
    """
    section = _section(content, b".modinfo")
    if section is None:
        raise InvalidRecord("expected a kernel module, found no section .modinfo")
    fields: dict[str, str] = {}
    for entry in section[:MAX_MODINFO_BYTES].split(b"\0", MAX_FIELDS)[:MAX_FIELDS]:
        name, equals, value = entry.partition(b"=")
        if equals and name not in {b"alias", b"parm", b"parmtype"}:
            fields.setdefault(name[:100].decode("utf-8", "replace"), value[:1000].decode("utf-8", "replace"))
    return fields


def _section(content: bytes, wanted: bytes) -> bytes | None:
    """Find a section of an ELF file by name (System V ABI, "Sections")."""
    if not content.startswith(b"\x7fELF") or len(content) < _ELF_HEADER:
        raise InvalidRecord(f"expected an ELF file, got {content[:4]!r}")
    order = ">" if content[5] == 2 else "<"  # noqa: PLR2004 - ELFDATA2MSB
    is_64 = content[4] == 2  # noqa: PLR2004 - ELFCLASS64
    header = Struct(order + ("Q10xHHH" if is_64 else "I10xHHH"))
    table, size, count, names_at = header.unpack_from(content, 0x28 if is_64 else 0x20)
    entry = Struct(order + ("I20xQQ" if is_64 else "I12xII"))
    if count > MAX_SECTIONS or size < entry.size or table + size * count > len(content) or names_at >= count:
        raise InvalidRecord("expected an ELF file with its sections, found it cut short")
    _, names, names_size = entry.unpack_from(content, table + size * names_at)
    for index in range(count):
        name, offset, length = entry.unpack_from(content, table + size * index)
        start = names + name
        if name < names_size and content[start : start + len(wanted) + 1] == wanted + b"\0":
            return content[offset : offset + length]
    return None
