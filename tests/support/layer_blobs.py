"""Layers made in memory: tar entries in, blob and Layer out."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass

import zstandard

from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Layer
from pratique.oci.media_types import OCI_LAYER_GZIP

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda content: gzip.compress(content, 6, mtime=0),
    "zstd": lambda content: zstandard.ZstdCompressor(write_checksum=True).compress(content),
    "plain": lambda content: content,
}


@dataclass(frozen=True)
class Entry:
    path: str
    content: bytes = b""
    kind: bytes = tarfile.REGTYPE
    target: str = ""
    mode: int = 0o644


def make_tar(entries: Iterable[Entry], tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.type, info.linkname, info.size, info.mode = entry.kind, entry.target, len(entry.content), entry.mode
            archive.addfile(info, io.BytesIO(entry.content))
    return out.getvalue()


def describe(blob: bytes, tar: bytes | None = None) -> Layer:
    """The Layer of `blob`, with the diff-id of `tar` where it is given."""
    descriptor = Descriptor(media_type=OCI_LAYER_GZIP, digest=Digest.of(blob), size=len(blob))
    return Layer(descriptor=descriptor, position=0, diff_id=None if tar is None else Digest.of(tar))


def describe_chunks(chunks: Iterable[bytes]) -> Layer:
    """The Layer of a blob that is too large to hold, without diff-id."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    descriptor = Descriptor(media_type=OCI_LAYER_GZIP, digest=Digest("sha256", digest.hexdigest()), size=size)
    return Layer(descriptor=descriptor, position=0, diff_id=None)


def cut(blob: bytes, size: int = 100_000) -> Iterator[bytes]:
    for start in range(0, len(blob), size):
        yield blob[start : start + size]


def streamed(chunks: Callable[[], Iterable[bytes]]) -> Callable[[], AsyncIterator[bytes]]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks():
            yield chunk

    return stream
