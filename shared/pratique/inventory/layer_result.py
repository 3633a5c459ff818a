"""What one pass over one layer found: the unit that is stored under (layer digest, analyzer versions) and never computed twice."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from isal import isal_zlib
from isal.igzip_lib import IsalError

from pratique.errors import InvalidMessage
from pratique.inventory.coverage import CoverageItem
from pratique.inventory.package import Distribution, Package

MAX_DECODED_BYTES = 1024**3
"""Size of a decompressed result: eight times what a pass may find, a guard against stored bytes that were tampered with."""

_PACKED, _PLAIN = b"\x01", b"\x00"
_PACK_FROM = 4096  # bytes: what is shorter gains nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedFiles:
    """A PackageDetails as it is stored: `paths` each with a NUL behind it, `digests` likewise in the same order, or empty where contents are not compared."""

    type: str
    name: str
    version: str = ""
    architecture: str = ""
    paths: str = ""
    digests: str = ""
    directories: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzedFile:
    """A file of the layer that an analyzer wanted, and the facts in it (none, if it holds none or could not be read)."""

    path: str
    analyzer: str
    packages: tuple[Package, ...] = ()
    distribution: Distribution | None = None
    owned: tuple[OwnedFiles, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    """A regular file of the layer that a kernel would run or load: a binary, or a script with its `interpreter` (`/bin/sh`). `size` in bytes."""

    path: str
    size: int
    interpreter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerResult:
    """One layer's contribution to an image.

    `files` are in the order of the tar. `whiteouts` are the paths that this layer removes from lower layers (`a/b` for `a/.wh.b`), `opaque` the directories whose
    lower content it hides (`a` for `a/.wh..wh..opq`; `` is the root). The four texts hold the paths of all other entries, each ended by NUL: `regular` files (hard links are
    such), `links` (path, then target), `directories`, and `special` ones (devices, fifos). An entry that is no directory hides a lower file of its path and everything below a lower
    directory of its path. `executables` are those of the regular files that can run. `contents` are the digests of the regular files, if the pass compared contents: for each `md5`, `sha1` and
    `sha256` in turn (68 bytes), in the order of `regular`, zero bytes for hard links.
    `diff_id` is the digest of the uncompressed tar, verified; empty if nobody promised one. `gaps` says what could not be read; a result with gaps is still what could be.
    `bytes_compressed`, `bytes_uncompressed` and `entries` are counts.
    """

    files: tuple[AnalyzedFile, ...]
    diff_id: str = ""
    whiteouts: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()
    regular: str = ""
    links: str = ""
    directories: str = ""
    special: str = ""
    executables: tuple[Executable, ...] = ()
    contents: bytes = b""
    gaps: tuple[CoverageItem, ...] = ()
    bytes_compressed: int = 0
    bytes_uncompressed: int = 0
    entries: int = 0

    def encode(self) -> bytes:
        """Serialise to MessagePack, compressed: what workers answer and storage keeps."""
        content = _ENCODER.encode(self)
        return _PACKED + isal_zlib.compress(content, 1) if len(content) > _PACK_FROM else _PLAIN + content

    @classmethod
    def decode(cls, content: bytes) -> LayerResult:
        """Read what `encode` wrote.

        Raises InvalidMessage.
        """
        try:
            return _DECODER.decode(_unpack(content))
        except (msgspec.DecodeError, UnicodeError, IsalError) as error:  # type: ignore[misc] # isal declares its error as a plain object
            raise InvalidMessage(f"stored layer result cannot be read: {error}") from error


def _unpack(content: bytes) -> bytes:
    if content[:1] != _PACKED:
        return content[1:]
    inflater = isal_zlib.decompressobj()
    plain = inflater.decompress(content[1:], MAX_DECODED_BYTES)
    if not inflater.eof:
        raise InvalidMessage("stored layer result is cut off or too large")
    return plain


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(LayerResult)
