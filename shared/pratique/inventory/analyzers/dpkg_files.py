"""Which files Debian packages own: `var/lib/dpkg/info/*.list`, and the `*.md5sums` in distroless images' `status.d`.

A `.list` names everything, directories too; a `.md5sums` only what the package had as regular files that are no configuration, with their digests.
Diversions (`var/lib/dpkg/diversions`) are not applied: they say under which other name somebody's file lies, but not whose it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._owned_files import MAX_PATHS, decode_path
from pratique.inventory.package import PackageDetails

_RECORD = re.compile(r"([a-z0-9][a-z0-9+.-]{0,200})(?::([a-z0-9-]{1,60}))?\.(?:list|md5sums)")
_MD5SUM = re.compile(r"^([0-9a-f]{32})[ \t]++\*?(?:\./|/)*+(\S[^\n]*)$", re.MULTILINE)
_DIRECTORY = "/.\n"


def parse(file: LayerFile) -> Iterator[PackageDetails]:
    """Yield the files of the package after which the record is called: `libc6:amd64.list` is that of libc6 for amd64.

    Files with names that dpkg would never ask for (`x y.list`) are silence.

    Raises InvalidRecord, after all that could be read, for a list that does not end with a line's end and lines without a digest: dpkg refuses both.
    """
    match = _RECORD.fullmatch(file.path.rpartition("/")[2])
    if match is None:
        return
    text = decode_path(file.content)
    if text.count("\n") > MAX_PATHS:
        raise LimitExceeded(f"more than {MAX_PATHS} files")
    is_list = file.path.endswith(".list")
    name, architecture = match.group(1), match.group(2) or ""
    if is_list:
        paths, problem = _parse_list(text)
        details = PackageDetails(type="deb", name=name, architecture=architecture, paths=paths)
    else:
        files, problem = _parse_md5sums(text)
        details = PackageDetails(type="deb", name=name, architecture=architecture, files=files)
    if details.files or details.paths:
        yield details
    if problem:
        raise InvalidRecord(problem)


_Files = tuple[tuple[str, str], ...]


def _parse_list(text: str) -> tuple[tuple[str, ...], str]:
    body = text.removeprefix(_DIRECTORY)
    if body.startswith("/") and "\n\n" not in body and "//" not in body:  # all but always: slashes are cut off in one go
        paths = body[1:].replace("\n/", "\n").split("\n")
    else:
        paths = [line.lstrip("/") for line in body.split("\n")]
    last = paths.pop()
    if last:
        paths.append(last)
    return tuple(filter(None, paths)), f"expected a line's end behind {last[:80]!r}" if last else ""


def _parse_md5sums(text: str) -> tuple[_Files, str]:
    """Lines `digest  usr/bin/a`. Where all of them are so, one expression reads them at once."""
    found = _MD5SUM.findall(text)
    files = tuple((path, f"md5:{digest}") for digest, path in found)
    lines = text.count("\n") + (not text.endswith("\n") and bool(text))
    if len(found) == lines:
        return files, ""
    wrong = next((line for line in text.split("\n") if line.strip() and not _MD5SUM.fullmatch(line)), "")
    return files, f"expected a digest and a path, got {wrong[:80]!r}" if wrong else ""


ANALYZER = Analyzer(
    name="dpkg-files",
    version=1,
    paths=PathPattern(
        directories=frozenset({"var/lib/dpkg/info", "var/lib/dpkg/status.d"}),
        accept=lambda path: path.endswith(".list" if path.startswith("var/lib/dpkg/info/") else ".md5sums"),
    ),
    parse=parse,
    max_bytes=16 * 1024 * 1024,  # the longest of Debian, texlive-fonts-extra's, have 5 MB
)
