"""Alpine's apk (also Wolfi's and Chainguard's): the `installed` database, in either place where apk keeps it.

Its stanzas name the package in the first lines, and its files in the lines behind them: `F:` a directory, `R:` a file in it, `Z:` that file's checksum.
"""

from __future__ import annotations

import binascii
import io
from collections.abc import Callable, Iterator

from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._owned_files import OwnedPaths, describe, digest_of_hex, licenses_of
from pratique.inventory.analyzers._records import WHOLE_STANZA, Fields, checked_word, parse_stanzas
from pratique.inventory.package import Package, PackageDetails

_WANTED = frozenset({b"P", b"V", b"A", b"o", b"L", b"m", WHOLE_STANZA})
_LINK = b":777\n"  # apk gives symbolic links this mode, and their targets' text as checksum: no file has that content


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the packages in the order of the file, behind each the details with its files, if it has any.

    `o:`, the origin, is the source package that advisories name, `m:` the maintainer, `L:` the licence (apk-package(5), "installed").
    Virtual packages (`.build-deps`) are yielded like others: apk lists them too. Checksums that cannot be read are left out.

    Raises InvalidRecord after the readable packages for stanzas that lack `P:` or `V:`, or are no stanzas at all, and LimitExceeded for too many files.
    """
    owned = OwnedPaths()
    for facts in parse_stanzas(file, _WANTED, _stanza_parser(owned)):
        yield from facts
    owned.check()


def _stanza_parser(owned: OwnedPaths) -> Callable[[Fields], tuple[Package | PackageDetails, ...]]:
    def parse_stanza(fields: Fields) -> tuple[Package | PackageDetails, ...]:
        package = _parse_package(fields)
        for path, digest in _read_files(fields.get(WHOLE_STANZA, b"")):
            owned.add(path, digest)
            if owned.is_full:
                break
        files = owned.take()
        if not files:
            return (package,)
        return package, PackageDetails(
            type="apk", name=package.name, version=package.version, architecture=package.architecture, files=files
        )

    return parse_stanza


def _parse_package(fields: Fields) -> Package:
    name = checked_word(fields.get(b"P"), "package name (P:)")
    architecture = fields.get(b"A")
    origin = checked_word(fields[b"o"], f"origin of {name} (o:)") if fields.get(b"o", b"").strip() else name
    return Package(
        type="apk",
        name=name,
        version=checked_word(fields.get(b"V"), f"version of {name} (V:)"),
        architecture=checked_word(architecture, f"architecture of {name} (A:)") if architecture else "",
        source_name=origin if origin != name else None,
        vendor=describe(fields.get(b"m")),
        licenses=licenses_of([fields.get(b"L", b"")]),
    )


def _read_files(stanza: bytes) -> Iterator[tuple[bytes, str]]:
    directory, name, digest, is_link = b"", b"", "", False
    for line in io.BytesIO(stanza):
        mark = line[:2]
        if mark == b"Z:":
            digest = "" if is_link else _digest(line[2:].strip())
        elif mark == b"a:":
            is_link = line.endswith(_LINK)
        elif mark in {b"F:", b"R:"}:
            if name:
                yield directory + b"/" + name, digest
            name, digest, is_link = b"", "", False
            if mark == b"F:":
                directory = line[2:].strip()
            else:
                name = line[2:].rstrip(b"\n")
    if name:
        yield directory + b"/" + name, digest


def _digest(raw: bytes) -> str:
    """`Q1` is SHA-1 and `Q2` SHA-256 in base 64, `X1` either in hexadecimal digits (apk-tools, "apk_blob_pull_digest")."""
    if raw[:1] == b"X":
        return digest_of_hex(raw[2:])
    try:
        digest = binascii.a2b_base64(raw[2:66], strict_mode=True)
    except binascii.Error:
        return ""
    return digest_of_hex(digest.hex().encode()) if raw[:1] == b"Q" else ""


ANALYZER = Analyzer(
    name="apk",
    version=2,
    paths=PathPattern(paths=frozenset({"lib/apk/db/installed", "usr/lib/apk/db/installed"})),
    parse=parse,
    max_bytes=64 * 1024 * 1024,  # it names every installed file: 10 MB is a lot
)
