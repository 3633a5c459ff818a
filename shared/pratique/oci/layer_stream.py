"""A layer's blob as verified tar blocks: decompressed, hashed and compared with its descriptor in one stream.

The plan, on three threads because inflating and hashing both release the GIL:

1. one thread pulls compressed chunks, hands them to the hasher, decrypts them where the layer is encrypted, and inflates into one of a few buffers;
2. the caller walks the buffer;
3. one thread hashes the chunks and, after the caller, the buffers, and gives the buffers back.

Buffers and queues are bounded, so a slow stage stops the others. At the end both digests must match, and an encrypted layer's HMAC.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

from pratique.errors import DigestMismatch, LimitExceeded
from pratique.oci import media_types
from pratique.oci.cipher import LayerDecryptor
from pratique.oci.decompress import ChunkReader, fill, open_tar, translated_errors
from pratique.oci.digest import Digest
from pratique.oci.manifest import Layer
from pratique.oci.tar_stream import BLOCK_BYTES

BUFFER_BYTES = 1024 * 1024  # a multiple of tar's 512; large enough that handing over costs nothing
_BUFFERS = 5  # one a stage and one between two stages
_PADDING_BLOCKS = 22  # at most: two that end a tar, and what fills its last record of twenty
_CHUNKS_AHEAD = 8  # compressed chunks that wait to be hashed


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """What one layer's bytes may cost.

    `uncompressed_bytes` and `ratio` stop decompression bombs: gzip reaches 1032, zstd 32,768, real layers seldom 20. The ratio counts only above
    `ratio_from_bytes`, so that a small layer of zeros passes. `cpu_seconds` is of this process, all threads, from the start of the stream.
    """

    uncompressed_bytes: int = 32 * 1024**3
    ratio: int = 200
    ratio_from_bytes: int = 100 * 1024**2
    cpu_seconds: float = 600.0


class LayerStream:
    """One layer's blob on its way through: iterate over `blocks` once. The counts hold after it."""

    def __init__(self, layer: Layer, chunks: Iterable[bytes], limits: StreamLimits) -> None:
        self.compressed_bytes = 0
        self.uncompressed_bytes = 0
        self._layer = layer
        self._chunks = chunks
        self._limits = limits
        self._free: queue.SimpleQueue[bytearray | None] = queue.SimpleQueue()
        self._filled: queue.SimpleQueue[tuple[bytearray, int] | BaseException | None] = queue.SimpleQueue()
        self._to_hash: queue.Queue[bytes | tuple[bytearray, int] | None] = queue.Queue(_CHUNKS_AHEAD + _BUFFERS)
        self._stopped = False
        self._compressed_hash = layer.descriptor.digest.hasher()
        self._uncompressed_hash = layer.diff_id.hasher() if layer.diff_id else None
        self._decryptor = LayerDecryptor(layer.cipher) if layer.cipher else None

    def blocks(self) -> Generator[memoryview, None, None]:
        """Yield the tar in blocks of BUFFER_BYTES, the last one shorter; a block is valid until the next is asked for.

        The caller must not use what it read before the iteration has ended by itself: only then were both digests and the size compared.
        Raises InvalidLayer, DigestMismatch, LimitExceeded, and whatever the chunks raise.
        """
        for _ in range(_BUFFERS):
            self._free.put(bytearray(BUFFER_BYTES))
        threads = [threading.Thread(target=target, daemon=True) for target in (self._inflate, self._hash)]
        for thread in threads:
            thread.start()
        try:
            yield from self._walk()
        finally:
            self._stopped = True
            self._free.put(None)
            threads[0].join()
            self._to_hash.put(None)
            threads[1].join()
        self._verify()

    def _walk(self) -> Iterator[memoryview]:
        started = time.process_time()
        while (item := self._filled.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            buffer, count = item
            yield memoryview(buffer)[:count]
            self._to_hash.put(item)
            spent = time.process_time() - started
            if spent > self._limits.cpu_seconds:
                raise LimitExceeded(f"layer took {spent:.0f} s of CPU time; the limit is {self._limits.cpu_seconds:.0f}")

    def _inflate(self) -> None:
        try:
            self._inflate_all()
        except BaseException as error:  # noqa: BLE001 # carried to the caller's thread, which raises it
            self._filled.put(error)

    def _inflate_all(self) -> None:
        source = ChunkReader(self._received())
        with translated_errors():
            reader = open_tar(source)
            while (buffer := self._free.get()) is not None and not self._stopped:
                count = fill(reader, memoryview(buffer))
                self.uncompressed_bytes += count
                self._check_size()
                if count:
                    self._filled.put((buffer, count))
                if count < BUFFER_BYTES:
                    self._filled.put(None)
                    return

    def _received(self) -> Iterator[bytes]:
        size = self._layer.descriptor.size
        for chunk in self._chunks:
            if self._stopped:
                return
            self.compressed_bytes += len(chunk)
            if self.compressed_bytes > size:
                raise DigestMismatch(f"expected a layer of {size} bytes, got {self.compressed_bytes} or more")
            self._to_hash.put(chunk)
            yield self._decryptor.update(chunk) if self._decryptor else chunk

    def _check_size(self) -> None:
        limits, size = self._limits, self.uncompressed_bytes
        if size > limits.uncompressed_bytes:
            raise LimitExceeded(f"layer of more than {limits.uncompressed_bytes} bytes uncompressed")
        if size > limits.ratio_from_bytes and size > limits.ratio * self.compressed_bytes:
            raise LimitExceeded(
                f"decompression bomb: {self.compressed_bytes} bytes became {size}; the limit is a ratio of {limits.ratio} above {limits.ratio_from_bytes} bytes"
            )

    def _hash(self) -> None:
        while (item := self._to_hash.get()) is not None:
            try:
                self._hash_one(item)
            except BaseException as error:  # noqa: BLE001 # carried to the caller's thread; this one goes on, because others wait for it
                self._filled.put(error)

    def _hash_one(self, item: bytes | tuple[bytearray, int]) -> None:
        if not isinstance(item, tuple):
            self._compressed_hash.update(item)
            return
        buffer, count = item
        if self._uncompressed_hash is not None:
            self._uncompressed_hash.update(memoryview(buffer)[:count])
        self._free.put(buffer)

    def _verify(self) -> None:
        descriptor, diff_id = self._layer.descriptor, self._layer.diff_id
        if self.compressed_bytes != descriptor.size:
            raise DigestMismatch(f"expected a layer of {descriptor.size} bytes, got {self.compressed_bytes}")
        came = self._compressed_hash.hexdigest()
        if came != descriptor.digest.hex:
            raise DigestMismatch(f"expected a layer with digest {descriptor.digest}, got {descriptor.digest.algorithm}:{came}")
        if self._decryptor is not None:
            self._decryptor.verify()
        if diff_id is not None and self._uncompressed_hash is not None:
            came = self._uncompressed_hash.hexdigest()
            if came != diff_id.hex and not self._lacks_padding(diff_id):
                raise DigestMismatch(f"expected a layer with diff-id {diff_id}, got {diff_id.algorithm}:{came}")

    def _lacks_padding(self, diff_id: Digest) -> bool:
        """Tell whether only zero blocks at the tar's end are missing: skopeo 1.9 leaves them out of zstd:chunked layers, and keeps the diff-id."""
        if self._uncompressed_hash is None or not media_types.is_zstd_chunked(self._layer.descriptor.annotations):
            return False
        padded = self._uncompressed_hash.copy()
        for _ in range(_PADDING_BLOCKS):
            padded.update(bytes(BLOCK_BYTES))
            if padded.hexdigest() == diff_id.hex:
                return True
        return False
