"""Full file accountability: what every regular file of an image is, and which software in it nobody answers for.

A file is, in this order:

- `modified`: a package manager installed it, and its content is not what was recorded; a changed configuration file is such too;
- `owned`: a package manager installed it; `intact` if its content was compared as well;
- `identified`: an analyzer read it, or it lies in a directory that belongs to a package (`node_modules/a`);
- `unknown`: none of these.

Data is mostly unknown and harmless. Unknown executables are what matters: they are listed with the layer that brought them, and whether the image's
entry point runs them.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pratique.inventory.entry_point import EntryPoint, find_entry_files
from pratique.inventory.inventory import Inventory
from pratique.inventory.layer_contents import RECORD_BYTES, has_digest
from pratique.inventory.layer_paths import split_paths
from pratique.inventory.layer_result import Executable, LayerResult, OwnedFiles
from pratique.inventory.layer_stack import PathResolver, ScannedLayer, directories_of, entries_of, links_of_image, parent_of
from pratique.inventory.merge import find_visible
from pratique.inventory.ownership import PackageIndex, paths_of

MAX_LISTED = 1000
"""Unknown executables listed of one image: an image of a thousand builds would fill every report; the rest is counted."""


class FileState(enum.StrEnum):
    """What is known of a file."""

    MODIFIED = "modified"
    INTACT = "intact"
    OWNED = "owned"
    IDENTIFIED = "identified"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A regular file of the final image. `owner` is the purl of the package it belongs to, if one does; `layer` the digest of the layer whose file it is.

    `executable` is set for binaries and scripts.
    """

    path: str
    state: FileState
    layer: str
    owner: str | None = None
    executable: Executable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownExecutable:
    """A binary or script that no package answers for. `size` in bytes; `is_entry` says that the entry point runs it, by itself or as an interpreter."""

    path: str
    layer: str
    size: int
    is_entry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAccount:
    """The sum over all regular files of an image. `is_compared` says whether contents were compared with recorded digests; without that nothing is `modified`."""

    counts: Mapping[FileState, int]
    is_compared: bool
    unknown_executables: tuple[UnknownExecutable, ...]
    unknown_executable_count: int

    @property
    def total(self) -> int:
        """The number of regular files."""
        return sum(self.counts.values())


def list_files(layers: Sequence[ScannedLayer], inventory: Inventory) -> Iterator[FileEntry]:
    """Yield every regular file of the final image, in order of its path, with what is known of it.

    Pure; 100,000 files take about half a second.
    """
    visible = find_visible(layers)
    resolver = PathResolver(links_of_image(layers))
    owners = _Owners(list(visible.owned), inventory, resolver)
    analysed = {history.path for history in visible.histories}
    for path, place in sorted(_visible_files(layers).items()):
        state, owner = owners.judge(resolver.resolve(path), place.record)
        if state is FileState.UNKNOWN and path in analysed:
            state = FileState.IDENTIFIED
        yield FileEntry(path=path, state=state, layer=place.layer, owner=owner, executable=place.executable)


def account_files(files: Sequence[FileEntry], layers: Sequence[ScannedLayer], entry_point: EntryPoint) -> FileAccount:
    """Sum up the files of an image, as `list_files` yielded them."""
    counts = Counter(entry.state for entry in files)
    resolver = PathResolver(links_of_image(layers))
    interpreters = {entry.path: entry.executable.interpreter for entry in files if entry.executable is not None}
    entries = find_entry_files(entry_point, interpreters, resolver)
    unknown = ((entry, entry.executable) for entry in files if entry.state is FileState.UNKNOWN)
    listed = [
        UnknownExecutable(path=entry.path, layer=entry.layer, size=executable.size, is_entry=entry.path in entries)
        for entry, executable in unknown
        if executable is not None
    ]
    listed.sort(key=lambda executable: (not executable.is_entry, executable.path))
    return FileAccount(
        counts={state: counts[state] for state in FileState},
        is_compared=any(layer.result is not None and layer.result.contents for layer in layers),
        unknown_executables=tuple(listed[:MAX_LISTED]),
        unknown_executable_count=len(listed),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a visible file comes from, and its content's digests (empty if not compared)."""

    layer: str
    record: bytes
    executable: Executable | None


def _visible_files(layers: Sequence[ScannedLayer]) -> dict[str, _Place]:
    """The regular files that no higher layer hides, from the top layer down."""
    found: dict[str, _Place] = {}
    taken: set[str] = set()  # paths of higher layers' entries
    hiding: set[str] = set()  # paths below which lower layers are hidden
    for layer in reversed(layers):
        result = layer.result
        if result is None:
            continue
        paths = split_paths(result.regular)
        is_hidden = _is_hidden(paths, hiding)
        records = _records(result, len(paths))
        executables = {executable.path: executable for executable in result.executables}
        for path, record in zip(paths, records, strict=True):
            if path not in taken and not is_hidden(path):
                found[path] = _Place(layer.digest, record, executables.get(path))
        entries = entries_of(result)
        taken.update(entries, split_paths(result.directories), result.whiteouts)
        hiding.update(entries, result.whiteouts, result.opaque)
    return found


def _records(result: LayerResult, count: int) -> Sequence[bytes]:
    if not result.contents:
        return [b""] * count
    return [result.contents[start : start + RECORD_BYTES] for start in range(0, len(result.contents), RECORD_BYTES)]


class _Hidden:
    """Tells whether a path lies below one of the hiding ones; a layer mostly has none of them above its files."""

    def __init__(self, hiding: set[str]) -> None:
        self._hiding = hiding
        self._below: dict[str, bool] = {"": "" in hiding}

    def __call__(self, path: str) -> bool:
        return self._is_below(parent_of(path))

    def _is_below(self, directory: str) -> bool:
        known = self._below.get(directory)
        if known is None:
            known = self._below[directory] = directory in self._hiding or self._is_below(parent_of(directory))
        return known


def _is_hidden(paths: Sequence[str], hiding: set[str]) -> _Hidden:
    return _Hidden(hiding & directories_of(paths))


class _Owners:
    """Who owns which path of the final image: files by name, then whole directories. OS packages before others."""

    def __init__(self, owned: Sequence[OwnedFiles], inventory: Inventory, resolver: PathResolver) -> None:
        index = PackageIndex(inventory.packages)
        self._files: dict[str, tuple[str, list[str]]] = {}
        self._directories: dict[str, str] = {}
        for record in owned:
            owner = index.find(record)
            if owner is None:
                continue
            purl = owner.owned_by or owner.package.purl
            for path, digest in paths_of(record, resolver):
                self._add(path, purl, digest, is_os=owner.package.is_os_package)
            self._directories.update((resolver.resolve(path), purl) for path in record.directories)

    def judge(self, path: str, record: bytes) -> tuple[FileState, str | None]:
        """Return what is known of the file at a resolved path, whose content has these digests."""
        found = self._files.get(path)
        if found is not None:
            return _compare(found[1], record), found[0]
        directory = parent_of(path)
        while directory:
            if directory in self._directories:
                return FileState.IDENTIFIED, self._directories[directory]
            directory = parent_of(directory)
        return FileState.UNKNOWN, None

    def _add(self, path: str, purl: str, digest: str, *, is_os: bool) -> None:
        known = self._files.get(path)
        if known is None:
            self._files[path] = (purl, [digest] if digest else [])
        elif is_os and digest:
            known[1].append(digest)


def _compare(digests: Sequence[str], record: bytes) -> FileState:
    """Any of the recorded digests will do: two packages may share a file, and a configuration file has two records."""
    answers = {has_digest(record, digest) for digest in digests} if record else set()
    if True in answers:
        return FileState.INTACT
    return FileState.MODIFIED if False in answers else FileState.OWNED
