"""Layer blobs to tar bytes: gzip, zstd or plain, told apart by their first bytes and never by the media type.

Everything is pull: a reader fills the buffer it is given and no more, so a decompression bomb costs one buffer.
Sources: RFC 1952 (gzip), RFC 8878 (zstd), OCI image-spec layer.md.
"""

from __future__ import annotations

import contextlib
import gzip
import io
from collections.abc import Generator, Iterable, Iterator
from typing import Protocol

from isal import isal_zlib

# The one reader that inflates into a caller's buffer, without the GIL, over several members, with CRC and length checked; `IGzipFile` copies twice more.
from isal.isal_zlib import _GzipReader

from pratique.errors import InvalidLayer
from pratique.oci.tar_fields import has_valid_checksum

HEAD_BYTES = 512
"""A tar's first header: so much of a blob tells whether it may be a layer."""

_READ_BYTES = 256 * 1024  # of compressed input at a time; also the most that a gzip header (name, comment) may take
_MAX_WINDOW = 128 * 1024 * 1024  # zstd's own default: a frame can ask for gigabytes of history
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = 0xFD2FB528
_SKIPPABLE_MAGIC = 0x184D2A50  # to …5F
_MAGIC_BYTES = 6
_REFUSED = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_RLE_BLOCK, _RESERVED_BLOCK = 1, 3


class TarReader(Protocol):
    """Something that fills buffers with tar bytes."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill up to the whole buffer; 0 is the end.

        Raises what a broken stream raises: call it inside `translated_errors`.
        """
        ...


class ChunkReader(io.RawIOBase):
    """An iterable of byte chunks as a file. What the iterable raises passes through unchanged."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the readers of this module pass nothing else
        """Fill up to the whole buffer from the current chunk; 0 is the end."""
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def peek(self, count: int) -> bytes:
        """Return the first `count` bytes, or as many as there are, without consuming them."""
        head = bytes(self._left)
        while len(head) < count and (chunk := next(self._chunks, None)) is not None:
            head += chunk
        self._left = memoryview(head)
        return head[:count]


def open_tar(source: ChunkReader) -> TarReader:
    """Return a reader of the tar inside `source`.

    Raises InvalidLayer for a compression that layers do not have.
    """
    head = source.peek(_MAGIC_BYTES)
    if head.startswith(_GZIP_MAGIC):
        gzip_reader: TarReader = _GzipReader(source, _READ_BYTES)  # type: ignore[arg-type] # needs no more than `readinto`
        return gzip_reader
    if _is_zstd(int.from_bytes(head[:4], "little")):
        return _open_zstd(source)
    for magic, name in _REFUSED.items():
        if head.startswith(magic):
            raise InvalidLayer(f"expected a gzip, zstd or plain tar layer, got {name}")
    return source  # a tar, or junk that fails the walker's first header check


def may_be_layer(head: bytes) -> bool:
    """Tell by its first HEAD_BYTES whether a runtime could unpack a blob: if it is compressed, empty, or begins with a tar header.

    Runtimes go by this and not by media types, so it is no use to call an archive something else.
    """
    if head.startswith((_GZIP_MAGIC, *_REFUSED)) or _is_zstd(int.from_bytes(head[:4], "little")) or not head.strip(b"\0"):
        return True
    try:
        return len(head) >= HEAD_BYTES and has_valid_checksum(head[:HEAD_BYTES])
    except InvalidLayer:
        return False


def fill(reader: TarReader, buffer: memoryview) -> int:
    """Fill the whole buffer, less only at the end of the stream; return the count."""
    filled = 0
    while filled < len(buffer) and (count := reader.readinto(buffer[filled:])):
        filled += count
    return filled


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Raise InvalidLayer for whatever the decompressors raise about broken input."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, OverflowError, isal_zlib.error) as error:  # type: ignore[misc] # its stub calls the class an instance
        raise InvalidLayer(f"gzip stream is broken: {error}") from error
    except Exception as error:
        if type(error).__name__ == "ZstdError":  # by name: the module is loaded only where a layer needs it
            raise InvalidLayer(f"zstd stream is broken: {error}") from error
        raise


def _is_zstd(magic: int) -> bool:
    return magic == _ZSTD_MAGIC or magic & 0xFFFFFFF0 == _SKIPPABLE_MAGIC


def _open_zstd(source: ChunkReader) -> TarReader:
    import zstandard  # 20 ms that gzip layers need not wait for

    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    return decompressor.stream_reader(_WholeFrames(source), read_size=_READ_BYTES, read_across_frames=True)  # type: ignore[arg-type] # it only reads


class _WholeFrames(io.RawIOBase):
    """Passes a zstd stream on and follows its frames, because the decompressor takes a stream that ends inside a frame for a whole one."""

    def __init__(self, source: ChunkReader) -> None:
        self._source = source
        self._is_whole = True
        self._field = b""
        self._structure = self._frames()
        self._need = next(self._structure)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, none at the end.

        Raises InvalidLayer at an end inside a frame.
        """
        buffer = bytearray(size)
        count = self._source.readinto(memoryview(buffer))
        if not count and (self._field or not self._is_whole):
            raise InvalidLayer("zstd stream ends inside a frame")
        del buffer[count:]
        self._follow(buffer)
        return bytes(buffer)

    def _follow(self, data: bytearray) -> None:
        position = 0
        while position < len(data):
            if self._need < 0:
                step = min(-self._need, len(data) - position)
                self._need += step
            else:
                part = data[position : position + self._need - len(self._field)]
                self._field += part
                step = len(part)
            position += step
            while len(self._field) == self._need:
                field, self._field = self._field, b""
                self._need = self._structure.send(field)

    def _frames(self) -> Generator[int, bytes, None]:
        """Yield how many bytes are wanted next (positive) or are passed over (zero or negative); RFC 8878, section 3.1."""
        while True:
            self._is_whole = True
            magic = int.from_bytes((yield 4), "little")
            self._is_whole = False
            if magic == _ZSTD_MAGIC:
                yield from _data_frame()
            elif _is_zstd(magic):
                yield -int.from_bytes((yield 4), "little")
            else:
                raise InvalidLayer(f"expected a zstd frame, got magic {magic:#010x}")


def _data_frame() -> Generator[int, bytes, None]:
    descriptor = (yield 1)[0]
    single_segment = descriptor >> 5 & 1
    content_size = (single_segment, 2, 4, 8)[descriptor >> 6]
    dictionary_id = (0, 1, 2, 4)[descriptor & 3]
    yield -(content_size + dictionary_id + (1 - single_segment))
    last = 0
    while not last:
        block = int.from_bytes((yield 3), "little")
        last, kind, size = block & 1, block >> 1 & 3, block >> 3
        if kind == _RESERVED_BLOCK:
            raise InvalidLayer("zstd block of the reserved type")
        yield -(1 if kind == _RLE_BLOCK else size)
    if descriptor & 4:
        yield -4  # content checksum
