"""What analyzers of language packages share: checked names, paths of owned files, and problems told after all that could be read was yielded."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pratique.errors import InputError, InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._records import MAX_BROKEN, checked_word
from pratique.inventory.package import PackageDetails

MAX_PATH = 4096  # bytes, Linux's PATH_MAX: a longer name is no file's
MAX_FILES = 200_000  # files of one package: the largest have some 60,000; each costs 300 bytes of memory, and room in the stored result
MAX_FILES_LENGTH = 32 * 1024 * 1024  # characters: records may name files relative to a long directory, which would multiply their size


def checked_text(text: str | None, what: str, pattern: re.Pattern[str] | None = None) -> str:
    """Return a name or version that is printable ASCII without spaces, at most MAX_WORD characters, and matches all of `pattern`. Raises InvalidRecord."""
    word = checked_word((text or "").encode("utf-8", "backslashreplace"), what)
    if pattern is not None and not pattern.fullmatch(word):
        raise InvalidRecord(f"expected a {what}, got {word[:40]!r}")
    return word


def resolve_path(directory: str, path: str) -> str:
    """Return where `path`, seen from `directory`, lies relative to the root (whose `..` is itself). Empty for the root, and for what is no path."""
    if not path or len(path) > MAX_PATH or not path.isprintable():
        return ""
    whole = posixpath.normpath(posixpath.join("/", directory, path)).lstrip("/")
    return "" if whole == "." else whole


def parent(path: str) -> str:
    """Return the directory of a path, empty for the root."""
    return path.rpartition("/")[0]


def below(directory: str, name: str) -> str:
    """Return the path of something in a directory, which is empty for the root."""
    return f"{directory}/{name}" if directory else name


@dataclass(slots=True, kw_only=True)
class Problems:
    """Counts broken entries of a file, to be told by `raise_any` when all others were yielded."""

    count: int = 0
    first: str = ""

    def add(self, error: InvalidRecord) -> None:
        """Note a broken entry. Raises InvalidRecord for more than MAX_BROKEN."""
        self.count += 1
        self.first = self.first or str(error)
        if self.count > MAX_BROKEN:
            self.raise_any()

    def raise_any(self) -> None:
        """Raise InvalidRecord if there was any."""
        if self.count:
            raise InvalidRecord(f"{self.count} broken entries, the first: {self.first}")


def unescape(text: str) -> str:
    r"""Undo backslash escapes of quoted text where they are a single character (`\"`, `\\`); names and paths need no others."""
    return re.sub(r"\\(.)", r"\1", text) if "\\" in text else text


def with_files(details: PackageDetails, files: Iterator[tuple[str, str]]) -> Iterator[PackageDetails]:
    """Yield the details with the files, pairs of path and digest, also where reading them ends with an InputError, which is raised after that.

    Raises LimitExceeded, after the details with the first of them, for more than MAX_FILES, or more than MAX_FILES_LENGTH characters of paths.
    """
    found: list[tuple[str, str]] = []
    length = 0
    problem: InputError | None = None
    try:
        for file in files:
            length += len(file[0])
            if len(found) >= MAX_FILES or length > MAX_FILES_LENGTH:
                problem = LimitExceeded(f"more than {MAX_FILES} files, or {MAX_FILES_LENGTH} characters of paths")
                break
            found.append(file)
    except InputError as error:
        problem = error
    if found or details.directories:
        yield replace(details, files=(*details.files, *found))
    if problem is not None:
        raise problem
