"""Gentoo's portage: `var/db/pkg/CATEGORY/NAME-VERSION/`, a directory a package, with a file for each thing recorded.

The directory itself names category, name and version. It shows itself by `CONTENTS` (its files) or `PF` (its name), of which images that were made small keep
one or the other; `LICENSE` is read for itself. What portage calls `-MERGING-…` is an installation that was not finished, and no package of portage's either.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._recorded_paths import MAX_FILES, hex_digest, owned_path
from pratique.inventory.analyzers._records import MAX_BROKEN, MAX_WORD, checked_word
from pratique.inventory.analyzers._wording import known_lines
from pratique.inventory.package import Package, PackageDetails

_PATH = re.compile(r"((?:.*/)?)var/db/pkg/([A-Za-z0-9_][\w+.-]*)/([A-Za-z0-9_][\w+.-]*)/(CONTENTS|PF|LICENSE)", re.ASCII)
_NAME_VERSION = re.compile(
    r"(?P<name>[A-Za-z0-9_][\w+-]*?)-(?P<version>\d+(?:\.\d+)*[a-z]?(?:_(?:alpha|beta|pre|rc|p)\d*)*(?:-r\d+)?)", re.ASCII
)


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the package that the directory names, as `category/name`, and the files of CONTENTS or the licences of LICENSE.

    Names and versions: Package Manager Specification 8, sections 3.1 and 3.2. CONTENTS: portage's `dblink.getcontents`. LICENSE is an expression of
    Gentoo's own words (`|| ( GPL-2 MIT )`) and kept as it is.

    Raises InvalidRecord for a directory that names no version and for lines that are no entries, after the readable ones; LimitExceeded after MAX_FILES.
    """
    found = _PATH.fullmatch(file.path)
    if found is None:
        return
    root, category, directory, kind = found.groups()
    matched = _NAME_VERSION.fullmatch(directory[:MAX_WORD])
    if matched is None:
        raise InvalidRecord(f"expected a directory NAME-VERSION, got {directory[:80]!r}")
    name, version = checked_word(f"{category}/{matched['name']}".encode(), "package name"), matched["version"]
    if kind == "LICENSE":
        yield PackageDetails(type="ebuild", name=name, version=version, licenses=known_lines([file.content]))
        return
    yield Package(type="ebuild", name=name, version=version)
    if kind == "CONTENTS":
        yield from _parse_contents(file.content, root.rstrip("/"), name, version)


def _parse_contents(content: bytes, root: str, name: str, version: str) -> Iterator[PackageDetails]:
    """Read `obj PATH MD5 MTIME`, `sym PATH -> TARGET MTIME`, `dir PATH`, `fif PATH`, `dev PATH`; paths may hold blanks."""
    files: list[tuple[str, str]] = []
    broken = 0
    for raw in io.BytesIO(content):  # lazily: a list of 32 million empty lines would fill the memory
        line = raw.decode("utf-8", "backslashreplace").rstrip("\r\n")
        if not line:
            continue
        if len(files) >= MAX_FILES:
            yield PackageDetails(type="ebuild", name=name, version=version, files=tuple(files))
            raise LimitExceeded(f"more than {MAX_FILES} files of {name}")
        entry = _parse_entry(line)
        broken += entry is None
        if broken > MAX_BROKEN:
            break
        if entry and (path := owned_path(root, entry[0])):
            files.append((path, entry[1]))
    if files:
        yield PackageDetails(type="ebuild", name=name, version=version, files=tuple(files))
    if broken:
        raise InvalidRecord(f"{broken} lines that are no entries of CONTENTS")


def _parse_entry(line: str) -> tuple[str, str] | None:
    """The path and digest of an entry; an empty path for a directory, None for what is no entry."""
    kind, _, rest = line.partition(" ")
    if kind == "obj":
        path, digest, _ = ["", "", *rest.rsplit(" ", 2)][-3:]
        checked = hex_digest("md5", digest)
        return (path, checked) if path.startswith("/") and checked else None
    if kind == "sym":
        path, arrow, _ = rest.partition(" -> ")
        return (path, "") if arrow else None
    return ("", "") if kind == "dir" else (rest, "") if kind in {"fif", "dev"} else None


def _is_wanted(path: str) -> bool:
    return "var/db/pkg/" in path and "/-MERGING-" not in path and _PATH.fullmatch(path) is not None


ANALYZER = Analyzer(
    name="portage",
    version=1,
    paths=PathPattern(names=frozenset({"CONTENTS", "PF", "LICENSE"}), accept=_is_wanted),
    parse=parse,
    max_bytes=32 * 1024 * 1024,  # gentoo-sources, the longest, has 8 MB
)
