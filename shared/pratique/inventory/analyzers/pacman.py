"""Arch Linux's pacman (libalpm): a directory a package in the local database, with `desc`, `files` and `mtree`.

`desc` names the package, `files` its files, `mtree` (gzip) their digests. Each is read for itself: the last two name their package by their directory,
`NAME-VERSION-RELEASE`, as libalpm does. The database also stands below other roots (MSYS2, sysroots), whose files lie there then.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from itertools import islice

from pratique.errors import InputError, InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._inflate import inflated
from pratique.inventory.analyzers._recorded_paths import MAX_FILES, hex_digest, owned_path
from pratique.inventory.analyzers._records import checked_word
from pratique.inventory.analyzers._wording import known_lines, one_line
from pratique.inventory.package import Package, PackageDetails

MAX_MTREE_BYTES = 64 * 1024**2  # unpacked: linux-headers has 25,000 files and 4 MB; a bomb would cost time
MAX_LINE_BYTES = 1024 * 1024  # of mtree: a path and its digests take 1 KB; joining longer ones piece by piece would cost time squared
MAX_WORDS = 30  # of an entry of mtree: real ones have 8; each costs time
MAX_SECTIONS = 100  # of `desc` and `files`: pacman writes 22; each takes memory

_PATH = re.compile(r"((?:.*/)?)var/lib/pacman/local/([^/]+)/(desc|files|mtree)")
_SECTION = re.compile(rb"^%([A-Z0-9]+)%[ \t\r]*\n", re.MULTILINE)
_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the package of `desc`, or the files that `files` or `mtree` lists (alpm-db-desc(5), alpm-db-files(5), alpm-mtree(5)).

    Raises InvalidRecord for a `desc` without name or version, a directory that is not named after a package, and broken mtree;
    LimitExceeded after MAX_FILES files and MAX_MTREE_BYTES.
    """
    found = _PATH.fullmatch(file.path)
    if found is None:
        return
    root, directory, kind = found[1].rstrip("/"), found[2], found[3]
    if kind == "desc":
        yield _parse_desc(file.content)
    elif kind == "files":
        yield from _details(directory, _parse_files(file.content, root))
    else:
        yield from _details(directory, _parse_mtree(file.content, root))


def _sections(content: bytes) -> Mapping[bytes, bytes]:
    """Split `%NAME%` headings and the lines below them; of a repeated one the last counts, as in libalpm."""
    found = {}
    headings = list(islice(_SECTION.finditer(content), MAX_SECTIONS + 1))
    if len(headings) > MAX_SECTIONS:
        raise LimitExceeded(f"more than {MAX_SECTIONS} sections")
    ends = [*(heading.start() for heading in headings[1:]), len(content)]
    for heading, end in zip(headings, ends, strict=False):
        found[heading[1]] = content[heading.end() : end].strip()
    return found


def _parse_desc(content: bytes) -> Package:
    sections = _sections(content)
    name = checked_word(sections.get(b"NAME"), "%NAME%")
    base = sections.get(b"BASE")
    source = checked_word(base, f"%BASE% of {name}") if base else name
    architecture = sections.get(b"ARCH")
    return Package(
        type="alpm",
        name=name,
        version=checked_word(sections.get(b"VERSION"), f"%VERSION% of {name}"),
        architecture=checked_word(architecture, f"%ARCH% of {name}") if architecture else "",
        source_name=source if source != name else None,
        vendor=one_line(sections.get(b"PACKAGER")),
        licenses=known_lines(sections.get(b"LICENSE", b"").split(b"\n", 100)[:100]),
    )


def _details(directory: str, files: Iterator[tuple[str, str]]) -> Iterator[PackageDetails]:
    """Yield the files in one PackageDetails, also when they end in an error, which is raised then."""
    name, version, release = ["", "", *directory.rsplit("-", 2)][-3:]
    if not name or not version:
        raise InvalidRecord(f"expected a directory NAME-VERSION-RELEASE, got {directory[:80]!r}")
    owned: dict[str, str] = {}
    problem: InputError | None = None
    try:
        for path, digest in islice(files, MAX_FILES):
            owned[path] = digest or owned.get(path, "")
    except InputError as error:
        problem = error
    if len(owned) >= MAX_FILES:
        problem = LimitExceeded(f"more than {MAX_FILES} files of {name}")
    if owned:
        yield PackageDetails(type="alpm", name=name, version=f"{version}-{release}", files=tuple(owned.items()))
    if problem is not None:
        raise problem


def _parse_files(content: bytes, root: str) -> Iterator[tuple[str, str]]:
    """Read `%FILES%` (directories end in `/`) and `%BACKUP%`: path, tab, MD5 as it was in the package."""
    sections = _sections(content)
    for line in io.BytesIO(sections.get(b"FILES", b"")):  # lazily: millions of empty lines would fill the memory
        path = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
        if path and not path.endswith("/") and (owned := owned_path(root, path)):
            yield owned, ""
    for line in io.BytesIO(sections.get(b"BACKUP", b"")):
        path, _, digest = line.decode("utf-8", "backslashreplace").rstrip("\r\n").partition("\t")
        if owned := owned_path(root, path):
            yield owned, hex_digest("md5", digest)


def _parse_mtree(content: bytes, root: str) -> Iterator[tuple[str, str]]:
    """Read the files of an mtree (mtree(5)) as makepkg has bsdtar write it: one entry a line, `./PATH KEYWORD=VALUE …`, defaults in `/set` lines."""
    default_type = b"file"
    for line in _lines(inflated(content, MAX_MTREE_BYTES)):
        words = line.split(maxsplit=MAX_WORDS)[:MAX_WORDS]
        if not words or words[0].startswith(b"#"):
            continue
        keywords = dict(word.partition(b"=")[::2] for word in words[1:])
        if words[0] == b"/set":
            default_type = keywords.get(b"type", default_type)
        elif words[0].startswith(b"./"):
            path = owned_path(root, _OCTAL.sub(_unescape, words[0]).decode("utf-8", "backslashreplace"))
            is_file = keywords.get(b"type", default_type) != b"dir" and not words[0].startswith(b"./.")  # ./.PKGINFO is not installed
            if is_file and path:
                yield path, _digest(keywords)
        elif words[0] != b"/unset":
            raise InvalidRecord(f"expected an mtree entry, got {line[:60]!r}")


def _digest(keywords: Mapping[bytes, bytes]) -> str:
    sha256, md5 = (keywords.get(name, b"").decode("ascii", "replace") for name in (b"sha256digest", b"md5digest"))
    return hex_digest("sha256", sha256) or hex_digest("md5", md5)


def _unescape(escape: re.Match[bytes]) -> bytes:
    return bytes([int(escape[1], 8)])


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Split into lines without holding more than one piece and a line."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > MAX_LINE_BYTES:
            raise LimitExceeded(f"a line of more than {MAX_LINE_BYTES} bytes")
    yield rest


ANALYZER = Analyzer(
    name="pacman",
    version=1,
    paths=PathPattern(names=frozenset({"desc", "files", "mtree"}), accept=lambda path: _PATH.fullmatch(path) is not None),
    parse=parse,
    max_bytes=32 * 1024 * 1024,  # the longest lists of files have 10 MB
)
