"""Python distributions: wheels' `*.dist-info/METADATA`, and eggs' `PKG-INFO` in its three places.

Packages that the distribution's own package manager installed (Debian's `python3-…`) are yielded as well: who owns a file is decided later.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._records import checked_word
from pratique.inventory.package import Package

MAX_HEADER_BYTES = (
    1024 * 1024
)  # name and version stand in the first lines; a header may hold the description, which is as long as its author likes

_ENDS = (".dist-info/METADATA", ".egg-info/PKG-INFO", ".egg/EGG-INFO/PKG-INFO", ".egg-info")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_SEPARATORS = re.compile(r"[-_.]+")


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the one distribution that the file describes, under its normalised name (PEP 503).

    Only the header is read, up to the first empty line ("Core metadata specifications").

    Raises InvalidRecord if it names no valid Name or no Version.
    """
    fields = _read_header(file.content[:MAX_HEADER_BYTES])
    name = checked_word(fields.get(b"name"), "Name")
    version = checked_word(fields.get(b"version"), "Version")
    if not _NAME.fullmatch(name):
        raise InvalidRecord(f"expected a distribution's name, got {name[:40]!r}")
    yield Package(type="pypi", name=_SEPARATORS.sub("-", name).lower(), version=version, ecosystem="PyPI")


def _read_header(content: bytes) -> dict[bytes, bytes]:
    """Read the fields up to the first empty line; of a repeated one the first counts, as in importlib.metadata."""
    fields: dict[bytes, bytes] = {}
    for line in io.BytesIO(content):
        if not line.strip():
            break
        name, colon, value = line.partition(b":")
        if colon and line[0] not in b" \t":
            fields.setdefault(name.lower(), value)
    return fields


ANALYZER = Analyzer(
    name="python",
    version=1,
    paths=PathPattern(
        names=frozenset({"METADATA", "PKG-INFO"}),
        suffixes=(".egg-info",),
        accept=lambda path: path.endswith(_ENDS),
    ),
    parse=parse,
    max_bytes=16 * 1024 * 1024,  # descriptions of 1 MB exist; nothing behind the header is read
)
