"""What was in a target, kept under its digest: what a digest names does not change.

Kept is only what the digest and the options settle: every manifest, config and layer was read and verified, no private key and no foreign host took part, and no SBOM was
added that may change. `--files` is left out too, since its lists are as large as what they are made of. The key holds the rest that enters: the version of
pratique, the analyzers, the files of the code that merges, the platform, and what is told about files. A file is the digest of what follows, and that; one that does not
match counts as absent.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pratique import __version__, inventory
from pratique.inventory import analyzers as analyzer_modules
from pratique.inventory.analyzers import ANALYZERS_KEY
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique_services.cli.cache_directory import CacheDirectory, cache_place
from pratique_services.cli.targets import LOCAL

if TYPE_CHECKING:
    from pratique_services.cli.target_inventory import TargetInventory

MAX_BYTES = 256 * 1024**2  # of all that is kept: some thousand large images
MAX_PLAIN_BYTES = 512 * 1024**2  # of one: protects memory against a file that was tampered with; 200,000 packages take some 100 MB
_DIGEST_BYTES = 32

CODE = (*inventory.__path__, *analyzer_modules.__path__)
"""The directories of the modules that take part in an inventory."""


class KnownTargets:
    """What is known of targets of registries that were inspected in one way. `plain_http` says how the registry is reached."""

    def __init__(self, files: CacheDirectory, *, plain_http: bool) -> None:
        self._files = files
        self._scheme = "http" if plain_http else "https"

    def load(self, digest: Digest, media_type: str | None = None) -> TargetInventory | None:
        """Load what is in the image or index of this digest, if that is known, and it was served as this type then."""
        content = self._files.read(_file(digest))
        found = _decode(content) if content is not None else None
        if found is None or found.digest != str(digest) or media_type not in {None, found.media_type}:
            return None
        return found

    def record(self, target: TargetInventory) -> None:
        """Keep what is in a target, unless another run might find something else."""
        if target.digest and target.is_whole:
            self._files.write(_file(Digest.parse(target.digest)), _encode(target))

    def is_open(self, reference: Reference) -> bool:
        """Tell whether the registry answered for this very reference without asking who wants to know."""
        return self._files.read(self._note(reference)) is not None

    def record_open(self, reference: Reference) -> None:
        """Remember that the registry answers for a reference without asking who wants to know."""
        self._files.write(self._note(reference), b"")

    def _note(self, reference: Reference) -> str:
        return f"{hashlib.sha256(f'{self._scheme}://{reference}'.encode()).hexdigest()}.open"


def open_known_targets(
    options: argparse.Namespace, *, analyzers: str = ANALYZERS_KEY, version: str = __version__, code: Sequence[str] = CODE
) -> KnownTargets | None:
    """Open what is known of targets inspected as the options say, by these `analyzers` and the modules in `code`; None where nothing is kept, or it may not be used."""
    place = cache_place(options)
    is_settled = not (options.decryption_key or options.foreign_layers or options.sbom_sources or options.files == "all")
    if place is None or not is_settled or options.target.startswith(LOCAL):
        return None
    key = "\n".join([version, analyzers, options.platform, options.files, *_modules(code)])
    return KnownTargets(CacheDirectory(place / "targets", key, max_bytes=MAX_BYTES), plain_http=options.plain_http)


def _modules(code: Sequence[str]) -> Iterator[str]:
    """Name, size and time of every module: not every change of what merges layers has a version of its own."""
    for directory in code:
        with os.scandir(directory) as entries:
            modules = sorted((entry for entry in entries if entry.name.endswith(".py")), key=lambda entry: entry.name)
        for module in modules:
            status = module.stat()
            yield f"{module.name} {status.st_size} {status.st_mtime_ns}"


def _file(digest: Digest) -> str:
    return f"{digest.hex}.inventory"


def _encode(target: TargetInventory) -> bytes:
    import msgspec  # see `_decode`

    content = zlib.compress(msgspec.msgpack.encode(target), 1)
    return hashlib.sha256(content).digest() + content


def _decode(content: bytes) -> TargetInventory | None:
    stated, packed = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(packed).digest() != stated:
        return None
    import msgspec  # where nothing is known, the first child process shall not wait for these

    from pratique_services.cli.target_inventory import TargetInventory

    try:
        return msgspec.msgpack.decode(zlib.decompressobj().decompress(packed, MAX_PLAIN_BYTES), type=TargetInventory)
    except (zlib.error, msgspec.DecodeError, UnicodeError):
        return None
