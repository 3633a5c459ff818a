"""Tell whether a file that was fetched is plausibly what its feed publishes. Its records are read elsewhere.

Each checker takes the path of a whole file and gives how many records it holds (0: not counted) and the newest date it names. It raises InvalidAdvisory for
another format and LimitExceeded for a bomb. Blocking.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from pratique.errors import InvalidAdvisory, LimitExceeded

_MAX_UNPACKED_BYTES = 1024 * 1024 * 1024  # of a gzip file: the largest, updateinfo of Amazon Linux 2, has some 100 MB; protects time
_CHUNK = 1024 * 1024
_MAX_LINE = 4096
_EPSS_ROW = re.compile(rb"CVE-\d{4}-\d{4,19},[0-9.eE+-]{1,32},[0-9.eE+-]{1,32}\r?\n?")
_DATE = re.compile(rb"score_date:([0-9T:Z.+-]{10,40})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a file holds. `modified` is as its publisher writes it, empty where it names none."""

    records: int
    modified: str = ""


Checker = Callable[[Path], Found]


class _Exploited(msgspec.Struct):
    cve: str = msgspec.field(name="cveID")


class _Kev(msgspec.Struct):
    vulnerabilities: list[_Exploited]
    released: str = msgspec.field(name="dateReleased", default="")


class _Apk(msgspec.Struct):
    name: str
    secfixes: msgspec.Raw


class _ApkEntry(msgspec.Struct):
    pkg: _Apk


class _Secdb(msgspec.Struct):
    packages: list[_ApkEntry]


# At import: msgspec resolves a type at its first use, and two threads that do so at once crash the interpreter.
_KEV = msgspec.json.Decoder(_Kev)
_SECDB = msgspec.json.Decoder(_Secdb)
_TRACKER = msgspec.json.Decoder(Mapping[str, Mapping[str, msgspec.Raw]])


def check_kev(path: Path) -> Found:
    """CISA's catalogue of known exploited vulnerabilities."""
    with translated(path, "the KEV catalogue"):
        document = _KEV.decode(path.read_bytes())
    return Found(records=_some(len(document.vulnerabilities), path), modified=document.released[:40])


def check_secdb(path: Path) -> Found:
    """An Alpine secdb: packages with the versions that fixed something. A repository may have none."""
    with translated(path, "an Alpine secdb"):
        return Found(records=len(_SECDB.decode(path.read_bytes()).packages))


def check_debian_tracker(path: Path) -> Found:
    """Debian's security tracker: CVEs by source package."""
    with translated(path, "Debian's security tracker"):
        packages = _TRACKER.decode(path.read_bytes())
    return Found(records=_some(sum(map(len, packages.values())), path))


def check_epss(path: Path) -> Found:
    """FIRST's scores: a comment, a head line, and a row a CVE."""
    with translated(path, "EPSS scores"), gzip.open(path) as file:
        lines = _lines(file, path)
        comment, head = next(lines, b""), next(lines, b"")
        if not comment.startswith(b"#") or head.strip() != b"cve,epss,percentile":
            raise InvalidAdvisory(f"{path.name}: expected a comment and `cve,epss,percentile`, got {comment[:60]!r} and {head[:60]!r}")
        rows = 0
        for rows, line in enumerate(lines, start=1):
            if not _EPSS_ROW.fullmatch(line):
                raise InvalidAdvisory(f"{path.name}: row {rows} is no score: {line[:60]!r}")
    date = _DATE.search(comment)
    return Found(records=_some(rows, path), modified=date[1].decode() if date else "")


def check_updateinfo(path: Path) -> Found:
    """The updateinfo of an rpm repository, packed with gzip. It is not parsed: its root and its end are looked at, its updates counted."""
    start, tail, updates, size = b"", b"", 0, 0
    with translated(path, "updateinfo"), gzip.open(path) as file:
        while chunk := file.read(_CHUNK):
            size = _bounded(size + len(chunk), path)
            start = start or chunk[:1000]
            updates += (tail + chunk).count(b"<update ") - tail.count(b"<update ")
            tail = (tail + chunk)[-20:]
    if b"<updates" not in start or not tail.rstrip().endswith(b"</updates>"):
        raise InvalidAdvisory(f"{path.name}: expected <updates> to its end, got {start[:60]!r} ... {tail!r}")
    return Found(records=_some(updates, path))


@contextmanager
def translated(path: Path, what: str) -> Iterator[None]:
    """Turn what decoders raise into InvalidAdvisory."""
    try:
        yield
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidAdvisory(f"{path.name}: expected the form of {what}: {error}") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidAdvisory(f"{path.name}: expected {what} packed with gzip: {error}") from error


def _lines(file: gzip.GzipFile, path: Path) -> Iterator[bytes]:
    size = 0
    while line := file.readline(_MAX_LINE):
        size = _bounded(size + len(line), path)
        yield line


def _bounded(size: int, path: Path) -> int:
    if size > _MAX_UNPACKED_BYTES:
        raise LimitExceeded(f"{path.name} unpacks to more than {_MAX_UNPACKED_BYTES} bytes")
    return size


def _some(records: int, path: Path) -> int:
    if not records:
        raise InvalidAdvisory(f"{path.name} holds no record: has its format changed?")
    return records


class BoundedReader:
    """Reads a packed stream on and raises LimitExceeded behind `limit` unpacked bytes: protects from bombs, and from headers that ask for all memory."""

    def __init__(self, file: BinaryIO, limit: int, name: str) -> None:
        self._file = file
        self._left = limit
        self._name = name

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes."""
        content = self._file.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(content)
        if self._left < 0:
            raise LimitExceeded(f"{self._name} unpacks to more than is looked at")
        return content
