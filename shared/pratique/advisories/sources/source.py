"""What a reader of a vendor's feed is: a value with a name, the ecosystems it speaks about, and a function from files to advisories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pratique.advisories.advisory import Advisory

MAX_REASON = 300  # characters of why a record was skipped; protects the report's size


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLimits:
    """What one feed may cost to read. Sizes are bytes.

    `files` bounds loose files, archives and their entries, and so the names kept; `file_bytes` what is opened at all. `document_bytes` protects memory, of which a document takes
    a few times its size; `whole_bytes` does so for the one file of feeds that are one file. `total_bytes`, `ratio` and `elements` (of XML) protect time and disk: an archive that expands more often
    than `ratio` is a bomb, once it has given 64 MiB. `depth` bounds XML; JSON is bounded by the decoder. `statements` bounds what is kept while records of one
    flaw are gathered: some 400 bytes each; real feeds have a tenth of it.
    """

    files: int = 600_000
    file_bytes: int = 4 * 1024**3
    document_bytes: int = 64 * 1024**2
    whole_bytes: int = 512 * 1024**2
    total_bytes: int = 256 * 1024**3
    ratio: int = 1000
    depth: int = 20
    elements: int = 50_000_000
    statements: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A record that was skipped, or records that say nothing to act on (`is_malformed` is false then), and why. `record` may be empty for several of them."""

    source: str
    record: str
    reason: str
    count: int = 1
    is_malformed: bool = True


Read = Callable[[Path, SourceLimits], Iterator[Advisory | Problem]]
"""Reads a feed's folder, blocking and without network. Each advisory has an id of its own.

Raises InvalidAdvisory for a feed that is broken as a whole or not there, LimitExceeded for one beyond its limits: half a feed is no feed.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One vendor's feed: its folder below `vendor/` in the mirror has its `name`. `ecosystems` are names without release."""

    name: str
    ecosystems: tuple[str, ...]
    read: Read


def skipped(source: str, record: str, error: object) -> Problem:
    """Name a malformed record."""
    return Problem(source=source, record=printable(record, 140), reason=printable(str(error), MAX_REASON))


def printable(text: str, limit: int) -> str:
    """Make one line of up to `limit` characters: control and bidirectional characters would let a text rewrite a terminal or a page."""
    start = text[: 8 * limit]
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in start).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
