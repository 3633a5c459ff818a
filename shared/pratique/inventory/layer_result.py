"""What one pass over one layer found: the unit that is stored under (layer digest, analyzer versions) and never computed twice."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from pratique.errors import InvalidMessage
from pratique.inventory.coverage import CoverageItem
from pratique.inventory.package import Distribution, Package


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzedFile:
    """A file of the layer that an analyzer wanted, and the facts in it (none, if it holds none or could not be read)."""

    path: str
    analyzer: str
    packages: tuple[Package, ...] = ()
    distribution: Distribution | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerResult:
    """One layer's contribution to an image.

    `files` are in the order of the tar. `whiteouts` are the paths that this layer removes from lower layers (`a/b` for `a/.wh.b`), `opaque` the directories whose
    lower content it hides (`a` for `a/.wh..wh..opq`; `` is the root). `entries_hash` holds, sorted and joined, the 8-byte BLAKE2b digests of the paths of all entries that
    are not directories: such an entry hides a lower file of that path and everything below a lower directory of that path.
    `diff_id` is the digest of the uncompressed tar, verified; empty if nobody promised one. `gaps` says what could not be read; a result with gaps is still what could be. `bytes_compressed`, `bytes_uncompressed` and `entries` are counts.
    """

    files: tuple[AnalyzedFile, ...]
    diff_id: str = ""
    whiteouts: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()
    entries_hash: bytes = b""
    gaps: tuple[CoverageItem, ...] = ()
    bytes_compressed: int = 0
    bytes_uncompressed: int = 0
    entries: int = 0

    def encode(self) -> bytes:
        """Serialise to MessagePack: what workers answer and storage keeps."""
        return _ENCODER.encode(self)

    @classmethod
    def decode(cls, content: bytes) -> LayerResult:
        """Read what `encode` wrote.

        Raises InvalidMessage.
        """
        try:
            return _DECODER.decode(content)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise InvalidMessage(f"stored layer result cannot be read: {error}") from error


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(LayerResult)
