"""Full file accountability: what every regular file of an image is, and which software in it nobody answers for.

A file is, in this order:

- `modified`: a package manager installed it, and its content is not what was recorded; a changed configuration file is such too;
- `owned`: a package manager installed it; `intact` if its content was compared as well;
- `identified`: an analyzer read it, it lies in a directory that belongs to a package (`node_modules/a`), or a package manager keeps it with a package's record;
- `unknown`: none of these.

Data is mostly unknown and harmless. Unknown executables are what matters: they are listed with the layer that brought them, and whether the image's
entry point runs them.
"""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pratique.inventory.entry_point import EntryPoint, find_entry_files
from pratique.inventory.image_view import ImageView
from pratique.inventory.inventory import Inventory
from pratique.inventory.layer_contents import RECORD_BYTES, has_digest
from pratique.inventory.layer_paths import split_paths
from pratique.inventory.layer_result import Executable, LayerResult
from pratique.inventory.layer_stack import ScannedLayer, directories_of, entries_of, parent_of
from pratique.inventory.ownership import PackageIndex, files_of

MAX_LISTED = 1000
"""Unknown executables listed of one image: an image of a thousand builds would fill every report; the rest is counted."""

_INFO = re.compile(
    r"(?:usr|var)/lib/(?P<tool>dpkg|opkg)/info/(?P<name>[^/:]+?)(?::(?P<architecture>[^/:]+))?"
    r"\.(?:conffiles|config|control|list|md5sums|postinst|postrm|preinst|prerm|shlibs|symbols|templates|triggers)"
)
"""What dpkg(1) and opkg keep of each package: scripts among it, of which a Debian image has a hundred."""

_TOP = "bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin snap srv sys tmp usr var"
_USR = "bin games include lib lib32 lib64 libexec libx32 local sbin share src"
SHARED_DIRECTORIES = frozenset(
    [
        *_TOP.split(),
        *(f"{root}/{name}" for root in ("usr", "usr/local") for name in _USR.split()),
        *(f"var/{name}" for name in ("cache", "lib", "local", "log", "opt", "run", "spool", "tmp", "www")),
    ]
)
"""The Filesystem Hierarchy Standard's: no package answers for whole ones. An image's record that lies in one may say so all the same, to pass what else lies there as known."""


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


def survey_files(view: ImageView, inventory: Inventory, entry_point: EntryPoint) -> FileAccount:
    """Sum up the files of an image, without comparing contents: the same as `account_files` of `list_files`, without an object for each of 100,000 files."""
    owners = _Owners(view, inventory)
    counts: Counter[FileState] = Counter()
    unknown: list[UnknownExecutable] = []
    interpreters: dict[str, str] = {}
    for layer, paths in _visible_paths(view.layers):
        owned = owners.named(paths)
        states = {path: owners.judge(path, b"")[0] for path in paths - owned}
        counts[FileState.OWNED] += len(owned)
        counts.update(states.values())
        for executable in layer.executables:
            if executable.path in paths:
                interpreters[executable.path] = executable.interpreter
                if states.get(executable.path) is FileState.UNKNOWN:
                    unknown.append(UnknownExecutable(path=executable.path, layer=layer.digest, size=executable.size))
    entries = find_entry_files(entry_point, interpreters, view.resolver)
    return _sum_up(counts, [replace(one, is_entry=one.path in entries) for one in unknown], is_compared=False)


def list_files(view: ImageView, inventory: Inventory) -> list[FileEntry]:
    """List every regular file of the final image, in order of its path, with what is known of it. 100,000 files take about a second."""
    owners = _Owners(view, inventory)
    found = []
    for layer, paths in _visible_paths(view.layers):
        executables = {executable.path: executable for executable in layer.executables}
        for path, record in layer.records():
            if path in paths:
                state, owner = owners.judge(path, record)
                found.append(FileEntry(path=path, state=state, layer=layer.digest, owner=owner, executable=executables.get(path)))
    unique = {entry.path: entry for entry in found}  # a path that a layer holds twice counts as its last entry
    return [unique[path] for path in sorted(unique)]


def account_files(files: Sequence[FileEntry], view: ImageView, entry_point: EntryPoint) -> FileAccount:
    """Sum up the files of an image, as `list_files` answered them."""
    interpreters = {entry.path: entry.executable.interpreter for entry in files if entry.executable is not None}
    entries = find_entry_files(entry_point, interpreters, view.resolver)
    unknown = [
        UnknownExecutable(path=entry.path, layer=entry.layer, size=entry.executable.size, is_entry=entry.path in entries)
        for entry in files
        if entry.state is FileState.UNKNOWN and entry.executable is not None
    ]
    is_compared = any(layer.result is not None and layer.result.contents for layer in view.layers)
    return _sum_up(Counter(entry.state for entry in files), unknown, is_compared=is_compared)


def _sum_up(counts: Counter[FileState], unknown: list[UnknownExecutable], *, is_compared: bool) -> FileAccount:
    unknown.sort(key=lambda executable: (not executable.is_entry, executable.path))
    return FileAccount(
        counts={state: counts[state] for state in FileState},
        is_compared=is_compared,
        unknown_executables=tuple(unknown[:MAX_LISTED]),
        unknown_executable_count=len(unknown),
    )


class _Layer:
    """A layer that was read, with its regular files."""

    def __init__(self, digest: str, result: LayerResult) -> None:
        self.digest = digest
        self.paths = split_paths(result.regular)
        self.executables = result.executables
        self._contents = result.contents

    def records(self) -> Iterator[tuple[str, bytes]]:
        """Yield the files with their contents' digests (empty if not compared)."""
        for number, path in enumerate(self.paths):
            yield path, self._contents[number * RECORD_BYTES : (number + 1) * RECORD_BYTES]


def _visible_paths(layers: Sequence[ScannedLayer]) -> Iterator[tuple[_Layer, set[str]]]:
    """Yield the layers, top first, each with those of its regular files that no higher layer hides."""
    taken: set[str] = set()  # paths of higher layers' entries
    hiding: set[str] = set()  # paths below which lower layers are hidden
    for layer in reversed(layers):
        result = layer.result
        if result is None:
            continue
        here = _Layer(layer.digest, result)
        paths = set(here.paths) - taken
        hidden = hiding & directories_of(paths) if hiding else set()
        if hidden:
            is_hidden = _Hidden(hidden)
            paths = {path for path in paths if not is_hidden(path)}
        yield here, paths
        entries = entries_of(result)
        taken.update(entries, split_paths(result.directories), result.whiteouts)
        hiding.update(entries, result.whiteouts, result.opaque)


class _Hidden:
    """Tells whether a path lies below one of the hiding ones."""

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


class _Owners:
    """Who owns which path of the final image: files by name, then whole directories. OS packages before others."""

    def __init__(self, view: ImageView, inventory: Inventory) -> None:
        self._resolver = resolver = view.resolver
        self._analysed = {history.path for history in view.histories}
        self._owners: dict[str, str] = {}
        self._digests: dict[str, list[str]] = {}
        self._directories: dict[str, str] = {}
        self._records: dict[tuple[str, str, str], str] = {}
        index = PackageIndex(inventory.packages)
        found = [(record, owner) for record in view.owned if (owner := index.find(record)) is not None]
        for record, owner in sorted(found, key=lambda entry: entry[1].package.is_os_package):  # the last one to name a file has it
            purl = owner.owned_by or owner.package.purl
            self._records[record.type, record.name, record.architecture] = purl
            self._owners.update(dict.fromkeys(split_paths(record.paths), purl))
            directories = {resolver.resolve(path) for path in record.directories} - SHARED_DIRECTORIES
            self._directories.update(dict.fromkeys(directories, purl))
            if record.digests:
                for path, digest in files_of(record):
                    if digest:
                        self._digests.setdefault(path, []).append(digest)

    def named(self, paths: set[str]) -> set[str]:
        """Return those of the paths that a package's record names just so."""
        return self._owners.keys() & paths

    def judge(self, path: str, record: bytes) -> tuple[FileState, str | None]:
        """Return what is known of the file at a path, whose content has these digests."""
        for name in self._resolver.names_of(path):
            if name in self._owners:
                return _compare(self._digests.get(name, ()), record), self._owners[name]
        owner = self._owner_of_record(path)
        if owner is not None:
            return FileState.IDENTIFIED, owner
        directory = parent_of(self._resolver.resolve(path))
        while directory:
            if directory in self._directories:
                return FileState.IDENTIFIED, self._directories[directory]
            directory = parent_of(directory)
        return FileState.IDENTIFIED if path in self._analysed else FileState.UNKNOWN, None

    def _owner_of_record(self, path: str) -> str | None:
        """Return the package whose scripts and lists dpkg or opkg keep beside its list of files; these own themselves nowhere."""
        match = _INFO.fullmatch(path)
        if match is None:
            return None
        kind = "deb" if match["tool"] == "dpkg" else "opkg"
        return self._records.get((kind, match["name"], match["architecture"] or ""))


def _compare(digests: Sequence[str], record: bytes) -> FileState:
    """Any of the recorded digests will do: two packages may share a file, and a configuration file has two records."""
    answers = {has_digest(record, digest) for digest in digests} if record else set()
    if True in answers:
        return FileState.INTACT
    return FileState.MODIFIED if False in answers else FileState.OWNED
