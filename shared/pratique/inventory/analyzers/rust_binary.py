"""Rust programs that were built with cargo-auditable: the crates in them, from the list in section `.dep-v0`.

As in Syft and Trivy crates that only the build needed are left out, since they are not in the program, and those from git or a folder count as the crates of
that name. Rust programs without the list cannot be told from others that have none: silence. Source: cargo-auditable's PARSING.md.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._executable import Section
from pratique.inventory.analyzers._executable_formats import EXECUTABLE_MAGICS, open_executables
from pratique.inventory.analyzers._json_records import decode_json
from pratique.inventory.analyzers._language import Problems, checked_text
from pratique.inventory.package import Package

MAX_BYTES = 128 * 1024 * 1024  # the largest Rust programs have some 100 MB; the reading process has 512 MB
HEAD_BYTES = 4096  # of larger files: the list lies near the end of those, so that nothing can be told of them
MAX_LIST = 8 * 1024 * 1024  # bytes of the list, unpacked: 1,000 crates take 150 KB; a bomb unpacks to a thousand times its size
MAX_CRATES = 50_000  # the largest programs have some 2,000

_SECTION = b".dep-v0"


class _Crate(msgspec.Struct):
    name: str = ""
    version: str = ""
    kind: str = "runtime"


class _List(msgspec.Struct):
    packages: list[_Crate]


_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_List)


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the crates in the order of the list; for a universal binary those of each architecture.

    Raises InvalidRecord for a list that cannot be read, and, after the others, for crates without a valid name and version; LimitExceeded for a list of
    more than MAX_LIST bytes. Silent for everything else.
    """
    if not file.is_whole:
        return
    for executable in open_executables(file.content):
        section = executable.section(_SECTION)
        if section is not None:
            yield from _crates(_inflated(executable.content, section))


def _crates(text: bytes) -> Iterator[Package]:
    crates = decode_json(_DECODER, text, "a list of crates").packages
    problems = Problems()
    for crate in crates[:MAX_CRATES]:
        if crate.kind != "runtime":
            continue
        try:
            name = checked_text(crate.name, "name of a crate")
            version = checked_text(crate.version, f"version of {name}")
        except InvalidRecord as error:
            problems.add(error)
        else:
            yield Package(type="cargo", name=name, version=version, ecosystem="crates.io")
    problems.raise_any()
    if len(crates) > MAX_CRATES:
        raise LimitExceeded(f"more than {MAX_CRATES} crates")


def _inflated(content: bytes, section: Section) -> bytes:
    decompressor = zlib.decompressobj()
    try:
        text = decompressor.decompress(memoryview(content)[section.offset : section.end], MAX_LIST + 1)
    except zlib.error as error:
        raise InvalidRecord(f"expected a compressed list of crates: {error}") from error
    if len(text) > MAX_LIST:
        raise LimitExceeded(f"a list of crates of more than {MAX_LIST} bytes")
    if not decompressor.eof:
        raise InvalidRecord("expected a compressed list of crates, got the beginning of one")
    return text


ANALYZER = Analyzer(
    name="rust-binary",
    version=2,
    paths=PathPattern(magics=EXECUTABLE_MAGICS),
    parse=parse,
    max_bytes=MAX_BYTES,
    head_bytes=HEAD_BYTES,
)
