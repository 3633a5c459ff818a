"""An image in a registry."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Index, Manifest
from pratique.oci.reference import Reference
from pratique.registry.client import RegistryClient


class RegistrySource:
    """The image that a registry reference names. Closing it leaves the client open: that belongs to its Registries."""

    def __init__(self, client: RegistryClient, reference: Reference) -> None:
        self._client = client
        self._reference = reference

    @property
    def reference(self) -> str:
        """The reference, completed."""
        return str(self._reference)

    async def fetch_root(self) -> Manifest | Index:
        """Fetch what the reference names now."""
        return await self._client.fetch_document(self._reference.repository, self._reference.locator)

    async def fetch_document(self, descriptor: Descriptor) -> Manifest | Index:
        """Fetch a child of an index, verified."""
        return await self._client.fetch_document(self._reference.repository, descriptor.digest, expected=descriptor)

    async def fetch_blob(self, descriptor: Descriptor, *, limit: int) -> bytes:
        """Fetch a small blob whole, verified."""
        return await self._client.fetch_blob(self._reference.repository, descriptor, limit=limit)

    def stream_blob(self, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """Stream a blob, not verified."""
        return self._client.stream_blob(self._reference.repository, descriptor)

    async def list_referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """List what refers to a digest of the same repository. What an entry says of itself is not verified."""
        return await self._client.list_referrers(self._reference.repository, digest)

    async def fetch_tagged(self, tag: str) -> Manifest | Index:
        """Fetch what another tag of the same repository names now."""
        return await self._client.fetch_document(self._reference.repository, tag)

    async def close(self) -> None:
        """Do nothing: the client is shared."""
