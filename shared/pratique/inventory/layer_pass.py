"""The one pass over a layer: verify, decompress, walk and analyse its bytes in one stream, with bounded memory.

1. The blob becomes verified tar blocks (`oci.layer_stream`), the blocks become entries (`oci.tar_stream`).
2. Every entry costs a hash of its path and four look-ups; a file that an analyzer wants is parsed when its body is complete and then let go,
   except small ones that a link may point to.
3. At the end, links at wanted paths are resolved. A target whose body was let go asks for a second look: the same pass again with that path kept.

Nothing of it is answered before the digests matched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pratique.errors import LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile
from pratique.inventory.layer_links import resolve
from pratique.inventory.layer_paths import has_hash, hash_path, sorted_hashes
from pratique.inventory.layer_records import LayerRecords
from pratique.inventory.layer_result import LayerResult
from pratique.inventory.limits import LayerLimits
from pratique.inventory.path_index import PathIndex
from pratique.oci.layer_stream import LayerStream
from pratique.oci.manifest import Layer
from pratique.oci.tar_stream import TarStream

_WHITEOUT = b".wh."
_WHITEOUT_META = b".wh..wh."  # aufs's own; only the opaque marker among them means something
_OPAQUE = b".wh..wh..opq"
_KEPT_FILE_BYTES = 256 * 1024  # larger bodies are not kept for links that may come: a second look is cheaper than the memory
_NEIGHBOUR_BYTES = 16 * 1024  # files beside an exactly wanted path: distributions link `etc/redhat-release` to `etc/rocky-release`


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLook:
    """A pass that needs these paths kept, and so has to run again over the same bytes."""

    paths: frozenset[str]


def scan_layer(layer: Layer, chunks: Iterable[bytes], analyzers: Sequence[Analyzer], limits: LayerLimits) -> LayerResult:
    """Read one layer once. What a second look would have found is a gap.

    Raises InvalidLayer, DigestMismatch, LimitExceeded, and whatever `chunks` raises.
    """
    result = look_at_layer(layer, chunks, analyzers, limits, second_look=())
    if isinstance(result, SecondLook):
        raise AssertionError("a second look asked for another")
    return result


def look_at_layer(
    layer: Layer, chunks: Iterable[bytes], analyzers: Sequence[Analyzer], limits: LayerLimits, *, second_look: Collection[str] | None = None
) -> LayerResult | SecondLook:
    """Read one layer; with `second_look`, the paths that a first look asked for, the answer is always a result.

    Raises InvalidLayer, DigestMismatch, LimitExceeded, and whatever `chunks` raises.
    """
    visitor = _LayerVisitor(analyzers, limits, frozenset(path.encode() for path in second_look or ()))
    walker = TarStream(visitor, limits.tar)
    stream = LayerStream(layer, chunks, limits.stream)
    with contextlib.closing(stream.blocks()) as blocks:
        for block in blocks:
            walker.feed(block)
    walker.close()
    entries_hash = sorted_hashes(visitor.hashes)
    missing = _LinkReader(visitor, entries_hash).read()
    if missing and second_look is None:
        return SecondLook(paths=frozenset(path.decode() for targets in missing.values() for path in targets))
    for path in missing:
        visitor.records.add_gap(path.decode(), "link to a file of this layer that could not be kept")
    return LayerResult(
        files=visitor.records.files,
        whiteouts=tuple(visitor.whiteouts),
        opaque=tuple(visitor.opaque),
        entries_hash=entries_hash,
        gaps=visitor.records.gaps,
        bytes_compressed=stream.compressed_bytes,
        bytes_uncompressed=stream.uncompressed_bytes,
        entries=walker.entries,
    )
