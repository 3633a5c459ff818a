"""The files that a header says are on disk, with the digests they were installed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._rpm_header import (
    BASE_NAMES,
    DIRECTORY_INDEXES,
    DIRECTORY_NAMES,
    FILE_DIGEST_ALGORITHM,
    FILE_DIGESTS,
    FILE_FLAGS,
    FILE_MODES,
    FILE_STATES,
    Header,
)

MAX_FILES = 500_000  # in one database; a desktop with 2,000 packages has 400,000, and each costs 300 bytes of memory
MAX_PATH_CHARACTERS = 64 * 1024 * 1024  # in one database: one long directory with many short names would make gigabytes of a megabyte

_DIGESTS = {1: ("md5", 32), 2: ("sha1", 40), 8: ("sha256", 64), 9: ("sha384", 96), 10: ("sha512", 128), 11: ("sha224", 56)}  # RFC 4880, 9.4
_DIGITS = b"0123456789abcdef\0"
_MD5 = 1  # what rpm means where the header names no algorithm
_TYPE_MASK = 0o170000
_DIRECTORY = 0o040000
_GHOST = 1 << 6  # RPMFILE_GHOST: the package owns the path, but does not bring the file
_NORMAL, _REPLACED, _WRONG_COLOUR = 0, 1, 4  # rpmfileState; the others (not installed, net shared) are not on disk
_ON_DISK = frozenset({_NORMAL, _REPLACED, _WRONG_COLOUR})


@dataclass(slots=True, kw_only=True)
class FileBudget:
    """How many files and characters of paths may still be read out of one database."""

    files: int = MAX_FILES
    characters: int = MAX_PATH_CHARACTERS

    @property
    def is_used_up(self) -> bool:
        """Tell whether `charge` has raised."""
        return self.files < 0 or self.characters < 0

    def charge(self, files: int, characters: int) -> None:
        """Take from both.

        Raises LimitExceeded when either is used up; it stays so.
        """
        self.files -= files
        self.characters -= characters
        if self.is_used_up:
            raise LimitExceeded(f"more than {MAX_FILES} files or {MAX_PATH_CHARACTERS} characters of paths in one database")


def installed_files(header: Header, budget: FileBudget) -> tuple[tuple[str, str], ...]:
    r"""Return pairs of a path relative to the root and a digest (`sha256:…`), in the order of the header.

    Directories, ghosts and files that were left out on installation (`--nodocs`) are none. The digest is empty for links, for files that
    another package replaced or that belong to another architecture's copy, and where the algorithm is unknown: rpm does not verify those either.
    Bytes of a path that are no UTF-8 are written as `\xff`.

    Raises InvalidRecord for lists that do not belong together, LimitExceeded.
    """
    count = header.count(BASE_NAMES)
    if not count:
        return ()
    budget.charge(count, 0)  # before anything of that size is made
    for tag in (DIRECTORY_INDEXES, FILE_MODES, FILE_FLAGS, FILE_DIGESTS, FILE_STATES):
        if header.count(tag) not in {count, 0}:
            raise InvalidRecord(f"{count} files, but {header.count(tag)} values of tag {tag}")
    names = [name.lstrip("/") for name in _decoded(header.strings(BASE_NAMES))]
    directories = [directory.lstrip("/") for directory in _decoded(_directory_names(header, count))]
    indexes = header.numbers(DIRECTORY_INDEXES)
    if len(indexes) != count or max(indexes) >= len(directories):
        raise InvalidRecord(f"{count} files do not all lie in one of {len(directories)} directories")
    lengths = [len(directory) for directory in directories]
    budget.charge(0, sum(map(len, names)) + sum(map(lengths.__getitem__, indexes)))
    return tuple(
        (path, digest if state == _NORMAL else "")
        for path, digest, mode, flags, state in zip(
            [directories[index] + name for index, name in zip(indexes, names, strict=True)],
            _digests(header, count),
            _numbers(header, FILE_MODES, count),
            _numbers(header, FILE_FLAGS, count),
            _numbers(header, FILE_STATES, count),
            strict=True,
        )
        if mode & _TYPE_MASK != _DIRECTORY and not flags & _GHOST and state in _ON_DISK and path
    )


def _directory_names(header: Header, files: int) -> list[bytes]:
    if header.count(DIRECTORY_NAMES) > files:
        raise InvalidRecord(f"{header.count(DIRECTORY_NAMES)} directories of {files} files")
    return header.strings(DIRECTORY_NAMES)


def _numbers(header: Header, tag: int, count: int) -> Sequence[int]:
    return header.numbers(tag) or bytes(count)


def _digests(header: Header, count: int) -> Sequence[str]:
    """One `algorithm:hex` or an empty text for each file."""
    algorithm, length = _DIGESTS.get(next(iter(header.numbers(FILE_DIGEST_ALGORITHM)), _MD5), ("", 0))
    found = header.strings(FILE_DIGESTS)
    if not found or not algorithm:
        return [""] * count
    text = b"\0".join(found)
    if not set(map(len, found)) <= {0, length} or text.translate(None, _DIGITS):
        raise InvalidRecord(f"file digests are not all {algorithm}")
    return [f"{algorithm}:{digest}" if digest else "" for digest in text.decode().split("\0")]


def _decoded(found: list[bytes]) -> list[str]:
    return b"\0".join(found).decode("utf-8", "backslashreplace").split("\0")  # one by one takes four times as long
