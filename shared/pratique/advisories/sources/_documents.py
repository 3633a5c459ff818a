"""Reads a folder of JSON documents, most of them in an archive: the archive is what was fetched first, loose files are what changed since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path

from pratique.advisories.mirror import MirrorLimits, read_records
from pratique.advisories.sources._files import list_files, read_blocks, read_whole, translated
from pratique.advisories.sources.source import Problem, SourceLimits, skipped
from pratique.errors import InvalidAdvisory
from pratique.oci.tar_stream import TarLimits, TarStream

_ARCHIVES = (".tar.zst", ".tar.xz", ".tar.bz2", ".tar.gz", ".tgz")  # all of them notice when they are cut short, which a plain tar does not
_ZIP = "all.zip"
_MAX_PATH = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One JSON file: its name without folders, and its bytes."""

    name: str
    content: bytes


def read_documents(folder: Path, source: str, limits: SourceLimits) -> Iterator[Document | Problem]:
    """Yield each document once: loose files first, then those of archives that are not among them. The first of a name in either counts, others are problems.

    Raises InvalidAdvisory for a broken archive or a folder without any document, LimitExceeded.
    """
    loose: set[str] = set()
    archived: set[str] = set()
    yield from _once(_read_loose(folder, source, limits), source, loose, frozenset())
    yield from _once(_read_archives(folder, source, limits), source, archived, loose)
    if not loose and not archived:
        raise InvalidAdvisory(f"expected JSON documents or an archive of them in {folder.name}, found none: fetch this feed again")


def _once(documents: Iterable[Document | Problem], source: str, seen: set[str], newer: Set[str]) -> Iterator[Document | Problem]:
    """Pass on what is not there already; `seen` notes the names."""
    for document in documents:
        if isinstance(document, Problem):
            yield document
        elif document.name in seen:
            yield skipped(source, document.name, "there twice")
        else:
            seen.add(document.name)
            if document.name not in newer:
                yield document


def _read_loose(folder: Path, source: str, limits: SourceLimits) -> Iterator[Document | Problem]:
    for path in list_files(folder, (".json",), limits):
        size = path.stat().st_size
        if size > limits.document_bytes:
            yield _too_large(source, path.name, size, limits)
        else:
            yield Document(name=path.name, content=read_whole(path, limits.document_bytes))


def _too_large(source: str, name: str, size: int, limits: SourceLimits) -> Problem:
    return skipped(source, name, f"{size} bytes; the limit is {limits.document_bytes}")


def _read_archives(folder: Path, source: str, limits: SourceLimits) -> Iterator[Document | Problem]:
    for archive in list_files(folder, _ARCHIVES, limits):
        yield from _read_tar(archive, source, limits)
    if (folder / _ZIP).is_file():
        mirror = MirrorLimits(records=limits.files, record_bytes=limits.document_bytes, total_bytes=limits.total_bytes, ratio=limits.ratio)
        for record in read_records(folder.parent, folder.name, mirror):
            yield Document(name=record.name.rpartition("/")[2], content=record.content)


@dataclass(slots=True, kw_only=True)
class _Collector:
    """Takes the JSON files out of a tar as the walker meets them."""

    source: str
    limits: SourceLimits
    found: list[Document | Problem] = field(default_factory=list)
    name: str = ""

    def visit_file(self, path: bytes, size: int, _mode: int, _head: bytes) -> int:
        """Ask for the whole of JSON files."""
        self.name = path.rpartition(b"/")[2].decode("utf-8", "replace")
        if not self.name.endswith(".json"):
            return 0
        if size > self.limits.document_bytes:
            self.found.append(_too_large(self.source, self.name, size, self.limits))
            return 0
        if not size:
            self.visit_body(b"")
        return size

    def visit_body(self, content: bytes) -> None:
        """Keep a document until it is fetched."""
        self.found.append(Document(name=self.name, content=content))

    def visit_piece(self, _piece: memoryview) -> None:
        """Pieces are not asked for."""

    def visit_symlink(self, _path: bytes, _target: bytes) -> None:
        """Links are no documents."""

    def visit_hard_link(self, _path: bytes, _target: bytes) -> None:
        """Links are no documents."""

    def visit_directory(self, _path: bytes) -> None:
        """Folders are no documents."""

    def visit_unread(self, path: bytes, reason: str) -> None:
        """A document that is stored so that it cannot be read would be missing in silence."""
        if path.endswith(b".json"):
            raise InvalidAdvisory(f"{path[:140].decode('utf-8', 'replace')!r} is no regular file: {reason or 'a device'}")

    def visit_trouble(self, reason: str) -> None:
        """What is passed over in a layer is a broken archive here."""
        raise InvalidAdvisory(reason[:300])


def _read_tar(path: Path, source: str, limits: SourceLimits) -> Iterator[Document | Problem]:
    collector = _Collector(source=source, limits=limits)
    walker = TarStream(collector, TarLimits(entries=limits.files, path_bytes=_MAX_PATH, header_bytes=64 * 1024))
    for block in read_blocks(path, limits):
        with translated(path.name):
            walker.feed(block)
        found, collector.found = collector.found, []
        yield from found
    with translated(path.name):
        walker.close()
    yield from collector.found
