"""What a pass does with each entry of a layer. Most entries are wanted by nobody: they cost a hash and four look-ups."""

from __future__ import annotations

from collections.abc import Sequence

from pratique.errors import LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile
from pratique.inventory.layer_paths import hash_path
from pratique.inventory.layer_records import LayerRecords
from pratique.inventory.limits import LayerLimits
from pratique.inventory.path_index import PathIndex

_WHITEOUT = b".wh."
_WHITEOUT_META = b".wh..wh."  # aufs's own files; only the opaque marker among them means something
_OPAQUE = b".wh..wh..opq"
_KEPT_FILE_BYTES = 256 * 1024  # larger bodies are not kept for hard links that may come: a second look is cheaper than the memory
_NEIGHBOUR_BYTES = (
    16 * 1024
)  # files beside an exactly wanted path are kept up to here: distributions link `etc/redhat-release` to `etc/rocky-release`


class LayerVisitor:
    """The TarVisitor of a pass. Its public attributes are what the end of the pass reads; paths in them are bytes, valid UTF-8.

    `hashes` are those of all entries that are neither directories nor whiteouts, in tar order. `hard_links` are those at wanted paths, with their
    targets; `symlinks` all symbolic links, `wanted_symlinks` those at exactly wanted paths; `kept` the bodies that a link may need.
    """

    def __init__(self, analyzers: Sequence[Analyzer], limits: LayerLimits, second_look: frozenset[bytes]) -> None:
        self.records = LayerRecords(limits)
        self.index = PathIndex(analyzers)
        self.hashes = bytearray()
        self.whiteouts: dict[str, None] = {}
        self.opaque: dict[str, None] = {}
        self.hard_links: dict[bytes, bytes] = {}
        self.wanted_symlinks: set[bytes] = set()
        self.symlinks: dict[bytes, bytes] = {}
        self.kept: dict[bytes, bytes] = {}
        self._limits = limits
        self._second_look = second_look
        self._neighbours = frozenset(path.rpartition(b"/")[0] for path in self.index.exact_paths)
        self._kept_bytes = 0
        self._name_bytes = 0
        self._symlink_bytes = 0
        self._current: tuple[bytes, list[Analyzer], bool] = (b"", [], False)

    def visit_file(self, path: bytes, size: int) -> bool:
        """Meet a regular file; answer True to have its body."""
        directory, _, name = path.rpartition(b"/")
        if name.startswith(_WHITEOUT):
            self._take_whiteout(directory, name)
            return False
        self.hashes += hash_path(path)
        if self.index.is_candidate(path, directory, name) or directory in self._neighbours or path in self._second_look:
            return self._consider(path, directory, size)
        return False

    def visit_body(self, content: bytes) -> None:
        """Take the body of the file met last: analyse it, and keep it where a link may need it."""
        path, analyzers, is_kept = self._current
        if is_kept:
            self.kept[path] = content
            self._kept_bytes += len(content)
        if analyzers:
            self.records.analyze(analyzers, LayerFile(path=path.decode(), content=content))

    def visit_symlink(self, path: bytes, target: bytes) -> None:
        """Meet a symbolic link."""
        if not self._begin(path):
            return
        is_wanted = path in self.index.exact_paths and bool(self.wanting(path.decode()))
        if is_wanted:
            self._charge(path, target)
            self.wanted_symlinks.add(path)
        else:
            self._symlink_bytes += len(path) + len(target)
        if self._symlink_bytes <= self._limits.symlink_bytes:
            self.symlinks[path] = target
        elif is_wanted:
            self.add_gaps(path.decode(), "a link in a layer with too many symbolic links to resolve it")

    def visit_hard_link(self, path: bytes, target: bytes) -> None:
        """Meet a hard link."""
        if self._begin(path) and self._is_candidate(path) and (path in self._second_look or self.wanting(path.decode())):
            self._charge(path, target)
            self.hard_links[path] = target

    def visit_directory(self, path: bytes) -> None:
        """Meet a directory."""
        directory, _, name = path.rpartition(b"/")
        if name.startswith(_WHITEOUT):
            self._take_whiteout(directory, name)
        elif self._is_candidate(path):
            self._replace(path)

    def visit_unread(self, path: bytes, reason: str) -> None:
        """Meet something without a body that can be read."""
        if self._begin(path) and reason and self._is_candidate(path):
            self.add_gaps(path.decode(), reason)

    def visit_trouble(self, reason: str) -> None:
        """Learn of something that was passed over."""
        self.records.add_gap("", reason)

    def wanting(self, path: str) -> tuple[Analyzer, ...]:
        """Return the analyzers that want `path`; one whose pattern fails is a gap."""
        try:
            return self.index.wanting(path)
        except Exception as error:  # noqa: BLE001 # a plug-in's bug must cost one file, not the layer
            self.records.add_gap(path, f"internal error {type(error).__name__} in an analyzer's path pattern")
            return ()

    def fitting(self, path: str, size: int) -> list[Analyzer]:
        """Return the analyzers that want `path` and take `size` bytes; those that do not are gaps."""
        found = []
        for analyzer in self.wanting(path):
            if size <= analyzer.max_bytes:
                found.append(analyzer)
            else:
                self.records.add_gap(path, f"file of {size} bytes; the limit is {analyzer.max_bytes}", analyzer)
        return found

    def add_gaps(self, path: str, reason: str) -> None:
        """Record a gap for every analyzer that wants `path`."""
        for analyzer in self.wanting(path):
            self.records.add_gap(path, reason, analyzer)

    def _consider(self, path: bytes, directory: bytes, size: int) -> bool:
        self._replace(path)
        analyzers = self.fitting(path.decode(), size)
        is_kept = self._has_room(path, directory, size, is_wanted=bool(analyzers))
        self._current = (path, analyzers, is_kept)
        return is_kept or bool(analyzers)

    def _has_room(self, path: bytes, directory: bytes, size: int, *, is_wanted: bool) -> bool:
        """Tell whether a body is kept. Three quarters of the room are for what a second look asked for."""
        if path in self._second_look:
            return self._kept_bytes + size <= self._limits.kept_bytes
        largest = _KEPT_FILE_BYTES if is_wanted else _NEIGHBOUR_BYTES if directory in self._neighbours else 0
        return size <= largest and self._kept_bytes + size <= self._limits.kept_bytes // 4

    def _begin(self, path: bytes) -> bool:
        """Count an entry that is neither a file nor a directory; False for a whiteout."""
        directory, _, name = path.rpartition(b"/")
        if name.startswith(_WHITEOUT):
            self._take_whiteout(directory, name)
            return False
        self.hashes += hash_path(path)
        if self._is_candidate(path):
            self._replace(path)
        return True

    def _is_candidate(self, path: bytes) -> bool:
        directory, _, name = path.rpartition(b"/")
        return self.index.is_candidate(path, directory, name) or directory in self._neighbours or path in self._second_look

    def _replace(self, path: bytes) -> None:
        """Forget what an earlier entry of this path gave: the last one is what an unpacked layer has."""
        self.records.forget(path.decode())
        self.hard_links.pop(path, None)
        self.wanted_symlinks.discard(path)
        self.symlinks.pop(path, None)
        self._kept_bytes -= len(self.kept.pop(path, b""))

    def _take_whiteout(self, directory: bytes, name: bytes) -> None:
        if name == _OPAQUE:
            self._charge(directory, b"")
            self.opaque[directory.decode()] = None
            return
        removed = name.removeprefix(_WHITEOUT)
        if name.startswith(_WHITEOUT_META):
            return
        if removed in {b"", b".", b".."}:
            self.records.add_gap("", f"whiteout without a name in {directory.decode()!r} ignored")
            return
        self._charge(directory, removed)
        self.whiteouts[(directory + b"/" + removed if directory else removed).decode()] = None

    def _charge(self, path: bytes, more: bytes) -> None:
        self._name_bytes += len(path) + len(more) + 64  # what Python adds to a short text
        if self._name_bytes > self._limits.name_bytes:
            raise LimitExceeded(f"layer with more than {self._limits.name_bytes} bytes of whiteouts and links")
