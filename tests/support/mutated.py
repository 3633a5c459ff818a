"""Bytes for parsers: of any kind, and real ones with some places changed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

from hypothesis import strategies as st

from pratique.errors import InputError
from pratique.inventory.analyzer import Fact, LayerFile
from pratique.inventory.package import Distribution, Package, PackageDetails


def mutated(*originals: bytes) -> st.SearchStrategy[bytes]:
    """Any bytes, or one of the originals cut short or with up to eight bytes replaced or inserted."""
    return st.one_of(st.binary(max_size=300), st.sampled_from(originals).flatmap(_changed))


def _changed(original: bytes) -> st.SearchStrategy[bytes]:
    places = st.integers(min_value=0, max_value=len(original))
    change = st.tuples(places, st.binary(max_size=4), st.booleans())
    return st.tuples(st.lists(change, max_size=8), places).map(lambda drawn: _apply(original, drawn[0], drawn[1]))


def _apply(original: bytes, changes: Iterable[tuple[int, bytes, bool]], length: int) -> bytes:
    content = original
    for place, piece, is_inserted in changes:
        content = content[:place] + piece + content[place + (0 if is_inserted else len(piece)) :]
    return content if length % 3 else content[:length]


def answer_or_refuse(parse: Callable[[LayerFile], Iterator[Fact]], file: LayerFile) -> None:
    """Fails for anything but facts and InputError."""
    with contextlib.suppress(InputError):
        for fact in parse(file):
            assert isinstance(fact, Package | PackageDetails | Distribution)
            assert not isinstance(fact, Package) or fact.purl
