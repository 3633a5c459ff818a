"""A directory that holds a root file system, as an image of one layer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from pratique.errors import MissingError
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Index, Manifest, parse_document
from pratique.registry.local_files import check_limit
from pratique.registry.referrers import encode_descriptor
from pratique.registry.rootfs_tar import iterate_tar

_T = TypeVar("_T")


class RootfsSource:
    """The image of a directory: its layer's tar is made while it is read, once for its digest and once for its bytes."""

    def __init__(self, reference: str, directory: Path) -> None:
        self._reference = reference
        self._directory = directory
        self._config = b""
        self._layer: Digest | None = None

    @property
    def reference(self) -> str:
        """What the user wrote."""
        return self._reference

    async def fetch_root(self) -> Manifest | Index:
        """Read the directory once and build its manifest: the same for the same content. Raises what `iterate_tar` raises."""
        self._layer, size = await _measure(self._directory)
        rootfs = {"type": "layers", "diff_ids": [str(self._layer)]}
        self._config = msgspec.json.encode({"architecture": "unknown", "os": "linux", "config": {}, "rootfs": rootfs})
        config = Descriptor(media_type=media_types.OCI_CONFIG, digest=Digest.of(self._config), size=len(self._config))
        layer = Descriptor(media_type=media_types.OCI_LAYER, digest=self._layer, size=size)
        document = {"schemaVersion": 2, "config": encode_descriptor(config), "layers": [encode_descriptor(layer)]}
        return parse_document(msgspec.json.encode(document), media_types.OCI_MANIFEST)

    async def fetch_document(self, descriptor: Descriptor) -> Manifest | Index:
        """Raise MissingError: a directory has no index."""
        raise MissingError(f"{self._reference}: no document {descriptor.digest} in a directory")

    async def fetch_blob(self, descriptor: Descriptor, *, limit: int) -> bytes:
        """Give the image config that `fetch_root` made."""
        check_limit(descriptor, limit)
        if not descriptor.digest.matches(self._config):
            raise MissingError(f"{self._reference}: no blob {descriptor.digest} in a directory")
        return self._config

    async def stream_blob(self, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """Stream the layer, not verified: where the directory has changed since `fetch_root`, its digest is another."""
        if descriptor.digest != self._layer:
            raise MissingError(f"{self._reference}: no blob {descriptor.digest} in a directory")
        async for chunk in _in_threads(self._directory, bytes):
            yield chunk

    async def close(self) -> None:
        """Do nothing: files are open only while they are read."""


async def _measure(directory: Path) -> tuple[Digest, int]:
    hasher = Digest.of(b"").hasher()

    def absorb(chunk: bytes) -> int:
        hasher.update(chunk)
        return len(chunk)

    size = sum([length async for length in _in_threads(directory, absorb)])
    return Digest("sha256", hasher.hexdigest()), size


async def _in_threads(directory: Path, use: Callable[[bytes], _T]) -> AsyncIterator[_T]:
    """Make the tar and use each chunk in a thread, one hop each; the walk's descriptors are closed however it ends."""
    chunks = iterate_tar(directory)
    try:
        while (made := await asyncio.to_thread(_next, chunks, use)) is not None:
            yield made
    finally:
        with contextlib.suppress(ValueError):  # cancelled while a thread is still in it: it is closed when that thread lets go
            await asyncio.to_thread(chunks.close)


def _next(chunks: Iterator[bytes], use: Callable[[bytes], _T]) -> _T | None:
    chunk = next(chunks, None)
    return None if chunk is None else use(chunk)
