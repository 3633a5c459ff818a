"""Links inside one layer, resolved as a kernel would in a root of its own: never out of the root, never for ever."""

from __future__ import annotations

from collections.abc import Mapping

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
