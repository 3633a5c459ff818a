"""Node packages: every `package.json` that has a name and a version.

As in Syft and Trivy the place does not matter, since an image holds packages in many: `node_modules`, an application's root, pnpm's and yarn's stores, deno's and bun's
caches, what bundlers vendored. A `package.json` without name or version is a marker (`{"type": "module"}` in `dist/esm`) and no package; one whose name or version has
yet to be filled in (`{{name}}`) is a template.
What cannot be read is a gap where Node would look for a package: outside of `node_modules`, or at the root of a package in it. Deeper inside a package it
is one of that package's own files, and broken ones are usual there: `resolve` ships a malformed one as a test fixture, generators ship templates.
"""

from __future__ import annotations

from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._package_json import parse_package_json
from pratique.inventory.package import Package, PackageDetails


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the package, if the file describes one, and the directory that npm installed it into: all in it is the package's.

    Raises InvalidRecord for what is no JSON object or has no valid name, where Node would look for a package.
    """
    directory = _installed_directory(file.path)
    try:
        package = parse_package_json(file.content)
    except InvalidRecord:
        if directory is not None or not _is_in_node_modules(file.path):
            raise
        return
    if package is None:
        return
    yield package
    if directory is not None:
        yield PackageDetails(type="npm", name=package.matching_name, version=package.version, directories=(directory,))


def _is_in_node_modules(path: str) -> bool:
    return path.startswith("node_modules/") or "/node_modules/" in path


def _installed_directory(path: str) -> str | None:
    """Answer `…/node_modules/NAME` or `…/node_modules/@SCOPE/NAME` for the `package.json` in it, where Node resolves a package."""
    _, found, below = f"/{path}".rpartition("/node_modules/")
    if not found or below.count("/") != (2 if below.startswith("@") else 1):
        return None
    return path.rpartition("/")[0]


ANALYZER = Analyzer(
    name="node",
    version=2,
    paths=PathPattern(names=frozenset({"package.json"})),
    parse=parse,
    max_bytes=16 * 1024 * 1024,  # the registry's largest are below 2 MB
)
