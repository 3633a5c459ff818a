"""Debian's dpkg: `var/lib/dpkg/status`, and the one-stanza files in `status.d` that distroless images have instead.

Which files a package owns stands elsewhere (`dpkg_files`), except for its configuration files.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator

from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._owned_files import OwnedPaths, describe, digest_of_hex
from pratique.inventory.analyzers._records import WHOLE_STANZA, Fields, checked_word, is_on_disk, parse_stanzas
from pratique.inventory.package import Package, PackageDetails

_WANTED = frozenset({b"Package", b"Status", b"Version", b"Architecture", b"Source", b"Maintainer", WHOLE_STANZA})
_CONFFILE = re.compile(rb"[ \t]+(/\S*(?: +\S+)*?) +(\S+)(?: obsolete| remove-on-upgrade)*\s*$")
MAX_CONFFILE_LINE = 4300  # bytes of a line: a path of 4,096, a digest, flags


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield every package whose files are on disk, in the order of the file (deb-control(5), dpkg(1) "Package states"), its Maintainer as vendor.

    A package that is unpacked or only half configured can run as well as an installed one, so it counts. A stanza without Status is installed:
    builders of distroless images write none. The first word of Status is what somebody wishes (`deinstall ok installed` is still there).
    Behind a package with Conffiles come details with those files: the digests are those of the files as packaged.

    Raises InvalidRecord after the readable packages for stanzas that lack Package or Version, or are no stanzas at all, and LimitExceeded for too many files.
    """
    owned = OwnedPaths()
    for facts in parse_stanzas(file, _WANTED, _stanza_parser(owned)):
        yield from facts
    owned.check()


def _stanza_parser(owned: OwnedPaths) -> Callable[[Fields], tuple[Package | PackageDetails, ...] | None]:
    def parse_stanza(fields: Fields) -> tuple[Package | PackageDetails, ...] | None:
        package = _parse_package(fields)
        if package is None:
            return None
        _parse_conffiles(fields.get(WHOLE_STANZA, b""), owned)
        conffiles = owned.take()
        if not conffiles:
            return (package,)
        details = PackageDetails(type="deb", name=package.name, version=package.version, architecture=package.architecture, files=conffiles)
        return package, details

    return parse_stanza


def _parse_package(fields: Fields) -> Package | None:
    name = checked_word(fields.get(b"Package"), "Package")
    if not is_on_disk(fields.get(b"Status"), name):
        return None
    version = checked_word(fields.get(b"Version"), f"Version of {name}")
    architecture = fields.get(b"Architecture")
    source_name, source_version = _parse_source(fields.get(b"Source"))
    return Package(
        type="deb",
        name=name,
        version=version,
        architecture=checked_word(architecture, f"Architecture of {name}") if architecture else "",
        source_name=source_name if source_name != name else None,
        source_version=source_version if source_version != version else None,
        vendor=describe(fields.get(b"Maintainer")),
    )


def _parse_source(raw: bytes | None) -> tuple[str | None, str | None]:
    """Split `glibc` or `glibc (2.31-13)`."""
    if raw is None:
        return None, None
    name, parenthesis, version = raw.partition(b"(")
    source_version = checked_word(version.strip().removesuffix(b")"), "version of Source") if parenthesis else None
    return checked_word(name, "Source"), source_version


def _parse_conffiles(stanza: bytes, owned: OwnedPaths) -> None:
    """Read ` /etc/adduser.conf 3c1f… obsolete`, one a line. An obsolete one is no longer the package's, though it was left on disk; dpkg still lists it."""
    for line in io.BytesIO(stanza.partition(b"\nConffiles:")[2].partition(b"\n")[2]):
        match = _CONFFILE.match(line, 0, MAX_CONFFILE_LINE)
        if line[:1] not in {b" ", b"\t"}:
            return
        if match is not None:
            owned.add(match.group(1), digest_of_hex(match.group(2)))


ANALYZER = Analyzer(
    name="dpkg",
    version=2,
    paths=PathPattern(
        paths=frozenset({"var/lib/dpkg/status"}),
        directories=frozenset({"var/lib/dpkg/status.d"}),
        accept=lambda path: not path.endswith(".md5sums"),  # distroless puts each package's file list beside its stanza
    ),
    parse=parse,
    max_bytes=32 * 1024 * 1024,  # a desktop with 5,000 packages has 5 MB; beyond, the stanzas would fill the memory
)
