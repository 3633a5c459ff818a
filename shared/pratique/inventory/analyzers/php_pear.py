"""PHP packages that PEAR and PECL installed: `.registry/NAME.reg`, and `.registry/.channel.CHANNEL/NAME.reg` for other channels than PEAR's own.

A record is a serialized array: the package.xml, and in `filelist` where each file went. Those of package.xml 1.0 name things differently and have no channel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._language import checked_text, parent, resolve_path, with_files
from pratique.inventory.analyzers._php_serialize import PhpValue, parse_php
from pratique.inventory.analyzers._wording import known_lines
from pratique.inventory.package import Package, PackageDetails

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_CHANNEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.-]+)*")
_MD5 = re.compile(r"[0-9a-f]{32}")
_OWN_CHANNEL = "pear.php.net"

_Record = dict[bytes | int, PhpValue]


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the package, its channel as namespace (Syft's form, purl-spec has none), and its files with their MD5 where recorded.

    Raises InvalidRecord for what PEAR could not unserialize, and for a record without name or release.
    """
    record = parse_php(file.content)
    if not isinstance(record, dict):
        raise InvalidRecord(f"expected a serialized array, got {type(record).__name__}")
    channel = _text(record, b"channel") or _channel_of(file.path)
    package = Package(
        type="pear",
        namespace=checked_text(channel, "channel", _CHANNEL),
        name=checked_text(_text(record, b"name") or _text(record, b"package"), "name of a package", _NAME),
        version=checked_text(_text(record, b"version", b"release") or _text(record, b"version"), "release of a package"),
        licenses=known_lines([_text(record, b"license", b"_content") or _text(record, b"license") or _text(record, b"release_license")]),
    )
    yield package
    details = PackageDetails(type="pear", name=package.name, version=package.version, files=((file.path, ""),))
    yield from with_files(details, _read_files(record))


def _text(record: PhpValue, *keys: bytes) -> str:
    """Return the string that stands there, or nothing."""
    value = record
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _channel_of(path: str) -> str:
    directory = parent(path).rpartition("/")[2]
    return directory.removeprefix(".channel.") if directory.startswith(".channel.") else _OWN_CHANNEL


def _read_files(record: _Record) -> Iterator[tuple[str, str]]:
    files = record.get(b"filelist")
    for entry in files.values() if isinstance(files, dict) else ():
        path = resolve_path("", _text(entry, b"installed_as"))
        digest = _text(entry, b"md5sum").lower()
        if path:
            yield path, f"md5:{digest}" if _MD5.fullmatch(digest) else ""


ANALYZER = Analyzer(
    name="php-pear",
    version=1,
    paths=PathPattern(
        suffixes=(".reg",),
        accept=lambda path: f"/{parent(path)}".endswith("/.registry") or f"/{parent(parent(path))}".endswith("/.registry"),
    ),
    parse=parse,
    max_bytes=8 * 1024 * 1024,  # PEAR's own has 90 KB; the changelog is in it
)
