"""Dart packages in pub's cache: `hosted/HOST/NAME-VERSION/pubspec.yaml`.

The directory's name is what pub itself goes by. What was compiled into a program (`dart compile exe`) leaves no trace, and a pubspec.lock says what should be installed.
Packages from git (`.pub-cache/git`) have no version that an advisory could mean, and are left out. Of several caches each counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._language import checked_text, parent
from pratique.inventory.package import Package, PackageDetails

_CACHED = re.compile(r"(?:.*/)?hosted/([^/]+)/([a-z_][a-z0-9_]*)-([0-9][^/]*)/pubspec\.yaml")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]*)?")
_HOST = re.compile(r"[A-Za-z0-9.:/@_-]+")
_ESCAPE = re.compile(r"%([0-9]{2,3})")
_NAME = re.compile(rb"^name[ \t]{0,20}:[ \t]{0,20}[\"']?([a-z0-9_]{1,200})", re.MULTILINE)
_PUBLIC = frozenset({"pub.dev", "pub.dartlang.org"})
_PRINTABLE = range(33, 127)


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the cached package and its directory. Mirrors hold the same packages, so they have the same ecosystem; `repository_url` names them.

    Raises InvalidRecord where the pubspec is not that of the package which the directory is named for.
    """
    match = _CACHED.fullmatch(file.path)
    if match is None:
        return
    name = match[2]
    version = checked_text(match[3], f"version of {name}", _VERSION)
    stated = _NAME.search(file.content)
    if stated is None or stated[1].decode() != name:
        raise InvalidRecord(f"expected the pubspec of {name}, got {stated[1][:40] if stated else b''!r}")
    host = _ESCAPE.sub(_unescape, match[1])  # pub writes "/" as "%47", the decimal code
    qualifiers = {} if host in _PUBLIC else {"repository_url": f"https://{checked_text(host, 'host', _HOST)}"}
    yield Package(type="pub", name=name, version=version, ecosystem="Pub", qualifiers=qualifiers)
    yield PackageDetails(type="pub", name=name, version=version, directories=(parent(file.path),))


def _unescape(match: re.Match[str]) -> str:
    code = int(match[1])
    return chr(code) if code in _PRINTABLE else match[0]


ANALYZER = Analyzer(
    name="dart",
    version=1,
    paths=PathPattern(names=frozenset({"pubspec.yaml"}), accept=lambda path: "hosted/" in path and _CACHED.fullmatch(path) is not None),
    parse=parse,
    max_bytes=1024 * 1024,  # real ones have 5 KB
)
