"""GraalVM native images: the libraries in a Java program that was compiled ahead of time, from the CycloneDX document that the compiler embeds.

It is compressed with gzip behind the symbol `sbom`, and its length stands behind `sbom_length` (GraalVM's manual, "Software Bill of Materials"). Images of the
Community Edition have none and tell nothing: silence, as for other compiled programs.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._elf import Elf, open_elf
from pratique.inventory.analyzers._executable import ELF_MAGIC
from pratique.inventory.analyzers._inflate import GZIP, inflated
from pratique.inventory.analyzers._json_records import decode_json
from pratique.inventory.analyzers._language import Problems, checked_text
from pratique.inventory.analyzers._wording import known_lines
from pratique.inventory.package import Package

MAX_BYTES = 128 * 1024 * 1024  # images of large applications have some 100 MB; the reading process has 512 MB
HEAD_BYTES = 4096  # of larger files: what tells a native image lies near their end, so that nothing can be told of them
MAX_DOCUMENT = (
    32 * 1024 * 1024
)  # bytes, unpacked: a document of 1,000 libraries with their classes has some 10 MB; bombs unpack to gigabytes
MAX_COMPONENTS = 50_000  # Java programs have some hundred

_HEAP_SECTION = b".svm_heap"  # every native image has one, and nothing else
_NUMBER_SIZE = 8


class _License(msgspec.Struct):
    id: str = ""
    name: str = ""


class _LicenseChoice(msgspec.Struct):
    license: _License = msgspec.field(default_factory=_License)
    expression: str = ""


class _Component(msgspec.Struct):
    name: str = ""
    version: str = ""
    group: str = ""
    licenses: list[_LicenseChoice] = msgspec.field(default_factory=list)


class _Document(msgspec.Struct):
    components: list[_Component] = msgspec.field(default_factory=list)


_DECODER = msgspec.json.Decoder(_Document)


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the libraries in the order of the document.

    Raises InvalidRecord for a document that cannot be read, and, after the others, for libraries without a valid name and version; LimitExceeded
    for a document of more than MAX_DOCUMENT bytes.
    """
    elf = open_elf(file.content)
    if elf is None or elf.section(_HEAP_SECTION) is None:
        return
    compressed = _embedded(elf)
    if compressed:
        yield from _libraries(b"".join(inflated(compressed, MAX_DOCUMENT)))


def _embedded(elf: Elf) -> bytes:
    """The compressed document; empty if the image has none."""
    length = _read_symbol(elf, b"sbom_length", _NUMBER_SIZE)
    if not length:
        return b""
    compressed = _read_symbol(elf, b"sbom", int.from_bytes(length, "big" if elf.layout.big_endian else "little"))
    if not compressed.startswith(GZIP):
        raise InvalidRecord("expected the bill of materials of a native image, got something else in its place")
    return compressed


def _read_symbol(elf: Elf, name: bytes, size: int) -> bytes:
    """What lies behind a symbol; empty if there is none, or less than `size` bytes."""
    for symbol in elf.symbols(name):
        place = elf.at(symbol.address) if symbol.name == name else None
        if place is not None and place.size >= size:
            return elf.content[place.offset : place.offset + size]
    return b""


def _libraries(document: bytes) -> Iterator[Package]:
    components = decode_json(_DECODER, document, "a CycloneDX document").components
    problems = Problems()
    for component in components[:MAX_COMPONENTS]:
        try:
            yield _library(component)
        except InvalidRecord as error:
            problems.add(error)
    if len(components) > MAX_COMPONENTS:
        problems.add(InvalidRecord(f"more than {MAX_COMPONENTS} components"))
    problems.raise_any()


def _library(component: _Component) -> Package:
    name = checked_text(component.name, "name of a library")
    return Package(
        type="maven",
        namespace=checked_text(component.group, f"group of {name}") if component.group else "",
        name=name,
        version=checked_text(component.version, f"version of {name}"),
        ecosystem="Maven",
        licenses=known_lines(choice.expression or choice.license.id or choice.license.name for choice in component.licenses),
    )


ANALYZER = Analyzer(
    name="native-image",
    version=2,
    paths=PathPattern(magics=(ELF_MAGIC,)),
    parse=parse,
    max_bytes=MAX_BYTES,
    head_bytes=HEAD_BYTES,
)
