"""Container-Optimized OS: `etc/cos-package-info.json`, the packages of the image as Google's build wrote them down."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._json_records import decode_json
from pratique.inventory.analyzers._recorded_paths import text_word
from pratique.inventory.package import Package


class _CosPackage(msgspec.Struct):
    category: str = ""
    name: str = ""
    version: str = ""


class _CosPackages(msgspec.Struct, rename="camel"):
    installed_packages: list[_CosPackage] | None = None


_DECODER = msgspec.json.Decoder(_CosPackages)


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the installed packages in the order of the file; those of build time are not in the image.

    `version` is Google's own (`17162.336.16`). The upstream version beside it (`ebuild_version`) is not the one that COS's advisories speak about.

    Raises InvalidRecord for what is no such document, and after the readable ones for a package without name or version.
    """
    document = decode_json(_DECODER, file.content, "a list of COS packages")
    problem = None
    for entry in document.installed_packages or ():
        try:
            yield _package(entry)
        except InvalidRecord as error:
            problem = problem or error
    if problem is not None:
        raise problem


def _package(entry: _CosPackage) -> Package:
    name = text_word(entry.name, "name of a package")
    qualifiers = {"category": text_word(entry.category, f"category of {name}")} if entry.category else {}
    return Package(type="cos", name=name, version=text_word(entry.version, f"version of {name}"), qualifiers=qualifiers)


ANALYZER = Analyzer(
    name="cos",
    version=1,
    paths=PathPattern(paths=frozenset({"etc/cos-package-info.json"})),
    parse=parse,
    max_bytes=16 * 1024 * 1024,  # 300 packages take 50 KB
)
