"""Links inside one layer, resolved as a kernel would in a root of its own: never out of the root, never for ever."""

from __future__ import annotations

from collections.abc import Mapping

from pratique.inventory.analyzer import LayerFile
from pratique.inventory.layer_visitor import LayerVisitor
from pratique.inventory.path_index import HEAD_BYTES

_MAX_HOPS = 40  # Linux's own limit (path_resolution(7)); also ends cycles
_MAX_PARTS = 2048  # components of a path of 4096 bytes, Linux's limit: bounds the work of one resolution


def resolve(path: bytes, symlinks: Mapping[bytes, bytes]) -> bytes | None:
    """Return the path that `path` leads to through `symlinks` (path to target), links in its directories included.

    None for a cycle, more than 40 links, or a path longer than 2048 components. `..` at the root stays at the root.
    """
    pending = path.split(b"/")[::-1]
    done: list[bytes] = []
    hops = 0
    while pending:
        part = pending.pop()
        if part == b"..":
            del done[-1:]
            continue
        if part in (b"", b"."):
            continue
        done.append(part)
        target = symlinks.get(b"/".join(done))
        if target is None:
            continue
        hops += 1
        if hops > _MAX_HOPS or len(pending) + len(done) + target.count(b"/") > _MAX_PARTS:
            return None
        del done[-1 if not target.startswith(b"/") else 0 :]
        pending.extend(target.split(b"/")[::-1])
    return b"/".join(done)


class LinkReader:
    """Reads the files that wanted paths lead to through links, after all entries have been visited."""

    def __init__(self, visitor: LayerVisitor) -> None:
        self._visitor = visitor
        self._entries: frozenset[bytes] | None = None  # of the layer, once a link asks for them
        self._missing: dict[bytes, bytes] = {}

    def read(self) -> Mapping[bytes, bytes]:
        """Analyse every target whose body was kept; return path and target of those that were not but are in the layer. Others are gaps."""
        visitor = self._visitor
        for path, target in visitor.hard_links.items():
            self._read_target(path, resolve(target, visitor.symlinks))
        for path in sorted(visitor.wanted_symlinks & visitor.symlinks.keys()):
            self._read_symlink(path)
        for path in sorted(visitor.index.exact_paths):
            if path not in visitor.symlinks and path not in visitor.hard_links:
                self._read_through_directories(path)
        return self._missing

    def _read_symlink(self, path: bytes) -> None:
        target = resolve(path, self._visitor.symlinks)
        if target is None or not self._is_read_itself(path, target):
            self._read_target(path, target)

    def _read_through_directories(self, path: bytes) -> None:
        """A file that nothing says is there: only what is found counts (`var/lib/rpm` often links to `usr/lib/sysimage/rpm`)."""
        target = resolve(path, self._visitor.symlinks)
        is_elsewhere = target not in (None, path) and not self._is_read_itself(path, target or b"")
        if target is not None and is_elsewhere and self._is_in_layer(target):
            self._read_target(path, target)

    def _read_target(self, path: bytes, target: bytes | None) -> None:
        visitor, text = self._visitor, path.decode()
        if target is None:
            visitor.add_gaps(text, "links in a circle, or through too many links")
        elif target in visitor.kept:
            content = visitor.kept[target]
            visitor.records.analyze(
                visitor.fitting(text, len(content), content[:HEAD_BYTES]), LayerFile(path=text, content=content, size=len(content))
            )
        elif self._is_in_layer(target):
            self._missing[path] = target
        else:
            visitor.add_gaps(text, f"links to {target.decode()}, which is no file of this layer")

    def _is_in_layer(self, path: bytes) -> bool:
        if self._entries is None:
            self._entries = frozenset((*self._visitor.regular.paths(), *self._visitor.special.paths(), *self._visitor.symlinks))
        return path in self._entries

    def _is_read_itself(self, path: bytes, target: bytes) -> bool:
        wanting = {analyzer.name for analyzer in self._visitor.wanting(path.decode())}
        return wanting <= {analyzer.name for analyzer in self._visitor.wanting(target.decode())}
