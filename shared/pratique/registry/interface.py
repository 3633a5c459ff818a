"""Where images come from: one interface for registries, OCI layouts, docker archives and directories."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from pratique.oci.manifest import Descriptor, Index, Manifest


class ImageSource(Protocol):
    """A place that holds one image or index. Every method may raise MissingError, UnavailableError, RefusedError, InputError."""

    @property
    def reference(self) -> str:
        """What the user wrote, for reports."""
        ...

    async def fetch_root(self) -> Manifest | Index:
        """Fetch the document that the reference names."""
        ...

    async def fetch_document(self, descriptor: Descriptor) -> Manifest | Index:
        """Fetch a child of an index; its digest and size are verified."""
        ...

    async def fetch_blob(self, descriptor: Descriptor, *, limit: int) -> bytes:
        """Fetch a small blob whole (an image config), at most `limit` bytes; digest and size are verified."""
        ...

    def stream_blob(self, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """Stream a blob's bytes as stored, resuming broken transfers. NOT verified: the layer pass does that. Fails when more than the promised size comes."""
        ...

    async def close(self) -> None:
        """Let go of connections and files."""
        ...
