from __future__ import annotations

import gzip
import hashlib
import random
import struct
import threading
import tracemalloc

import pytest
import zstandard

from pratique.errors import DigestMismatch, InvalidLayer, LimitExceeded
from pratique.oci.decompress import ChunkReader, fill, open_tar, translated_errors
from pratique.oci.digest import Digest
from pratique.oci.layer_stream import BUFFER_BYTES, LayerStream, StreamLimits
from pratique.oci.manifest import Descriptor, Layer
from tests.support.hostile_layers import bomb
from tests.support.layer_blobs import COMPRESSIONS, cut, describe, describe_chunks

CONTENT = random.Random(1).randbytes(1_500_000) + bytes(1_500_000)


def inflate(blob: bytes, size: int) -> bytes:
    with translated_errors():
        reader, found = open_tar(ChunkReader(cut(blob, size))), b""
        buffer = memoryview(bytearray(70_000))
        while count := fill(reader, buffer):
            found += buffer[:count]
        return found


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_compression_gives_the_bytes_back_however_they_are_cut(compression: str, size: int) -> None:
    content = CONTENT[1_450_000:1_550_000]
    assert inflate(COMPRESSIONS[compression](content), size) == content


@pytest.mark.parametrize("size", [3, 100_000])
def test_members_and_frames_are_joined(size: int) -> None:
    assert inflate(gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"two"), size) == b"onetwo"
    skippable = struct.pack("<II", 0x184D2A57, 3) + b"xyz"
    frames = skippable + zstandard.compress(b"one") + skippable + zstandard.ZstdCompressor(write_checksum=True).compress(b"two") + skippable
    assert inflate(frames, size) == b"onetwo"


def test_a_zstd_stream_without_content_sizes_is_followed() -> None:
    parts = zstandard.ZstdCompressor(level=1).compressobj()
    blob = (
        parts.compress(CONTENT[:700_000]) + parts.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) + parts.compress(bytes(900_000)) + parts.flush()
    )
    assert inflate(blob, 1000) == CONTENT[:700_000] + bytes(900_000)


@pytest.mark.parametrize("lost", [1, 3, 4, 5, 100])
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_truncated_stream_is_invalid(compression: str, lost: int) -> None:
    with pytest.raises(InvalidLayer):
        inflate(COMPRESSIONS[compression](CONTENT[:10_000])[:-lost], 1000)


def test_what_the_source_raises_is_not_taken_for_a_broken_stream() -> None:
    def broken() -> object:
        yield gzip.compress(CONTENT)[:1000]
        raise OSError("connection lost")

    with pytest.raises(OSError, match="connection lost"), translated_errors():
        fill(open_tar(ChunkReader(broken())), memoryview(bytearray(100_000)))  # type: ignore[arg-type]


def read(layer: Layer, blob: bytes, limits: StreamLimits | None = None) -> bytes:
    return b"".join(bytes(block) for block in LayerStream(layer, cut(blob), limits or StreamLimits()).blocks())


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_blocks_are_full_but_the_last_and_verified(compression: str) -> None:
    blob = COMPRESSIONS[compression](CONTENT)
    stream = LayerStream(describe(blob, CONTENT), cut(blob), StreamLimits())
    assert [len(block) for block in stream.blocks()] == [BUFFER_BYTES, BUFFER_BYTES, len(CONTENT) - 2 * BUFFER_BYTES]
    assert (stream.compressed_bytes, stream.uncompressed_bytes) == (len(blob), len(CONTENT))


def test_other_bytes_than_promised_are_a_mismatch() -> None:
    blob = gzip.compress(CONTENT)
    other = describe(gzip.compress(CONTENT, 1)[: len(blob)].ljust(len(blob), b"\0"), CONTENT)
    with pytest.raises(DigestMismatch, match=f"expected a layer with digest {other.descriptor.digest}, got {Digest.of(blob)}"):
        read(other, blob)


def test_another_tar_than_the_diff_id_is_a_mismatch() -> None:
    blob = gzip.compress(CONTENT)
    with pytest.raises(DigestMismatch, match=f"diff-id {Digest.of(b'')}, got {Digest.of(CONTENT)}"):
        read(describe(blob, b""), blob)


@pytest.mark.parametrize("difference", [-1, 1])
def test_another_size_than_promised_is_a_mismatch(difference: int) -> None:
    blob = gzip.compress(CONTENT)
    descriptor = Descriptor(media_type="", digest=Digest.of(blob), size=len(blob) + difference)
    with pytest.raises(DigestMismatch, match=f"expected a layer of {len(blob) + difference} bytes"):
        read(Layer(descriptor=descriptor, position=0, diff_id=None), blob)


def test_a_sha512_digest_is_verified() -> None:
    blob = gzip.compress(b"x")
    descriptor = Descriptor(media_type="", digest=Digest("sha512", hashlib.sha512(blob).hexdigest()), size=len(blob))
    assert read(Layer(descriptor=descriptor, position=0, diff_id=None), blob) == b"x"


def test_ten_gigabytes_of_zeros_are_refused_after_a_hundred_megabytes() -> None:
    blob = list(bomb())
    layer = describe_chunks(blob)
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded, match="decompression bomb"):
            for _ in LayerStream(layer, blob, StreamLimits()).blocks():
                pass
        assert tracemalloc.get_traced_memory()[1] < 20 * 1024**2
    finally:
        tracemalloc.stop()


def test_more_bytes_than_allowed_are_refused() -> None:
    blob = gzip.compress(CONTENT)
    with pytest.raises(LimitExceeded, match="1000000 bytes"):
        read(describe(blob), blob, StreamLimits(uncompressed_bytes=1_000_000))


def test_a_caller_that_stops_early_leaves_no_thread_behind() -> None:
    blob, before = gzip.compress(CONTENT), threading.active_count()
    blocks = LayerStream(describe(blob), cut(blob), StreamLimits()).blocks()
    next(blocks)
    blocks.close()
    assert threading.active_count() == before
