"""Layer blobs in the formats that are read lazily elsewhere, written from their specifications.

eStargz: containerd/stargz-snapshotter `docs/estargz.md`. zstd:chunked: containers/storage `pkg/chunked/internal/compression.go`.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zlib

import zstandard

from tests.support.images import Files, make_layer

TOC_NAME = "stargz.index.json"
NO_LANDMARK = ".no.prefetch.landmark"
EMPTY_LAYER = bytes.fromhex("1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000")
"""The layer of 1,024 zero bytes that Docker's build wrote for instructions without files, sha256:a3ed95ca…"""

_SKIPPABLE = 0x184D2A50
_ZSTD_CHUNKED_MAGIC = b"GNUlInUx"


def make_estargz(files: Files, *, landmark: str = NO_LANDMARK) -> bytes:
    """A gzip layer whose members are one tar entry each, with a landmark in front, the table of contents as its last entry, and the footer that points to it."""
    archive = make_layer({landmark: b"\x0f", **files}, compression="")
    members, entries = [], []
    for start, end, info in _entries(archive):
        entries.append({"name": info.name, "type": "reg", "size": info.size, "offset": sum(map(len, members))})
        members.append(gzip.compress(archive[start:end], mtime=0))
    offset = sum(map(len, members))
    contents = make_layer({TOC_NAME: json.dumps({"version": 1, "entries": entries}).encode()}, compression="")
    members.append(gzip.compress(contents, mtime=0))
    return b"".join(members) + _footer(offset)


def make_zstd_chunked(files: Files) -> bytes:
    """A zstd layer with a frame for each tar entry, and behind them skippable frames: table of contents, tar-split data, footer."""
    archive = make_layer(files, compression="")
    ends = [end for _, end, _ in _entries(archive)]
    pieces = [archive[start:end] for start, end in zip([0, *ends], [*ends, len(archive)], strict=True)]
    data = b"".join(zstandard.compress(piece) for piece in pieces)
    contents = zstandard.compress(json.dumps({"version": 1, "entries": []}).encode())
    split = zstandard.compress(b'{"type":2,"payload":""}\n')
    footer = struct.pack("<7Q", len(data) + 8, len(contents), 35, 1, len(data) + len(contents) + 16, len(split), 24) + _ZSTD_CHUNKED_MAGIC
    return data + b"".join(struct.pack("<II", _SKIPPABLE, len(frame)) + frame for frame in (contents, split, footer))


def _entries(archive: bytes) -> list[tuple[int, int, tarfile.TarInfo]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = opened.getmembers()
    starts = [info.offset for info in found]
    last = found[-1].offset_data + -(-found[-1].size // 512) * 512
    return list(zip(starts, [*starts[1:], last], found, strict=True))


def _footer(offset: int) -> bytes:
    """An empty gzip member whose extra field says where the table of contents begins."""
    field = f"{offset:016x}STARGZ".encode()
    extra = b"SG" + struct.pack("<H", len(field)) + field
    header = b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff" + struct.pack("<H", len(extra)) + extra
    return header + b"\x01\x00\x00\xff\xff" + struct.pack("<II", zlib.crc32(b""), 0)
