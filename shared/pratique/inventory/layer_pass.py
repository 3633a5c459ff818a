"""The one pass over a layer: verify, decompress, walk and analyse its bytes in one stream, with bounded memory.

1. The blob becomes verified tar blocks (`oci.layer_stream`), the blocks become entries (`oci.tar_stream`).
2. Every entry costs its path and a few look-ups; a file that an analyzer wants is parsed when its body is complete and then let go,
   except small ones that a link may point to.
3. At the end, links at wanted paths are resolved. A target whose body was let go asks for a second look: the same pass again with that path kept.

Nothing of it is answered before the digests matched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pratique.inventory.analyzer import Analyzer
from pratique.inventory.layer_links import LinkReader
from pratique.inventory.layer_result import LayerResult
from pratique.inventory.layer_visitor import LayerVisitor
from pratique.inventory.limits import LayerLimits
from pratique.oci.decompress import HEAD_BYTES
from pratique.oci.layer_stream import LayerStream
from pratique.oci.manifest import Layer
from pratique.oci.module_stream import ModuleStream, is_module
from pratique.oci.tar_stream import TarStream


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLook:
    """A pass that needs these paths kept, and so has to run again over the same bytes."""

    paths: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassPlan:
    """What a pass does: which analyzers run, within which limits, and whether every regular file is hashed, which costs about as much again as all the rest."""

    analyzers: Sequence[Analyzer]
    limits: LayerLimits
    compares_contents: bool = False


def look_at_layer(
    layer: Layer, chunks: Iterable[bytes], plan: PassPlan, *, second_look: Collection[str] | None = None
) -> LayerResult | SecondLook:
    """Read one layer; with `second_look`, the paths that a first look asked for, the answer is always a result.

    Raises InvalidLayer, DigestMismatch, LimitExceeded, and whatever `chunks` raises.
    """
    kept = frozenset(path.encode() for path in second_look or ())
    visitor = LayerVisitor(plan.analyzers, plan.limits, kept, compares_contents=plan.compares_contents)
    walker: TarStream | ModuleStream = TarStream(visitor, plan.limits.tar, shows_pieces=plan.compares_contents)
    stream = LayerStream(layer, chunks, plan.limits.stream)
    with contextlib.closing(stream.blocks()) as blocks:
        for number, block in enumerate(blocks):
            if not number and is_module(bytes(block[:HEAD_BYTES])):
                walker = ModuleStream(visitor, layer.descriptor.size, shows_pieces=plan.compares_contents)
            walker.feed(block)
    walker.close()
    missing = LinkReader(visitor).read()
    if missing and second_look is None:
        return SecondLook(paths=frozenset(target.decode() for target in missing.values()))
    for path, target in missing.items():
        visitor.add_gaps(path.decode(), f"links to {target.decode()}, which could not be kept")
    return LayerResult(
        files=visitor.records.files,
        diff_id=str(layer.diff_id or ""),  # verified by the stream, so this is what it really is
        whiteouts=tuple(visitor.whiteouts),
        opaque=tuple(visitor.opaque),
        regular=visitor.regular.text,
        links=visitor.links.text,
        directories=visitor.directories.text,
        special=visitor.special.text,
        executables=tuple(visitor.executables.values()),
        contents=visitor.contents.joined() if visitor.contents is not None else b"",
        gaps=visitor.records.gaps,
        bytes_compressed=stream.compressed_bytes,
        bytes_uncompressed=stream.uncompressed_bytes,
        entries=walker.entries,
    )
