"""From the layers of an image to what is installed in it.

1. index the analyzed files by path, and which layers hide which of those paths;
2. keep each file's topmost record, if no higher layer hides it;
3. trace each of its packages down to the layer that introduced it;
4. name the distribution, and with it the ecosystem of its packages;
5. sum up the coverage: what was not read, or was read and means nothing to us, is said.

Limits: an entry of a layer that is a directory is not recorded, so a directory that replaces a file does not end that file's packages, and a gap in a file
that a higher layer removes remains a gap. Both err on the side of telling too much.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pratique.inventory.analyzer import Analyzer
from pratique.inventory.coverage import CoverageItem, CoverageStatus
from pratique.inventory.distribution import choose_distribution, package_type_of
from pratique.inventory.inventory import Inventory
from pratique.inventory.layer_paths import hash_path
from pratique.inventory.layer_result import AnalyzedFile, LayerResult
from pratique.inventory.merge_coverage import MERGE_VERSION, sum_coverage
from pratique.inventory.package import Distribution, InstalledPackage, Package

MAX_DEPTH = 64  # components of a path whose hiding is looked at: npm's deepest trees have 40; a path of 2,000 costs time squared
MAX_DIRECTORIES = 300_000  # distinct directories of analyzed files: twice those of 50,000 packages; each takes memory here
MAX_PACKAGES = 200_000  # distinct ones of one image: ten times the largest real ones; each is a row, and is matched


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedLayer:
    """A layer of an image after its scan: what was found in it, or why it could not be read."""

    digest: str
    result: LayerResult | None
    gap: CoverageItem | None

    def __post_init__(self) -> None:
        if self.result is None and self.gap is None:
            raise ValueError(f"layer {self.digest} has neither a result nor a reason for having none")


def merge_layers(layers: Sequence[ScannedLayer], analyzers: Sequence[Analyzer], *, max_packages: int = MAX_PACKAGES) -> Inventory:
    """Merge the layers of one image, base first. Pure and deterministic; 50,000 packages take about two seconds.

    A file's facts count if it is visible in the final image: not whited out, not below a directory that a higher layer made opaque, not at or below a
    path where a higher layer has something that is not a directory. Markers act on lower layers only (OCI image-spec, "layer.md").
    Of more than `max_packages` distinct packages the first are kept, and the coverage says so.
    """
    records = _index_records(layers)
    hidings = _Hidings(records, layers)
    visible = [history for history in records if hidings.first_after(history.path, history.layers[-1]) is None]
    distribution = choose_distribution(_distributions(visible))
    found, is_cut = _collect_packages(visible, hidings, max_packages)
    packages = tuple(sorted((_install(origin, distribution, layers) for origin in found.values()), key=_order))
    coverage = sum_coverage(layers, analyzers, distribution, packages)
    if is_cut:
        reason = f"more than {max_packages} distinct packages: only the first {max_packages} are listed"
        coverage = coverage.with_items([CoverageItem(name="packages", version=MERGE_VERSION, status=CoverageStatus.PARTIAL, reason=reason)])
    return Inventory(distribution=distribution, packages=packages, coverage=coverage)


class _History:
    """The records that an analyzer made of one path, base first: the layers' positions and what was in the file there."""

    __slots__ = ("files", "layers", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.layers: list[int] = []
        self.files: list[AnalyzedFile] = []

    def add(self, layer: int, file: AnalyzedFile) -> None:
        """Append a record; a path that a layer holds twice counts as its last entry, as when it is unpacked."""
        if self.layers and self.layers[-1] == layer:
            self.files[-1] = file
        else:
            self.layers.append(layer)
            self.files.append(file)


def _index_records(layers: Sequence[ScannedLayer]) -> list[_History]:
    histories: dict[tuple[str, str], _History] = {}
    for position, layer in enumerate(layers):
        for file in layer.result.files if layer.result else ():
            key = (file.path, file.analyzer)
            history = histories.get(key)
            if history is None:
                history = histories[key] = _History(file.path)
            history.add(position, file)
    return list(histories.values())


class _Hidings:
    """Which layers hide what lower layers have at a path. Only analyzed paths and their directories are looked up, not all entries."""

    def __init__(self, histories: Sequence[_History], layers: Sequence[ScannedLayer]) -> None:
        self._directories = _directories_of(history.path for history in histories)
        self._at: dict[int, list[int]] = {_key(path): [] for path in self._directories}
        self._at.update((_key(history.path), []) for history in histories)
        self._opaque: dict[str, list[int]] = {}
        for position, layer in enumerate(layers):
            if layer.result is not None:
                self._add_layer(position, layer.result)
        self._below: dict[str, tuple[int, ...]] = {}

    def _add_layer(self, position: int, result: LayerResult) -> None:
        hidden = set(self._at.keys() & memoryview(result.entries_hash).cast("Q"))
        hidden.update(_key(path) for path in result.whiteouts)
        hidden.update(_key(file.path) for file in result.files)
        for key in hidden:
            if key in self._at:
                self._at[key].append(position)
        for directory in set(result.opaque):
            if directory in self._directories:
                self._opaque.setdefault(directory, []).append(position)

    def first_after(self, path: str, layer: int) -> int | None:
        """The lowest layer above `layer` that hides or replaces the file at `path`, or None if none does."""
        found = None
        for positions in (self._at[_key(path)], self._hiding_below(_parent(path))):
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
            directory = _parent(directory)
        hiding = self._below.get(directory)
        if hiding is None:
            hiding = self._below[""] = self._merged((), "")
        for name in reversed(pending):
            hiding = self._below[name] = self._merged(hiding, name)
        return hiding

    def _merged(self, above: tuple[int, ...], directory: str) -> tuple[int, ...]:
        own = (*self._at.get(_key(directory), ()), *self._opaque.get(directory, ()))
        return tuple(sorted({*above, *own})) if own else above


def _directories_of(paths: Iterable[str]) -> set[str]:
    directories = {""}
    for path in paths:
        directory = _parent(path)
        while directory not in directories and len(directories) < MAX_DIRECTORIES:
            directories.add(directory)
            directory = _parent(directory)
    return directories


def _parent(path: str) -> str:
    """The directory of a path; of a path deeper than MAX_DEPTH, its ancestor at that depth."""
    if path.count("/") > MAX_DEPTH:
        return "/".join(path.split("/", MAX_DEPTH)[:MAX_DEPTH])
    return path.rpartition("/")[0]


def _key(path: str) -> int:
    return int.from_bytes(hash_path(path.encode()), sys.byteorder)  # the order in which memoryview.cast reads them


_Identity = tuple[object, ...]


@dataclass(slots=True, kw_only=True)
class _Origin:
    package: Package
    paths: set[str]
    layer: int


def _identity(package: Package) -> _Identity:
    """What makes two records the same package. The source belongs to it: advisories speak about that."""
    qualifiers = tuple(sorted(package.qualifiers.items())) if package.qualifiers else ()
    return (
        *(package.type, package.namespace, package.name, package.version, package.architecture),
        *(package.source_name or "", package.source_version or "", qualifiers),
    )


def _collect_packages(visible: Iterable[_History], hidings: _Hidings, limit: int) -> tuple[Mapping[_Identity, _Origin], bool]:
    """The first `limit` distinct packages, and whether there are more."""
    found: dict[_Identity, _Origin] = {}
    is_cut = False
    for history in visible:
        for identity, (package, layer) in _trace_packages(history, hidings).items():
            origin = found.get(identity)
            if origin is None and len(found) >= limit:
                is_cut = True
            elif origin is None:
                found[identity] = _Origin(package=package, paths={history.path}, layer=layer)
            else:
                origin.paths.add(history.path)
                origin.layer = min(origin.layer, layer)
    return found, is_cut


def _trace_packages(history: _History, hidings: _Hidings) -> Mapping[_Identity, tuple[Package, int]]:
    """Find for each package of the topmost record the lowest layer from which on every state of the image has had it in this file."""
    traced = {_identity(package): (package, history.layers[-1]) for package in history.files[-1].packages}
    unbroken = set(traced)
    for index in range(len(history.layers) - 2, -1, -1):
        layer = history.layers[index]
        if not unbroken or hidings.first_after(history.path, layer) != history.layers[index + 1]:
            break
        unbroken &= {_identity(package) for package in history.files[index].packages}
        traced.update((identity, (traced[identity][0], layer)) for identity in unbroken)
    return traced


def _distributions(visible: Iterable[_History]) -> Iterator[Distribution]:
    for history in visible:
        distribution = history.files[-1].distribution
        if distribution is not None:
            yield replace(distribution, path=history.path)


def _install(origin: _Origin, distribution: Distribution | None, layers: Sequence[ScannedLayer]) -> InstalledPackage:
    """A package of another package manager than the distribution's (dpkg's on Alpine) is not the distribution's: its ecosystem stays unknown."""
    package = origin.package
    if distribution is not None and package_type_of(distribution) in {None, package.type}:
        package = package.in_distribution(distribution)
    return InstalledPackage(package=package, paths=tuple(sorted(origin.paths)), layer=layers[origin.layer].digest)


def _order(installed: InstalledPackage) -> tuple[object, ...]:
    return (installed.package.purl, installed.package.source_name or "", installed.package.source_version or "")
