"""opkg, the package manager of OpenWrt and Yocto: `status`, and for each package `info/NAME.control` and `info/NAME.list`.

`status` says what is installed; a `.control` tells licence, maintainer and CPE of the same package. Where an image keeps only one of them, that one counts.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._owned_files import OwnedPaths, describe, licenses_of
from pratique.inventory.analyzers._records import Fields, checked_word, is_on_disk, parse_stanzas
from pratique.inventory.package import Package, PackageDetails

_ROOTS = ("usr/lib/opkg", "var/lib/opkg", "opt/lib/opkg", "opt/var/opkg-lists", "lib/opkg")
_WANTED = frozenset({b"Package", b"Status", b"Version", b"Architecture", b"Maintainer", b"License", b"CPE-ID"})
_CPE = re.compile(r"cpe:/([aho](?::[A-Za-z0-9._~%-]{1,100}){2})(?::[^:]*)*")
_LIST = re.compile(r"([a-zA-Z0-9][a-zA-Z0-9+._-]{0,200})\.list")


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the packages that are on disk, or of a `.list` the files of the package that it is called after.

    Name, version and architecture are those of both kinds of record, so that they agree; the source (a path in the build tree) is left out.

    Raises InvalidRecord after the readable packages for stanzas that lack Package or Version, or are no stanzas at all, and LimitExceeded for too many files.
    """
    if file.path.endswith(".list"):
        yield from _parse_list(file)
    else:
        yield from parse_stanzas(file, _WANTED, _parse_package)


def _parse_list(file: LayerFile) -> Iterator[PackageDetails]:
    """Read one path a line; newer opkg puts mode and link target behind it, after tabulators."""
    match = _LIST.fullmatch(file.path.rpartition("/")[2])
    if match is None:
        return
    owned = OwnedPaths()
    for line in io.BytesIO(file.content):
        owned.add(line.partition(b"\t")[0].strip())
    files = owned.take()
    if files:
        yield PackageDetails(type="opkg", name=match.group(1), files=files)
    owned.check()


def _parse_package(fields: Fields) -> Package | None:
    name = checked_word(fields.get(b"Package"), "Package")
    if not is_on_disk(fields.get(b"Status"), name):
        return None
    version = checked_word(fields.get(b"Version"), f"Version of {name}")
    architecture = fields.get(b"Architecture")
    return Package(
        type="opkg",
        name=name,
        version=version,
        architecture=checked_word(architecture, f"Architecture of {name}") if architecture else "",
        vendor=describe(fields.get(b"Maintainer")),
        licenses=licenses_of([fields.get(b"License", b"")]),
        cpes=_cpes(fields.get(b"CPE-ID"), version),
    )


def _cpes(raw: bytes | None, version: str) -> tuple[str, ...]:
    """OpenWrt's `cpe:/a:openssl:openssl`, with the version as it came from upstream: without what `-` or `-r` counts behind it."""
    match = _CPE.fullmatch(describe(raw))
    upstream = re.sub(r"-r?\d+$", "", version)
    if match is None or not re.fullmatch(r"[A-Za-z0-9._]+", upstream):
        return ()
    return (f"cpe:2.3:{match.group(1)}:{upstream}:*:*:*:*:*:*:*",)


ANALYZER = Analyzer(
    name="opkg",
    version=1,
    paths=PathPattern(
        paths=frozenset(f"{root}/status" for root in _ROOTS),
        directories=frozenset(f"{root}/info" for root in _ROOTS),
        accept=lambda path: path.endswith(("/status", ".control", ".list")),
    ),
    parse=parse,
    max_bytes=16 * 1024 * 1024,  # a router has 100 KB
)
