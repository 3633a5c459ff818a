"""Python distributions: wheels' `*.dist-info/METADATA`, and eggs' `PKG-INFO` in its places.

Packages that the distribution's own package manager installed (Debian's `python3-…`) are yielded as well: who owns a file is decided later. So are those that others
vendored (`setuptools/_vendor`): they are imported from there. An editable install has its metadata in site-packages, or where its `.egg-link` leads to: either is found.
The interpreter's own record (`Python-2.7.egg-info`) is none of PyPI's packages and is passed over, as in Syft.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._records import checked_word
from pratique.inventory.analyzers._wording import MAX_LINES, known_lines
from pratique.inventory.package import Package

MAX_HEADER_BYTES = (
    1024 * 1024
)  # name and version stand in the first lines; a header may hold the description, which is as long as its author likes

_ENDS = (".dist-info/metadata", ".egg-info/pkg-info", ".egg-info/metadata", "/egg-info/pkg-info", ".egg-info")  # in lower case
_FIELDS = frozenset(
    {b"name", b"version", b"license", b"license-expression", b"author", b"author-email", b"maintainer", b"maintainer-email"}
)
_VENDORS = (b"author", b"maintainer", b"author-email", b"maintainer-email")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_SEPARATORS = re.compile(r"[-_.]+")
_INTERPRETER = "Python"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    fields: dict[bytes, bytes] = field(default_factory=dict)
    classifiers: list[bytes] = field(default_factory=list)


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the one distribution that the file describes, under its normalised name (PEP 503).

    Only the header is read, up to the first empty line ("Core metadata specifications").

    Raises InvalidRecord if it names no valid Name or no Version: pip complains of such a distribution as well.
    """
    package = parse_metadata(file.content)
    if package is not None:
        yield package


def parse_metadata(content: bytes) -> Package | None:
    """Return what a METADATA or PKG-INFO describes, or None for the interpreter's. Raises InvalidRecord."""
    header = _read_header(content[:MAX_HEADER_BYTES])
    name = checked_word(header.fields.get(b"name"), "Name")
    version = checked_word(header.fields.get(b"version"), "Version")
    if not _NAME.fullmatch(name):
        raise InvalidRecord(f"expected a distribution's name, got {name[:40]!r}")
    if name == _INTERPRETER:
        return None
    return Package(
        type="pypi",
        name=normalized_name(name),
        version=version,
        ecosystem="PyPI",
        vendor=next(iter(known_lines(header.fields.get(key) for key in _VENDORS)), ""),
        licenses=_find_licenses(header),
    )


def normalized_name(name: str) -> str:
    """The name as PyPI compares it (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


def _find_licenses(header: _Header) -> tuple[str, ...]:
    """An expression says it all (PEP 639). Else there are a field of free text, of which the first line is read, and classifiers, which are less exact."""
    if header.fields.get(b"license-expression", b"").strip():
        return known_lines([header.fields[b"license-expression"]])
    classified = (value.rpartition(b"::")[2].strip() for value in header.classifiers)
    return known_lines([header.fields.get(b"license"), *(name for name in classified if name != b"OSI Approved")])


def _read_header(content: bytes) -> _Header:
    """Read the fields up to the first empty line; of a repeated one the first counts, as in importlib.metadata."""
    header = _Header()
    for line in io.BytesIO(content):
        if not line.strip():
            break
        name, colon, value = line.partition(b":")
        if not colon or line[0] in b" \t":
            continue
        key = name.lower()
        if key in _FIELDS:
            header.fields.setdefault(key, value)
        elif key == b"classifier" and value.lstrip().startswith(b"License ::") and len(header.classifiers) < MAX_LINES:
            header.classifiers.append(value)
    return header


ANALYZER = Analyzer(
    name="python",
    version=2,
    paths=PathPattern(
        names=frozenset({"METADATA", "PKG-INFO"}),
        suffixes=(".egg-info",),
        accept=lambda path: path.lower().endswith(_ENDS),
    ),
    parse=parse,
    max_bytes=16 * 1024 * 1024,  # descriptions of 1 MB exist; nothing behind the header is read
)
