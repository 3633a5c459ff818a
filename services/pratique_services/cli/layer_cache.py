"""Results of layers kept on disk, so that a second scan reads only what it has not seen.

A folder for each set of analyzers holds one file a layer, named by the layer's digest. Files are written whole or not at all; one that cannot be read counts as
absent. What was used longest ago goes when the folder outgrows its limit. Nothing in it is secret, but what is in an image is its owner's business: only the user can read it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pratique.errors import InvalidMessage
from pratique.inventory.analyzers import results_key
from pratique.inventory.layer_result import LayerResult
from pratique.oci.digest import Digest
from pratique.scanning import LayerStore, MemoryLayerStore

MAX_BYTES = 1024**3  # of all results: some thousand large layers
_PRIVATE = 0o700


def open_layer_store(options: argparse.Namespace, *, compares_contents: bool) -> LayerStore:
    """Open the store that the options ask for; memory only where there is no place for one."""
    directory = None if options.no_cache else _directory(options.cache_dir)
    if directory is None:
        return MemoryLayerStore()
    return DirectoryLayerStore(directory / "layers", results_key(compares_contents=compares_contents))


class DirectoryLayerStore:
    """A LayerStore in a directory. A disk that is full or not writable makes scans slower, not wrong."""

    def __init__(self, directory: Path, key: str, *, max_bytes: int = MAX_BYTES) -> None:
        self._parent = directory
        self._directory = directory / hashlib.sha256(key.encode()).hexdigest()[:16]
        self._max_bytes = max_bytes

    async def load(self, digests: Sequence[str]) -> Mapping[str, LayerResult]:
        """Load what is known of these layers."""
        found = {digest: self._load(digest) for digest in dict.fromkeys(digests)}
        return {digest: result for digest, result in found.items() if result is not None}

    async def record(self, digest: str, result: LayerResult) -> None:
        """Keep a result, as far as the disk allows."""
        with contextlib.suppress(OSError):
            self._write(digest, result.encode())
            self._prune()

    def _write(self, digest: str, content: bytes) -> None:
        self._directory.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._directory, delete=False) as file:
            file.write(content)
        Path(file.name).replace(self._path(digest))

    def _load(self, digest: str) -> LayerResult | None:
        path = self._path(digest)
        try:
            result = LayerResult.decode(path.read_bytes())
            os.utime(path)
        except (OSError, InvalidMessage):
            return None
        return result

    def _path(self, digest: str) -> Path:
        return self._directory / Digest.parse(digest).hex

    def _prune(self) -> None:
        """Remove the results used longest ago, those of other analyzers too, until the rest fits."""
        files = [(file.stat(), file) for file in self._parent.glob("*/*")]
        total = 0
        for status, file in sorted(files, key=lambda entry: -entry[0].st_mtime_ns):
            total += status.st_size
            if total > self._max_bytes:
                file.unlink(missing_ok=True)


def _directory(option: Path | None) -> Path | None:
    if option is not None:
        return option
    if named := os.environ.get("PRATIQUE_CACHE_DIR"):
        return Path(named)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "pratique"
    try:
        return Path.home() / ".cache" / "pratique"
    except RuntimeError:  # a user without a home
        return None
