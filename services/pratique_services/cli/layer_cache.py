"""Results of layers kept on disk, so that a second scan reads only what it has not seen."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from pratique.errors import InvalidMessage
from pratique.inventory.analyzers import results_key
from pratique.inventory.layer_result import LayerResult
from pratique.oci.digest import Digest
from pratique.scanning import LayerStore, MemoryLayerStore
from pratique_services.cli.cache_directory import CacheDirectory, cache_place

MAX_BYTES = 1024**3  # of all results: some thousand large layers


def open_layer_store(options: argparse.Namespace, *, compares_contents: bool) -> LayerStore:
    """Open the store that the options ask for; memory only where there is no place for one."""
    place = cache_place(options)
    if place is None:
        return MemoryLayerStore()
    return DirectoryLayerStore(place / "layers", results_key(compares_contents=compares_contents))


class DirectoryLayerStore:
    """A LayerStore in a directory, a file a layer, named by its digest. One that cannot be read counts as absent."""

    def __init__(self, directory: Path, key: str, *, max_bytes: int = MAX_BYTES) -> None:
        self._files = CacheDirectory(directory, key, max_bytes=max_bytes)

    async def load(self, digests: Sequence[str]) -> Mapping[str, LayerResult]:
        """Load what is known of these layers."""
        found = {digest: self._load(digest) for digest in dict.fromkeys(digests)}
        return {digest: result for digest, result in found.items() if result is not None}

    async def record(self, digest: str, result: LayerResult) -> None:
        """Keep a result, as far as the disk allows."""
        self._files.write(Digest.parse(digest).hex, result.encode())

    def _load(self, digest: str) -> LayerResult | None:
        content = self._files.read(Digest.parse(digest).hex)
        try:
            return LayerResult.decode(content) if content is not None else None
        except InvalidMessage:
            return None
