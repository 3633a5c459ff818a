"""Images in an OCI layout: a directory, or the layout inside a tar that newer `docker save` writes.

Source: OCI image-spec `image-layout.md`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from pratique.errors import DigestMismatch, InvalidReference, MissingError
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import MAX_MANIFEST_BYTES, Descriptor, Index, Manifest, parse_document
from pratique.registry.documents import verify_content, verify_document
from pratique.registry.local_files import check_limit, open_regular, read_file, stream_range, translated_files

REF_NAME = "org.opencontainers.image.ref.name"
_IMAGE_NAME = "io.containerd.image.name"  # what docker save adds: the name with its repository


class Blobs(Protocol):
    """Where the files of a layout lie. Blocking; `locate` gives the file, the offset in it and the size."""

    def read(self, name: str, limit: int) -> bytes:
        """Read a file of the layout whole, at most `limit` bytes."""
        ...

    def locate(self, name: str) -> tuple[Path, int, int]:
        """Find a file of the layout."""
        ...


class LayoutSource:
    """An image of an OCI layout. `name` selects one of several by its reference name; without it the layout's only one is taken."""

    def __init__(self, reference: str, files: Blobs, name: str | None = None) -> None:
        self._reference = reference
        self._files = files
        self._name = name

    @property
    def reference(self) -> str:
        """What the user wrote."""
        return self._reference

    async def fetch_root(self) -> Manifest | Index:
        """Read the image that the reference names.

        Raises InvalidReference where it names none, or there are several and it names none of them.
        """
        content = await asyncio.to_thread(self._files.read, "index.json", MAX_MANIFEST_BYTES)
        index = parse_document(content, media_types.OCI_INDEX)
        if not isinstance(index, Index):
            raise InvalidReference(f"{self._reference}: index.json is not an index")
        chosen = choose_image(index, self._name, self._reference)
        return index if chosen is None else await self.fetch_document(chosen)

    async def fetch_document(self, descriptor: Descriptor) -> Manifest | Index:
        """Read a manifest or index, verified."""
        content = await asyncio.to_thread(self._files.read, blob_name(descriptor.digest), MAX_MANIFEST_BYTES)
        verify_content(content, descriptor.digest)
        document = parse_document(content, descriptor.media_type)
        verify_document(document, descriptor)
        return document

    async def fetch_blob(self, descriptor: Descriptor, *, limit: int) -> bytes:
        """Read a small blob whole, verified."""
        check_limit(descriptor, limit)
        content = await asyncio.to_thread(self._files.read, blob_name(descriptor.digest), limit)
        verify_content(content, descriptor.digest)
        return content

    async def stream_blob(self, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """Stream a blob, not verified but for its size."""
        path, start, size = await asyncio.to_thread(self._files.locate, blob_name(descriptor.digest))
        if size != descriptor.size:
            raise DigestMismatch(f"{descriptor.digest}: expected {descriptor.size} bytes, the file has {size}")
        async for chunk in stream_range(path, start, descriptor):
            yield chunk

    async def close(self) -> None:
        """Do nothing: files are open only while they are read."""


class DirectoryBlobs:
    """The files of a layout that is a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, name: str, limit: int) -> bytes:
        """Read a file whole."""
        return read_file(self._directory / name, limit)

    def locate(self, name: str) -> tuple[Path, int, int]:
        """Find a file; its symbolic links are followed, as build tools make layouts of them: what they lead to is held to its digest."""
        path = self._directory / name
        with open_regular(path) as file, translated_files(path):
            return path, 0, file.seek(0, 2)


def blob_name(digest: Digest) -> str:
    """Give the place of a blob within a layout. It is made of a checked digest only, so that no name can lead out of the layout."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def choose_image(index: Index, name: str | None, reference: str) -> Descriptor | None:
    """Choose an entry of `index.json`; None means the index itself, whose entries without names are the platforms of one image.

    Raises InvalidReference, MissingError.
    """
    if not index.manifests:
        raise MissingError(f"{reference}: the layout holds no image")
    named = {text: entry for entry in index.manifests for text in _names_of(entry)}
    if name is not None:
        if name not in named:
            raise InvalidReference(f"{reference}: no image {name!r} in the layout; it has {_few(named)}")
        return named[name]
    if len({entry.digest for entry in index.manifests}) == 1:
        return index.manifests[0]
    if not named:
        return None
    raise InvalidReference(f"{reference}: several images in the layout, name one of {_few(named)}")


def _names_of(entry: Descriptor) -> list[str]:
    return [text for key in (REF_NAME, _IMAGE_NAME) if (text := entry.annotations.get(key))]


def _few(names: dict[str, Descriptor]) -> str:
    shown = ", ".join(sorted(names)[:10])
    return (shown or "no names")[:500]
