"""The plug-in contract of analyzers: the host walks the layer, enforces limits and reads files; `parse` sees bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pratique.inventory.package import Distribution, Package


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPattern:
    """Which files an analyzer wants, so that a host can decide by dictionary look-ups. Any one of the conditions is enough.

    Paths are relative to the root and use `/`: `paths` are whole (`var/lib/dpkg/status`), `names` are base names (`METADATA`), `directories`
    are whole parent directories (`var/lib/dpkg/status.d`), `suffixes` are ends of base names (`.egg-info`). `accept`, where given, has the last word
    on a path that one of them let through.
    """

    paths: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    directories: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    accept: Callable[[str], bool] | None = None

    def matches(self, path: str) -> bool:
        """Tell whether the analyzer wants the file at `path`. Hosts may use an index instead that answers the same."""
        directory, _, name = path.rpartition("/")
        wanted = path in self.paths or name in self.names or directory in self.directories or name.endswith(self.suffixes or ("\0",))
        return wanted and (self.accept is None or self.accept(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFile:
    """A regular file of a layer: its normalised path relative to the root, and its whole content."""

    path: str
    content: bytes


Fact = Package | Distribution
"""What an analyzer reads out of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyzer:
    """Reads what one package manager has recorded.

    `version` is stored with every result: raise it whenever `parse` would answer differently for the same bytes. `parse` raises InputError for a file
    that it cannot read; what it yielded before that counts, and the file is recorded as a gap in Coverage. Files larger than `max_bytes` are not read
    and are a gap.
    """

    name: str
    version: int
    paths: PathPattern
    parse: Callable[[LayerFile], Iterator[Fact]]
    max_bytes: int = 64 * 1024 * 1024
