"""rpm's own database format, ndb (`Packages.db`; SUSE since SLES 15 SP3 and Leap 15.3).

1. The file begins with 32 bytes: `RpmP`, version 0, a generation, how many pages of slots there are.
2. Those pages follow, of 4096 bytes (the 32 are part of the first): slots of 16 bytes, `Slot`, a package's number, where its blob lies and how long it is, in
   blocks of 16 bytes. A slot that points to 0 is free.
3. A blob is `BlbS`, the package's number, a generation, a length, then the header, padding, and a tail of a checksum, the length and `BlbE`.

All little-endian. Source: rpm, `lib/backend/ndb/rpmpkg.c`; as there the checksum is not looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pratique.errors import InvalidRecord

_MAGIC = b"RpmP"
_VERSION = 0
_SLOT_MAGIC = b"Slot"
_BLOB_MAGIC = b"BlbS"
_TAIL_MAGIC = b"BlbE"
_PAGE = 4096
_BLOCK = 16
_HEADER_BYTES = 32
_TAIL_BYTES = 12
_HEADER = struct.Struct("<4s3I")
_SLOT = struct.Struct("<4s3I")
_BLOB = struct.Struct("<4s3I")


def read_blobs(content: bytes) -> Iterator[bytes | InvalidRecord]:
    """Yield the headers in the order of the slots, and an error for each that cannot be read.

    The blobs together are no longer than the file: slots that share one would multiply the work.
    An empty file holds no packages: rpm makes such a one when it first opens the database.

    Raises InvalidRecord where this is no such file, or one whose slots are not all there.
    """
    if not content:
        return
    left = len(content)
    for number, offset, blocks in _slots(content):
        length = blocks * _BLOCK
        if length > left:
            yield InvalidRecord(f"package {number} has {length} bytes, but only {left} of the file are left for packages")
            continue
        left -= length
        try:
            yield _read_blob(content, number, offset * _BLOCK, length)
        except InvalidRecord as error:
            yield error


def _slots(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield number, first block and blocks of every slot in use."""
    if len(content) < _HEADER_BYTES:
        raise InvalidRecord(f"expected an ndb file, got {len(content)} bytes")
    magic, version, _, pages = _HEADER.unpack_from(content)
    if magic != _MAGIC or version != _VERSION:
        raise InvalidRecord(f"expected an ndb file of version {_VERSION}, got {magic!r} and version {version}")
    end = pages * _PAGE
    if not 0 < end <= len(content) or len(content) % _BLOCK:
        raise InvalidRecord(f"truncated: {pages} pages of slots in {len(content)} bytes")
    for magic, number, offset, blocks in _SLOT.iter_unpack(memoryview(content)[_HEADER_BYTES:end]):
        if magic != _SLOT_MAGIC:
            raise InvalidRecord(f"expected a slot, got {magic!r}")
        if offset:
            yield number, offset, blocks


def _read_blob(content: bytes, number: int, start: int, length: int) -> bytes:
    end = start + length
    if end > len(content) or length < _BLOB.size + _TAIL_BYTES:
        raise InvalidRecord(f"package {number} in {length} bytes at {start} of {len(content)}")
    magic, own, _, size = _BLOB.unpack_from(content, start)
    if magic != _BLOB_MAGIC or own != number:
        raise InvalidRecord(f"expected package {number} at {start}, got {magic!r} and package {own}")
    used = _BLOB.size + size + _TAIL_BYTES
    tail_size, tail_magic = struct.unpack_from("<I4s", content, end - 8)
    if -(-used // _BLOCK) * _BLOCK != length or tail_size != size or tail_magic != _TAIL_MAGIC:
        raise InvalidRecord(f"package {number} of {size} bytes does not end in its {length} bytes")
    return content[start + _BLOB.size : start + _BLOB.size + size]
