"""Which files belong to a Python distribution: a wheel's `RECORD`, and what stands beside an egg's `PKG-INFO`.

A `RECORD` (PEP 376, PEP 427) names every file with its digest. setuptools wrote `installed-files.txt` without digests, and `top_level.txt`, which names the importable
packages only: their directories are taken to belong to the distribution. The distribution is told by
the name of the directory, whose version is the one that its builder normalised.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import posixpath
import re
from collections.abc import Iterator
from itertools import islice

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._language import MAX_FILES_LENGTH
from pratique.inventory.analyzers.python import normalized_name
from pratique.inventory.package import PackageDetails

MAX_FILES = 200_000  # the largest wheels have 60,000 files; each costs 300 bytes of memory here and room in the stored result
MAX_PATH = 4096  # bytes, Linux's PATH_MAX: a longer name is no file's
MAX_TOP_LEVEL = 1_000  # importable packages of one distribution: real ones have some ten

_NAMES = frozenset({"RECORD", "installed-files.txt", "top_level.txt"})
_METADATA_DIRECTORIES = (".dist-info", ".egg-info", ".egg/egg-info")  # in lower case
_DIGEST_BYTES = {"md5": 16, "sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}
_DIRECTORY = re.compile(r"(?P<name>[^-]+)(?:-(?P<version>[^-]+))?(?:-.*)?\.(?:dist-info|egg-info|egg)", re.IGNORECASE)
_MODULE = re.compile(r"\w+(?:/\w+)*")
_DOTS = re.compile(r"(?:^|/)\.{0,2}(?:/|$)")  # a part that is empty, one dot or two: at the beginning, a path from the root
_RECORD_FIELDS = 3

_File = tuple[str, str]


def parse(file: LayerFile) -> Iterator[PackageDetails]:
    """Yield the files of the distribution, with digests as `sha256:hex` where they are recorded.

    Paths are relative to the directory that the distribution was installed into; those that lead out of the root are left out.

    Raises InvalidRecord, after the details, for lines that are none of a RECORD, and LimitExceeded for more than MAX_FILES.
    """
    metadata, _, kind = file.path.rpartition("/")
    match kind:
        case "RECORD":
            yield from _parse_record(file.content, metadata)
        case "installed-files.txt":
            yield from _parse_installed_files(file.content, metadata)
        case _:
            yield from _parse_top_level(file.content, metadata)


def _parse_record(content: bytes, metadata: str) -> Iterator[PackageDetails]:
    root = posixpath.dirname(metadata)
    files: list[_File] = []
    length = 0
    problem: InvalidRecord | LimitExceeded | None = InvalidRecord("expected a RECORD, got a zero byte") if b"\0" in content else None
    try:
        for row in csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8", "surrogateescape", newline=""), strict=True):
            path = _resolve(root, row[0]) if row else ""
            length += len(path)
            if len(files) >= MAX_FILES or length > MAX_FILES_LENGTH:
                problem = _too_many()
                break
            if path:
                files.append((path, _parse_digest(row[1]) if len(row) > 1 else ""))
            if len(row) > _RECORD_FIELDS:
                problem = InvalidRecord(f"expected path, digest and size, got {len(row)} fields")
    except csv.Error as error:  # a field of more than 128 KiB, text behind a quotation mark
        problem = InvalidRecord(f"expected a RECORD: {error}")
    yield from _tell(metadata, tuple(files), ())
    if problem is not None:
        raise problem


def _parse_installed_files(content: bytes, metadata: str) -> Iterator[PackageDetails]:
    paths: dict[str, None] = {}
    length = 0
    for number, line in enumerate(_read_lines(content)):
        path = _resolve(metadata, line)
        length += len(path)
        if number >= MAX_FILES or length > MAX_FILES_LENGTH:
            yield from _tell(metadata, tuple((path, "") for path in paths), ())
            raise _too_many()
        if path:
            paths[path] = None
    yield from _tell(metadata, tuple((path, "") for path in paths), ())


def _parse_top_level(content: bytes, metadata: str) -> Iterator[PackageDetails]:
    """Where a RECORD or a list of files stands beside it, this says nothing new, but no harm either: the trees are the distribution's."""
    if metadata.lower().endswith(".dist-info"):
        return
    if metadata.lower().endswith(".egg/egg-info"):
        yield from _tell(metadata, (), (posixpath.dirname(metadata),))
        return
    root = posixpath.dirname(metadata)
    names = [name for name in islice(_read_lines(content), MAX_TOP_LEVEL) if _MODULE.fullmatch(name)]
    paths = [path for path in (_resolve(root, name) for name in names) if path]
    yield from _tell(metadata, tuple((f"{path}.py", "") for path in paths), tuple(paths))


def _tell(metadata: str, files: tuple[_File, ...], directories: tuple[str, ...]) -> Iterator[PackageDetails]:
    directory = posixpath.dirname(metadata) if metadata.lower().endswith("/egg-info") else metadata
    found = _DIRECTORY.fullmatch(posixpath.basename(directory))
    if found is None or not (files or directories):
        return
    own = (directory,) if directory == metadata else ()  # all of x.dist-info, RECORD or not
    yield PackageDetails(
        type="pypi",
        name=normalized_name(found["name"]),
        version=found["version"] or "",
        files=files,
        directories=(*directories, *own),
    )


def _read_lines(content: bytes) -> Iterator[str]:
    return (line.strip().decode("utf-8", "surrogateescape") for line in io.BytesIO(content))


def _too_many() -> LimitExceeded:
    return LimitExceeded(f"more than {MAX_FILES} files, or {MAX_FILES_LENGTH} characters of their paths")


def _resolve(directory: str, path: str) -> str:
    """Answer the path relative to the root, or nothing for one that leads out of it or is no path."""
    if not path or len(path) > MAX_PATH or not path.isprintable():
        return ""
    if not _DOTS.search(path):
        return f"{directory}/{path}" if directory else path
    whole = posixpath.normpath(posixpath.join(directory, path)).lstrip("/")
    return "" if whole in {"", "."} or whole.startswith("..") else whole


def _parse_digest(text: str) -> str:
    """Turn `sha256=` and URL-safe base64 without padding into `sha256:` and hex; what is no digest says nothing."""
    algorithm, _, value = text.partition("=")
    size = _DIGEST_BYTES.get(algorithm)
    if size is None:
        return ""
    try:
        raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return ""
    return f"{algorithm}:{raw.hex()}" if len(raw) == size else ""


ANALYZER = Analyzer(
    name="python-record",
    version=2,
    paths=PathPattern(names=_NAMES, accept=lambda path: path.rpartition("/")[0].lower().endswith(_METADATA_DIRECTORIES)),
    parse=parse,
    max_bytes=32 * 1024 * 1024,  # 200,000 lines of 100 bytes are 20 MB
)
