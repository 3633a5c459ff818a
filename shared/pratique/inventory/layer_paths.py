"""The paths of one layer as 8-byte hashes: two million entries cost 16 MB."""

from __future__ import annotations

import bisect
import hashlib

HASH_BYTES = 8


def hash_path(path: bytes) -> bytes:
    """Return the 8 bytes that stand for a path in `LayerResult.entries_hash`."""
    return hashlib.blake2b(path, digest_size=HASH_BYTES).digest()


def sorted_hashes(joined: bytes | bytearray) -> bytes:
    """Return the 8-byte hashes in `joined`, each once and in order. Sorts a 256th at a time: objects for all at once would cost ten times their bytes."""
    buckets = [bytearray() for _ in range(256)]
    for start in range(0, len(joined), HASH_BYTES):
        buckets[joined[start]] += joined[start : start + HASH_BYTES]
    return b"".join(b"".join(sorted(_split(bucket))) for bucket in buckets)


def has_hash(hashes: bytes, wanted: bytes) -> bool:
    """Tell whether `wanted` is in `hashes`, which `sorted_hashes` made."""
    count = len(hashes) // HASH_BYTES
    at = bisect.bisect_left(range(count), wanted, key=lambda place: hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES])
    return at < count and hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES] == wanted


def _split(bucket: bytearray) -> set[bytes]:
    return {bytes(bucket[start : start + HASH_BYTES]) for start in range(0, len(bucket), HASH_BYTES)}
