"""Compressed files of an image, unpacked in pieces: gzip, xz, zstd, told apart by what they begin with."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from pratique.errors import InvalidRecord, LimitExceeded

GZIP, XZ, ZSTD = b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"

_PIECE = 1024 * 1024  # bytes unpacked at a time
_XZ_MEMORY = 100 * 1024**2  # xz's largest preset needs 65 MB to unpack; a header may ask for 4 GB
_ZSTD_WINDOW = 128 * 1024**2  # what zstd itself accepts without --long; a header may ask for 2 GB


def inflated(content: bytes, max_bytes: int) -> Iterator[bytes]:
    """Yield the unpacked bytes in pieces of at most 1 MiB; what is not compressed comes as it is.

    Raises LimitExceeded after `max_bytes` (decompression bombs: time), InvalidRecord for broken streams. What is missing at the end of a
    truncated zstd stream is not noticed.
    """
    left = max_bytes
    with _translated_errors():
        for piece in _pieces(content):
            left -= len(piece)
            if left < 0:
                raise LimitExceeded(f"more than {max_bytes} bytes uncompressed")
            yield piece


@contextmanager
def _translated_errors() -> Iterator[None]:
    import lzma

    import zstandard

    try:
        yield
    except (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise InvalidRecord(f"expected compressed data: {error}") from error


def _pieces(content: bytes) -> Iterator[bytes]:
    if content.startswith(GZIP):
        return _gunzip(content)
    if content.startswith(XZ):
        return _unxz(content)
    if content.startswith(ZSTD):
        return _unzstd(content)
    return iter((content,))


def _gunzip(content: bytes) -> Iterator[bytes]:
    import gzip

    with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _unxz(content: bytes) -> Iterator[bytes]:
    """The first stream: the kernel's and mkinitcpio's files have one."""
    import lzma

    decompressor = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
    piece = decompressor.decompress(content, _PIECE)
    while piece or not decompressor.eof:
        yield piece
        if not decompressor.eof and decompressor.needs_input:
            raise EOFError("the stream ends early")
        piece = b"" if decompressor.eof else decompressor.decompress(b"", _PIECE)


def _unzstd(content: bytes) -> Iterator[bytes]:
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    with decompressor.stream_reader(content, read_across_frames=True) as stream:
        while piece := stream.read(_PIECE):
            yield piece
