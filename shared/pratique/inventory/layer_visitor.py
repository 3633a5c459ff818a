"""What a pass does with each entry of a layer. Most entries are wanted by nobody: they cost a few look-ups and their path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pratique.errors import LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile
from pratique.inventory.layer_contents import ContentDigests
from pratique.inventory.layer_paths import PathText
from pratique.inventory.layer_records import LayerRecords
from pratique.inventory.layer_result import Executable
from pratique.inventory.limits import LayerLimits
from pratique.inventory.path_index import HEAD_BYTES, PathIndex

_WHITEOUT = b".wh."
_WHITEOUT_META = b".wh..wh."  # aufs's own files; only the opaque marker among them means something
_OPAQUE = b".wh..wh..opq"
_KEPT_FILE_BYTES = 256 * 1024  # larger bodies are not kept for hard links that may come: a second look is cheaper than the memory
_NEIGHBOUR_BYTES = (
    16 * 1024
)  # files beside an exactly wanted path are kept up to here: distributions link `etc/redhat-release` to `etc/rocky-release`
_ANY_EXECUTE = 0o111
_SCRIPT = b"#!"
_BINARIES = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xca\xfe\xba\xbe", b"\0asm")
"""ELF; Mach-O, both byte orders and universal; WebAssembly."""

_WINDOWS_BINARY = b"MZ"
_RUNNABLE = (_SCRIPT, *_BINARIES, _WINDOWS_BINARY)
_WINDOWS_ENDS = (b".exe", b".dll")


class LayerVisitor:
    """The TarVisitor of a pass. Its public attributes are what the end of the pass reads; paths in them are bytes, valid UTF-8.

    `regular`, `links`, `directories` and `special` are the paths of all entries but whiteouts, in tar order. `hard_links` are those at wanted paths, with their
    targets; `symlinks` all symbolic links, `wanted_symlinks` those at exactly wanted paths; `kept` the bodies that a link may need. `contents` is None unless
    contents are compared.
    """

    def __init__(
        self, analyzers: Sequence[Analyzer], limits: LayerLimits, second_look: frozenset[bytes], *, compares_contents: bool = False
    ) -> None:
        self.records = LayerRecords(limits, with_digests=compares_contents)
        self.index = PathIndex(analyzers)
        self.contents = ContentDigests() if compares_contents else None
        self.regular = PathText(limits.path_bytes)
        self.links = PathText(limits.symlink_bytes * 2)
        self.directories = PathText(limits.path_bytes)
        self.special = PathText(limits.path_bytes)
        self.executables: dict[bytes, Executable] = {}
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
        self._has_told_executables = False
        self._current: _Wanted | None = None

    def visit_file(self, path: bytes, size: int, mode: int, head: bytes) -> int:
        """Meet a regular file; answer how much of its body to have."""
        directory, _, name = path.rpartition(b"/")
        if name.startswith(_WHITEOUT):
            self._take_whiteout(directory, name)
            return 0
        self.regular.add(path)
        if self.contents is not None:
            self.contents.begin(size)
        is_named = self.index.is_candidate(path, directory, name) or directory in self._neighbours or path in self._second_look
        is_wanted = is_named or (size and self.index.is_magic(head))
        if is_wanted or path in self.executables:
            self._replace(path)
        if head.startswith(_RUNNABLE):
            self._note_executable(path, size, mode, head)
        return self._consider(_Wanted(path, size, mode, is_named=is_named), head) if is_wanted else 0

    def visit_body(self, content: bytes) -> None:
        """Take the body of the file met last: analyse it, and keep it where a link may need it."""
        wanted, self._current = self._current, None
        if wanted is None:
            return
        if wanted.is_kept:
            self.kept[wanted.path] = content
            self._kept_bytes += len(content)
        text = wanted.path.decode()
        analyzers = self.fitting(text, wanted.size, content[:HEAD_BYTES]) if wanted.needs_choice else wanted.analyzers
        for analyzer in analyzers:
            is_whole = wanted.size <= analyzer.max_bytes
            part = content if is_whole or len(content) <= analyzer.head_bytes else content[: analyzer.head_bytes]
            self.records.analyze((analyzer,), LayerFile(path=text, content=part, size=wanted.size, mode=wanted.mode))

    def visit_piece(self, piece: memoryview) -> None:
        """Hash a part of the body, if it is not a whiteout's."""
        if self.contents is not None:
            self.contents.add(piece)

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
            self.links.add(path)
            self.links.add(target)
            return
        self.special.add(path)
        if is_wanted:
            self.add_gaps(path.decode(), "a link in a layer with too many symbolic links to resolve it")

    def visit_hard_link(self, path: bytes, target: bytes) -> None:
        """Meet a hard link."""
        if not self._begin(path):
            return
        self.regular.add(path)
        if self.contents is not None:
            self.contents.skip()
        original = self.executables.get(target)
        if original is not None:
            self.executables[path] = replace(original, path=path.decode())
        if self._is_candidate(path) and (path in self._second_look or self.wanting(path.decode())):
            self._charge(path, target)
            self.hard_links[path] = target

    def visit_directory(self, path: bytes) -> None:
        """Meet a directory."""
        directory, _, name = path.rpartition(b"/")
        if name.startswith(_WHITEOUT):
            self._take_whiteout(directory, name)
            return
        self.directories.add(path)
        if self._is_candidate(path):
            self._replace(path)

    def visit_unread(self, path: bytes, reason: str) -> None:
        """Meet something without a body that can be read."""
        if not self._begin(path):
            return
        self.special.add(path)
        if reason and self._is_candidate(path):
            self.add_gaps(path.decode(), reason)

    def visit_trouble(self, reason: str) -> None:
        """Learn of something that was passed over."""
        self.records.add_gap("", reason)

    def wanting(self, path: str, head: bytes = b"") -> tuple[Analyzer, ...]:
        """Return the analyzers that want the file at `path`, which begins with `head`; one whose pattern fails is a gap."""
        try:
            return self.index.wanting(path, head)
        except Exception as error:  # noqa: BLE001 # a plug-in's bug must cost one file, not the layer
            self.records.add_gap(path, f"internal error {type(error).__name__} in an analyzer's path pattern")
            return ()

    def fitting(self, path: str, size: int, head: bytes) -> list[Analyzer]:
        """Return the analyzers that want `path` and take `size` bytes, or a head of them; those that do not are gaps."""
        found = []
        for analyzer in self.wanting(path, head):
            if size <= analyzer.max_bytes or analyzer.head_bytes:
                found.append(analyzer)
            else:
                self.records.add_gap(path, f"file of {size} bytes; the limit is {analyzer.max_bytes}", analyzer)
        return found

    def add_gaps(self, path: str, reason: str) -> None:
        """Record a gap for every analyzer that wants `path`."""
        for analyzer in self.wanting(path):
            self.records.add_gap(path, reason, analyzer)

    def _consider(self, wanted: _Wanted, head: bytes) -> int:
        """Choose who reads a file, and how much of it. Where its beginning has not come yet, enough is taken to choose later."""
        text, size = wanted.path.decode(), wanted.size
        wanted.needs_choice = bool(size) and not head
        wanted.analyzers = self._possible(text) if wanted.needs_choice else self.fitting(text, size, head[:HEAD_BYTES])
        wanted.is_kept = self._has_room(wanted)
        self._current = wanted
        if not size:  # there is no body to wait for
            self.visit_body(b"")
            return 0
        if wanted.is_kept:
            return size
        needed = [size if size <= analyzer.max_bytes else analyzer.head_bytes for analyzer in wanted.analyzers]
        return max(needed, default=0)

    def _possible(self, path: str) -> list[Analyzer]:
        try:
            return [*self.index.wanting(path), *self.index.with_magics(path)]
        except Exception as error:  # noqa: BLE001 # a plug-in's bug must cost one file, not the layer
            self.records.add_gap(path, f"internal error {type(error).__name__} in an analyzer's path pattern")
            return []

    def _has_room(self, wanted: _Wanted) -> bool:
        """Tell whether a body is kept. Three quarters of the room are for what a second look asked for."""
        path, size = wanted.path, wanted.size
        if path in self._second_look:
            return self._kept_bytes + size <= self._limits.kept_bytes
        is_neighbour = path.rpartition(b"/")[0] in self._neighbours
        largest = _KEPT_FILE_BYTES if wanted.is_named and wanted.analyzers else _NEIGHBOUR_BYTES if is_neighbour else 0
        return size <= largest and self._kept_bytes + size <= self._limits.kept_bytes // 4

    def _note_executable(self, path: bytes, size: int, mode: int, head: bytes) -> None:
        """Remember what can run: binaries, libraries too, and scripts that may be executed."""
        interpreter = ""
        if head.startswith(_SCRIPT):
            if not mode & _ANY_EXECUTE:
                return
            interpreter = (head[2:].partition(b"\n")[0].split() or [b""])[0].decode("ascii", "replace")
        elif head.startswith(_WINDOWS_BINARY) and not path.lower().endswith(_WINDOWS_ENDS):
            return
        if len(self.executables) < self._limits.executables:
            self.executables[path] = Executable(path=path.decode(), size=size, interpreter=interpreter)
        elif not self._has_told_executables:
            self._has_told_executables = True
            self.records.add_gap("", f"more than {self._limits.executables} executable files: the rest is not listed")

    def _begin(self, path: bytes) -> bool:
        """Count an entry that is neither a file nor a directory; False for a whiteout."""
        directory, _, name = path.rpartition(b"/")
        if name.startswith(_WHITEOUT):
            self._take_whiteout(directory, name)
            return False
        if path in self.executables or self._is_candidate(path):
            self._replace(path)
        return True

    def _is_candidate(self, path: bytes) -> bool:
        directory, _, name = path.rpartition(b"/")
        return self.index.is_candidate(path, directory, name) or directory in self._neighbours or path in self._second_look

    def _replace(self, path: bytes) -> None:
        """Forget what an earlier entry of this path gave: the last one is what an unpacked layer has."""
        self.executables.pop(path, None)
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


@dataclass(slots=True)
class _Wanted:
    """A file whose body is wanted. `is_named` says that its path is the reason, and not only how it begins."""

    path: bytes
    size: int
    mode: int
    is_named: bool
    analyzers: Sequence[Analyzer] = ()
    is_kept: bool = False
    needs_choice: bool = False
