"""The layers of an image on top of each other: which records are visible, and which layer hides what.

A file is visible if no higher layer whites it out, makes a directory above it opaque, has an entry at its path, or has something that is not a directory at a
directory above it. Markers act on lower layers only (OCI image-spec, "layer.md").
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pratique.inventory.coverage import CoverageItem
from pratique.inventory.layer_paths import split_paths
from pratique.inventory.layer_result import AnalyzedFile, LayerResult

MAX_DEPTH = 64  # components of a path whose hiding is looked at: npm's deepest trees have 40; a path of 2,000 costs time squared
MAX_DIRECTORIES = 300_000  # distinct directories of analyzed files: twice those of 50,000 packages; each takes memory here


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedLayer:
    """A layer of an image after its scan: what was found in it, or why it could not be read."""

    digest: str
    result: LayerResult | None
    gap: CoverageItem | None

    def __post_init__(self) -> None:
        if self.result is None and self.gap is None:
            raise ValueError(f"layer {self.digest} has neither a result nor a reason for having none")


class History:
    """The records that an analyzer made of one path, base first: the layers' positions and what was in the file there."""

    __slots__ = ("analyzer", "files", "layers", "path")

    def __init__(self, path: str, analyzer: str) -> None:
        self.path = path
        self.analyzer = analyzer
        self.layers: list[int] = []
        self.files: list[AnalyzedFile] = []

    def add(self, layer: int, file: AnalyzedFile) -> None:
        """Append a record; a path that a layer holds twice counts as its last entry, as when it is unpacked."""
        if self.layers and self.layers[-1] == layer:
            self.files[-1] = file
        else:
            self.layers.append(layer)
            self.files.append(file)


def index_records(layers: Sequence[ScannedLayer]) -> list[History]:
    """The histories of all analyzed files, in the order in which they were first met."""
    histories: dict[tuple[str, str], History] = {}
    for position, layer in enumerate(layers):
        for file in layer.result.files if layer.result else ():
            key = (file.path, file.analyzer)
            history = histories.get(key)
            if history is None:
                history = histories[key] = History(file.path, file.analyzer)
            history.add(position, file)
    return list(histories.values())


class Hidings:
    """Which layers hide what lower layers have at a path. Only the `paths` it was made for, and their directories, are looked up."""

    def __init__(self, paths: Collection[str], layers: Sequence[ScannedLayer]) -> None:
        self._directories = directories_of(paths)
        self._at: dict[str, list[int]] = {path: [] for path in (*self._directories, *paths)}
        self._replaced_at: dict[str, list[int]] = {}  # by a directory, which hides a file of its path and merges with a directory
        self._files = frozenset(paths)
        self._opaque: dict[str, list[int]] = {}
        for position, layer in enumerate(layers):
            if layer.result is not None:
                self._add_layer(position, layer.result)
        self._below: dict[str, tuple[int, ...]] = {}

    def _add_layer(self, position: int, result: LayerResult) -> None:
        hidden = self._at.keys() & entries_of(result)
        hidden.update(path for path in result.whiteouts if path in self._at)
        hidden.update(
            file.path for file in result.files if file.path in self._at
        )  # some were read through links: they have no entry of their own
        for path in hidden:
            self._at[path].append(position)
        for path in self._files.intersection(split_paths(result.directories)):
            self._replaced_at.setdefault(path, []).append(position)
        for directory in set(result.opaque):
            if directory in self._directories:
                self._opaque.setdefault(directory, []).append(position)

    def first_after(self, path: str, layer: int) -> int | None:
        """The lowest layer above `layer` that hides or replaces the file at `path`, or None if none does."""
        found = None
        for positions in (self._at[path], self._replaced_at.get(path, ()), self._hiding_below(parent_of(path))):
            index = bisect_right(positions, layer)
            if index < len(positions) and (found is None or positions[index] < found):
                found = positions[index]
        return found

    def _hiding_below(self, directory: str) -> tuple[int, ...]:
        """The layers that hide everything below a directory, ascending."""
        pending = []
        while directory not in self._below and directory:
            if directory in self._directories:
                pending.append(directory)
            directory = parent_of(directory)
        hiding = self._below.get(directory)
        if hiding is None:
            hiding = self._below[""] = self._merged((), "")
        for name in reversed(pending):
            hiding = self._below[name] = self._merged(hiding, name)
        return hiding

    def _merged(self, above: tuple[int, ...], directory: str) -> tuple[int, ...]:
        own = (*self._at.get(directory, ()), *self._opaque.get(directory, ()))
        return tuple(sorted({*above, *own})) if own else above


def directories_of(paths: Iterable[str]) -> set[str]:
    """All directories above these paths, the root (``) included; at most MAX_DIRECTORIES."""
    directories = {""}
    for path in paths:
        directory = parent_of(path)
        while directory not in directories and len(directories) < MAX_DIRECTORIES:
            directories.add(directory)
            directory = parent_of(directory)
    return directories


def parent_of(path: str) -> str:
    """The directory of a path; of a path deeper than MAX_DEPTH, its ancestor at that depth."""
    if path.count("/") > MAX_DEPTH:
        return "/".join(path.split("/", MAX_DEPTH)[:MAX_DEPTH])
    return path.rpartition("/")[0]


def entries_of(result: LayerResult) -> set[str]:
    """The paths of all entries that are no directories."""
    return {*split_paths(result.regular), *links_of(result), *split_paths(result.special)}


def links_of(result: LayerResult) -> dict[str, str]:
    """The symbolic links, with their targets."""
    texts = split_paths(result.links)
    return dict(zip(texts[::2], texts[1::2], strict=True))
