"""The plug-in contract of analyzers: the host walks the layer, enforces limits and reads files; `parse` sees bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pratique.inventory.package import Distribution, Package, PackageDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPattern:
    """Which files an analyzer wants, so that a host can decide by dictionary look-ups. Any one of the conditions is enough.

    Paths are relative to the root and use `/`: `paths` are whole (`var/lib/dpkg/status`), `names` are base names (`METADATA`), `directories`
    are whole parent directories (`var/lib/dpkg/status.d`), `suffixes` are ends of base names (`.egg-info`). `magics` are what a wanted file begins with, wherever it
    lies (the four bytes of ELF): at most 8 bytes each. `accept`, where given, has the last word on a path that one of them let through.
    """

    paths: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    directories: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    magics: tuple[bytes, ...] = ()
    accept: Callable[[str], bool] | None = None

    def matches(self, path: str, head: bytes = b"") -> bool:
        """Tell whether the analyzer wants the file at `path`, which begins with `head`. Hosts may use an index instead that answers the same."""
        directory, _, name = path.rpartition("/")
        wanted = path in self.paths or name in self.names or directory in self.directories or name.endswith(self.suffixes or ("\0",))
        wanted = wanted or bool(self.magics and head.startswith(self.magics))
        return wanted and (self.accept is None or self.accept(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFile:
    """A regular file of a layer: its normalised path relative to the root, and its content.

    `size` is that of the file; `content` is shorter only for analyzers that take a head (`Analyzer.head_bytes`). `mode` holds the permission bits, 0 where unknown.
    """

    path: str
    content: bytes
    size: int = -1
    mode: int = 0

    @property
    def is_whole(self) -> bool:
        """Tell whether `content` is all of the file."""
        return self.size < 0 or self.size == len(self.content)


Fact = Package | Distribution | PackageDetails
"""What an analyzer reads out of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyzer:
    """Reads what one package manager has recorded.

    `version` is stored with every result: raise it whenever `parse` would answer differently for the same bytes. `parse` raises InputError for a file
    that it cannot read; what it yielded before that counts, and the file is recorded as a gap in Coverage. Files larger than `max_bytes` are not read
    and are a gap, unless `head_bytes` is set: then `parse` gets that many first bytes of them, and says itself whether more was needed.
    With `needs_contents` it runs only where the contents of files are compared with what was recorded: it reads digests and nothing else.
    """

    name: str
    version: int
    paths: PathPattern
    parse: Callable[[LayerFile], Iterator[Fact]]
    max_bytes: int = 64 * 1024 * 1024
    head_bytes: int = 0
    needs_contents: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerId:
    """What is told of an analyzer without importing it."""

    name: str
    version: int
    needs_contents: bool = False


AnalyzerT = TypeVar("AnalyzerT", Analyzer, AnalyzerId)


def select_analyzers(analyzers: Sequence[AnalyzerT], *, compares_contents: bool) -> tuple[AnalyzerT, ...]:
    """Return the analyzers that run in a pass that compares contents, or does not."""
    return tuple(analyzer for analyzer in analyzers if compares_contents or not analyzer.needs_contents)
