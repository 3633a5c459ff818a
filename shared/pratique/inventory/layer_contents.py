"""Digests of the files of a layer, in every algorithm that package managers record: which of them a file needs is known only when all layers are merged."""

from __future__ import annotations

import hashlib

ALGORITHMS = (("md5", 16), ("sha1", 20), ("sha256", 32))
"""Names and digest sizes, in the order in which a record holds them: dpkg and pacman record MD5, apk SHA-1, rpm, pip and conda SHA-256."""

RECORD_BYTES = sum(size for _, size in ALGORITHMS)
_NOTHING = bytes(RECORD_BYTES)


class ContentDigests:
    """Records of the regular files of a layer, in their order: `begin` once a file, then `add` its parts; `skip` for a file without a body of its own."""

    def __init__(self) -> None:
        self._records = bytearray()
        self._left = 0
        self._begin_hashes()

    def begin(self, size: int) -> None:
        """Begin a file of `size` bytes."""
        self._left = size
        if size:
            self._begin_hashes()
        else:
            self._records += b"".join(hashlib.new(name, usedforsecurity=False).digest() for name, _ in ALGORITHMS)

    def add(self, piece: memoryview) -> None:
        """Take a part of the file's body. What belongs to no file that was begun (the body of a whiteout) is passed over."""
        if not self._left:
            return
        for hasher in self._hashes:
            hasher.update(piece)
        self._left -= len(piece)
        if not self._left:
            self._records += b"".join(hasher.digest() for hasher in self._hashes)

    def skip(self) -> None:
        """Leave the record of a file empty."""
        self._records += _NOTHING

    def joined(self) -> bytes:
        """All records."""
        return bytes(self._records)

    def _begin_hashes(self) -> None:
        self._hashes = tuple(hashlib.new(name, usedforsecurity=False) for name, _ in ALGORITHMS)


def has_digest(record: bytes, digest: str) -> bool | None:
    """Tell whether a record holds `digest` (`md5:0cc1…`); None if the record is empty or the algorithm is not recorded."""
    if record == _NOTHING:
        return None
    name, _, wanted = digest.partition(":")
    start = 0
    for algorithm, size in ALGORITHMS:
        if algorithm == name:
            return record[start : start + size].hex() == wanted.lower()
        start += size
    return None
