"""Bottlerocket: `usr/share/bottlerocket/application-inventory.json`, also in the sysroot that its SDK images have."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._json_records import decode_json
from pratique.inventory.analyzers._recorded_paths import text_word
from pratique.inventory.analyzers._wording import one_line
from pratique.inventory.package import Package

_INVENTORY = "usr/share/bottlerocket/application-inventory.json"


class _Application(msgspec.Struct, rename="pascal"):
    name: str = ""
    publisher: str = ""
    version: str = ""
    release: str = ""
    epoch: str | int = ""
    architecture: str = ""


class _Applications(msgspec.Struct, rename="pascal"):
    content: list[_Application]


_DECODER = msgspec.json.Decoder(_Applications)


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the applications in the order of the file, with versions as in rpm: `[EPOCH:]VERSION[-RELEASE]`, an epoch of 0 left out.

    Raises InvalidRecord for what is no such document, and after the readable ones for an application without name or version.
    """
    problem = None
    for entry in decode_json(_DECODER, file.content, "an application inventory").content:
        try:
            yield _package(entry)
        except InvalidRecord as error:
            problem = problem or error
    if problem is not None:
        raise problem


def _package(entry: _Application) -> Package:
    name = text_word(entry.name, "Name")
    version = text_word(entry.version, f"Version of {name}")
    if entry.release:
        version = f"{version}-{text_word(entry.release, f'Release of {name}')}"
    epoch = str(entry.epoch)
    if epoch not in {"", "0"}:
        version = f"{text_word(epoch, f'Epoch of {name}')}:{version}"
    return Package(
        type="bottlerocket",
        name=name,
        version=version,
        architecture=text_word(entry.architecture, f"Architecture of {name}") if entry.architecture else "",
        vendor=one_line(entry.publisher),
    )


ANALYZER = Analyzer(
    name="bottlerocket",
    version=1,
    paths=PathPattern(
        paths=frozenset({_INVENTORY, *(f"{machine}-bottlerocket-linux-gnu/sys-root/{_INVENTORY}" for machine in ("aarch64", "x86_64"))})
    ),
    parse=parse,
    max_bytes=16 * 1024 * 1024,  # 100 applications take 30 KB
)
