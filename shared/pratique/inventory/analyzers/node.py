"""Node packages: every `package.json` that has a name and a version.

As in Syft and Trivy the place does not matter, since an image holds packages in many: `node_modules`, an application's root, pnpm's and yarn's stores,
what bundlers vendored. A `package.json` without name or version is a marker (`{"type": "module"}` in `dist/esm`) and no package.
What cannot be read is a gap where Node would look for a package: outside of `node_modules`, or at the root of a package in it. Deeper inside a package it
is one of that package's own files, and broken ones are usual there: `resolve` ships a malformed one as a test fixture, generators ship templates.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._records import checked_word
from pratique.inventory.package import Package

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # npm ignores it, JSON forbids it


class _PackageJson(msgspec.Struct):
    name: str | None = None
    version: str | None = None


_DECODER = msgspec.json.Decoder(_PackageJson)


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the package, if the file describes one.

    Raises InvalidRecord for what is no JSON object or has no valid name, where Node would look for a package.
    """
    try:
        package = _parse_package(file.content)
    except InvalidRecord:
        if _is_package_root(file.path):
            raise
        return
    if package is not None:
        yield package


def _parse_package(content: bytes) -> Package | None:
    try:
        found = _DECODER.decode(content.removeprefix(_BYTE_ORDER_MARK))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:  # msgspec bounds the depth by the interpreter's recursion limit
        raise InvalidRecord(f"expected a package.json: {error}") from error
    if not found.name or not found.version:
        return None
    scope, slash, name = found.name.partition("/")
    if not slash:
        scope, name = "", found.name
    elif not scope.startswith("@") or "/" in name:
        raise InvalidRecord(f"expected a package name, got {found.name[:40]!r}")
    return Package(
        type="npm",
        namespace=_checked(scope, "scope") if slash else "",
        name=_checked(name, "name"),
        version=_checked(found.version, "version"),
        ecosystem="npm",
    )


def _checked(text: str, what: str) -> str:
    return checked_word(text.encode("utf-8", "backslashreplace"), what)


def _is_package_root(path: str) -> bool:
    """Tell whether Node could resolve a package here: outside of node_modules, or `node_modules/NAME` or `node_modules/@SCOPE/NAME`."""
    inside, found, below = f"/{path}".rpartition("/node_modules/")
    del inside
    return not found or below.count("/") == (2 if below.startswith("@") else 1)


ANALYZER = Analyzer(
    name="node",
    version=1,
    paths=PathPattern(names=frozenset({"package.json"})),
    parse=parse,
    max_bytes=16 * 1024 * 1024,  # the registry's largest are below 2 MB
)
