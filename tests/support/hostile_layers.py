"""Blobs that somebody made to hurt. Each generator is cheap to run, however large what it stands for."""

from __future__ import annotations

import gzip
import random
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator

import zstandard
from isal import isal_zlib

from tests.support.layer_blobs import Entry, make_tar

BLOCK = 512


def header(name: bytes, size: bytes = b"00000000000\0", kind: bytes = b"0", link: bytes = b"") -> bytes:
    """A ustar header with any bytes where a size should be, and a right checksum."""
    fields = name.ljust(100, b"\0")[:100] + b"0000644\0" + b"0000000\0" * 2 + size.ljust(12, b"\0") + b"00000000000\0"
    block = (fields + b" " * 8 + kind + link.ljust(100, b"\0")[:100] + b"ustar\x0000").ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


def pax(records: bytes, kind: bytes = b"x") -> bytes:
    return header(b"PaxHeaders/x", b"%011o\0" % len(records), kind) + padded(records)


def pax_record(keyword: bytes, value: bytes) -> bytes:
    body = b" " + keyword + b"=" + value + b"\n"
    length = len(body) + len(str(len(body)))
    length += len(str(length)) - len(str(len(body)))
    return str(length).encode() + body


def bomb(gigabytes: int = 10) -> Iterator[bytes]:
    """A valid gzip member with one file of zeros: about a thousandth of its size, and made in a moment because the same deflate blocks are repeated."""
    size, unit = gigabytes * 1024**3, 64 * 1024**2
    first = header(b"zeros", b"\x80" + size.to_bytes(11, "big"))
    deflate = isal_zlib.compressobj(3, isal_zlib.DEFLATED, -15)
    start = deflate.compress(first) + deflate.flush(isal_zlib.Z_FULL_FLUSH)
    zeros = deflate.compress(bytes(unit)) + deflate.flush(isal_zlib.Z_FULL_FLUSH)
    checksum, unit_checksum = zlib.crc32(first), zlib.crc32(bytes(unit))
    yield b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + start
    for _ in range(size // unit):
        checksum = isal_zlib.crc32_combine(checksum, unit_checksum, unit)
        yield zeros
    yield deflate.flush() + struct.pack("<II", checksum, (size + BLOCK) % 2**32)


def many_entries(count: int) -> Iterator[bytes]:
    """A plain tar of `count` empty files, uncompressed."""
    block = header(bytes(7))
    checksum = sum(block[:148]) + 8 * ord(" ") + sum(block[156:])
    for start in range(0, count, 1000):
        names = [b"%07d" % number for number in range(start, start + 1000)]
        yield b"".join(name + block[7:148] + b"%06o\0 " % (checksum + sum(name)) + block[156:] for name in names)


def random_status() -> bytes:
    return make_tar([Entry("var/lib/dpkg/status", random.Random(7).randbytes(200_000)), Entry("var/lib/db/status", b"\xff\xfe\n")])


def truncated_gzip() -> bytes:
    return gzip.compress(random.Random(7).randbytes(50_000))[:-20_000]


REFUSED: dict[str, Callable[[], bytes]] = {
    "a gzip stream that ends early": truncated_gzip,
    "a gzip stream without its trailer": lambda: gzip.compress(make_tar([]))[:-4],
    "a gzip stream with a wrong checksum": lambda: gzip.compress(make_tar([]))[:-8] + bytes(4) + gzip.compress(make_tar([]))[-4:],
    "garbage behind a gzip member": lambda: gzip.compress(make_tar([])) + b"garbage",
    "a gzip header with an endless name": lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * 1024**2,
    "a zstd stream that ends early": lambda: zstandard.ZstdCompressor(write_checksum=True).compress(make_tar([]))[:-2],
    "garbage behind a zstd frame": lambda: zstandard.compress(make_tar([])) + b"garbage!",
    "a zstd frame with a window of a gigabyte": lambda: b"\x28\xb5\x2f\xfd" + b"\x00" + bytes([20 << 3]) + b"\x01\x00\x00",
    "an xz stream": lambda: b"\xfd7zXZ\x00" + bytes(100),
    "a bzip2 stream": lambda: b"BZh9" + bytes(100),
    "random bytes": lambda: random.Random(7).randbytes(5000),
    "a tar that ends inside a body": lambda: make_tar([Entry("a", b"x" * 5000)])[:3000],
    "a tar that ends inside a header": lambda: make_tar([Entry("a")])[:300],
    "a tar that ends after an extended header": lambda: pax(pax_record(b"path", b"a")),
    "a wrong header checksum": lambda: b"b" + header(b"a")[1:],
    "a lone zero block": lambda: header(b"a") + bytes(BLOCK) + header(b"b"),
    "a negative size": lambda: header(b"a", b"\xff" * 12),
    "a size that is no number": lambda: header(b"a", b"-0000000001\0"),
    "a size beyond 63 bits": lambda: header(b"a", b"\x80" + b"\x7f" * 11),
    "a huge size": lambda: header(b"a", b"\x80\0\0\0\x7f" + b"\xff" * 7) + bytes(BLOCK),
    "a PAX size that is negative": lambda: pax(pax_record(b"size", b"-1")) + header(b"a"),
    "a PAX record with a wrong length": lambda: pax(b"99 path=a\n") + header(b"a"),
    "a PAX record without a length": lambda: pax(b"path=a\n") + header(b"a"),
    "a PAX record with a length of zero": lambda: pax(b"0 path=a\n") + header(b"a"),
    "a PAX header larger than allowed": lambda: header(b"x", b"%011o\0" % (1024**2 + 1), b"x") + bytes(1024**2 + BLOCK),
    "a PAX header that claims gigabytes": lambda: header(b"x", b"\x80\0\0\0\0\0\0\x7f" + bytes(4), b"x"),
    "a PAX path with a NUL byte": lambda: pax(pax_record(b"path", b"a\0b")) + header(b"a"),
    "a path that is too long": lambda: make_tar([Entry("a/" * 2100 + "b")]),
    "a GNU name that is too long": lambda: make_tar([Entry("d" * 5000)], tarfile.GNU_FORMAT),
    "a link target that is too long": lambda: make_tar([Entry("a", kind=tarfile.SYMTYPE, target="t" * 5000)]),
}
"""What must be refused with an InputError."""

GAPS: dict[str, Callable[[], bytes]] = {
    "a path that climbs out of the root": lambda: make_tar([Entry("../../etc/passwd", b"root")]),
    "an inner path that climbs out of the root": lambda: make_tar([Entry("a/../../etc/passwd", b"root")]),
    "a name that is not UTF-8": lambda: header(b"caf\xe9") + bytes(1024),
    "a directory whose name is not UTF-8": lambda: header(b"\xed\xa0\x80/LINES") + bytes(1024),
    "a hard link that climbs out of the root": lambda: make_tar(
        [Entry("var/lib/db/status", kind=tarfile.LNKTYPE, target="../../etc/passwd")]
    ),
    "a link in a circle": lambda: make_tar(
        [Entry("var/lib/db/status", kind=tarfile.SYMTYPE, target="/a"), Entry("a", kind=tarfile.SYMTYPE, target="var/lib/db/status")]
    ),
    "a link to itself": lambda: make_tar([Entry("var/lib/db/status", kind=tarfile.SYMTYPE, target="status")]),
    "a link to nothing": lambda: make_tar([Entry("var/lib/db/status", kind=tarfile.SYMTYPE, target="/proc/self/mem")]),
    "a hard link to nothing": lambda: make_tar([Entry("var/lib/db/status", kind=tarfile.LNKTYPE, target="etc/shadow")]),
    "a hard link to itself": lambda: make_tar([Entry("var/lib/db/status", kind=tarfile.LNKTYPE, target="var/lib/db/status")]),
    "a wanted file that is too large": lambda: make_tar([Entry("var/lib/db/status", b"x" * 1001)]),
    "a wanted file that is sparse": lambda: header(b"var/lib/db/status", b"%011o\0" % 512, b"S") + bytes(512),
    "a wanted file that is sparse in PAX's way": lambda: (
        pax(pax_record(b"GNU.sparse.major", b"1") + pax_record(b"GNU.sparse.name", b"var/lib/db/status"))
        + header(b"x", b"%011o\0" % 512)
        + bytes(512)
    ),
    "an entry of unknown type": lambda: header(b"a", kind=b"Q"),
    "data behind the end": lambda: make_tar([]) + header(b"hidden"),
    "a whiteout without a name": lambda: make_tar([Entry("a/.wh.")]),
    "a whiteout of the parent": lambda: make_tar([Entry("a/.wh...")]),
    "a global PAX header that renames": lambda: pax(pax_record(b"path", b"b"), b"g") + header(b"a"),
    "a parser's complaint": lambda: make_tar([Entry("var/lib/db/status", b"a\n!\n")]),
    "a parser's bug": lambda: make_tar([Entry("var/lib/db/status", b"a\n?\n")]),
    "a fact that cannot be stored": lambda: make_tar([Entry("orders", b"surrogate")]),
}
"""What must be read as far as it goes, with a gap."""

HARMLESS: dict[str, Callable[[], bytes]] = {
    "names of control characters": lambda: header(b"a\nb\x1b[0m") + bytes(1024),
    "an absolute path": lambda: make_tar([Entry("/etc/passwd", b"root")]),
    "deep directories": lambda: make_tar([Entry("d/" * 1000 + "f")]),
    "a database of random bytes": random_status,
    "skippable zstd frames": lambda: (
        struct.pack("<II", 0x184D2A5A, 9) + b"skip this" + zstandard.compress(make_tar([])) + struct.pack("<II", 0x184D2A50, 0)
    ),
    "padding of many zeros": lambda: make_tar([]) + bytes(1_000_000),
    "no end": lambda: header(b"a"),
    "nothing at all": lambda: b"",
    "a directory with a size": lambda: header(b"d/", b"%011o\0" % 4096, b"5") + header(b"after") + bytes(1024),
}
"""What looks odd and must be read whole."""
