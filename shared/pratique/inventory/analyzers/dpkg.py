"""Debian's dpkg: `var/lib/dpkg/status`, and the one-stanza files in `status.d` that distroless images have instead."""

from __future__ import annotations

from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._records import Fields, checked_word, parse_stanzas
from pratique.inventory.package import Package

_WANTED = frozenset({b"Package", b"Status", b"Version", b"Architecture", b"Source"})
_ON_DISK = frozenset({b"installed", b"triggers-pending", b"triggers-awaited", b"half-configured", b"half-installed", b"unpacked"})
_NOT_ON_DISK = frozenset({b"not-installed", b"config-files"})


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield every package whose files are on disk, in the order of the file (deb-control(5), dpkg(1) "Package states").

    A package that is unpacked or only half configured can run as well as an installed one, so it counts. A stanza without Status is installed:
    builders of distroless images write none. The first word of Status is what somebody wishes (`deinstall ok installed` is still there).

    Raises InvalidRecord after the readable packages for stanzas that lack Package or Version, or are no stanzas at all.
    """
    return parse_stanzas(file, _WANTED, _parse_package)


def _parse_package(fields: Fields) -> Package | None:
    name = checked_word(fields.get(b"Package"), "Package")
    if not _is_on_disk(fields.get(b"Status"), name):
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
    )


def _is_on_disk(status: bytes | None, name: str) -> bool:
    if status is None:
        return True
    state = status.split()[-1:]
    if state and state[0] in _ON_DISK:
        return True
    if state and state[0] in _NOT_ON_DISK:
        return False
    raise InvalidRecord(f"{name} has the unknown Status {status[:60]!r}")


def _parse_source(raw: bytes | None) -> tuple[str | None, str | None]:
    """Split `glibc` or `glibc (2.31-13)`."""
    if raw is None:
        return None, None
    name, parenthesis, version = raw.partition(b"(")
    source_version = checked_word(version.strip().removesuffix(b")"), "version of Source") if parenthesis else None
    return checked_word(name, "Source"), source_version


ANALYZER = Analyzer(
    name="dpkg",
    version=1,
    paths=PathPattern(
        paths=frozenset({"var/lib/dpkg/status"}),
        directories=frozenset({"var/lib/dpkg/status.d"}),
        accept=lambda path: not path.endswith(".md5sums"),  # distroless puts each package's file list beside its stanza
    ),
    parse=parse,
    max_bytes=32 * 1024 * 1024,  # a desktop with 5,000 packages has 5 MB; beyond, the stanzas would fill the memory
)
