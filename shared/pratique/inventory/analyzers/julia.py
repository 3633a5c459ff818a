"""Julia packages: `Manifest.toml` of an environment (formats 1 and 2), and `packages/NAME/SLUG/Project.toml` of what a depot has installed.

Manifests of installed packages themselves (their tests, their docs) and of Julia's own test suite are not used, and not read. Julia's standard library stands in
manifests without versions: it has that of Julia, which format 2 names. A package with a path but no version is the project's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._language import Problems, checked_text, parent
from pratique.inventory.analyzers._wording import known_lines
from pratique.inventory.package import Package, PackageDetails

MAX_LINE = 16 * 1024  # bytes: a list of 300 names has 5 KB
MAX_LINES = 30_000  # an environment of 1,000 packages has 10,000; each may be a table in tables, of which a byte of the file costs two hundred in memory
MAX_DOTS = 4  # of a key: Julia's have two (`deps.Name.weakdeps`); each is a table more, and costs time with the square of their number

_MANIFEST = re.compile(r"(?:.*/)?(?:Julia)?Manifest(?:-v[0-9.]+)?\.toml")
_INSTALLED = re.compile(r"(?:.*/)?packages/([A-Za-z]\w*)/[A-Za-z0-9]{4,5}/(?:Julia)?Project\.toml")
_FOREIGN = re.compile(r"(?:^|/)(?:packages/[A-Za-z]\w*/[A-Za-z0-9]{4,5}|share/julia/(?:stdlib|test))/")
_PROJECT_FIELD = re.compile(rb"^(name|uuid|version|license)[ \t]{0,40}=[ \t]{0,40}[\"']([^\"'\\\n]{0,600})[\"']", re.MULTILINE)
_HEADER = re.compile(rb"^[ \t]{0,40}\[", re.MULTILINE)
_NAME = re.compile(r"\w+", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_Table = Mapping[str, Any]


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the packages in the order of the file; for one of a depot its directory as well.

    Raises InvalidRecord for a manifest that is no TOML, and, after the others, for packages without UUID. A TOML file of other tables is another program's, and nothing.
    """
    if _INSTALLED.fullmatch(file.path):
        yield from _parse_project(file.content, file.path)
        return
    table = _read_manifest(file.content)
    problems = Problems()
    for name, entry in _entries(table):
        try:
            package = _parse_entry(name, entry, table.get("julia_version"))
        except InvalidRecord as error:
            problems.add(error)
            continue
        if package is not None:
            yield package
    problems.raise_any()


def _read_manifest(content: bytes) -> _Table:
    import tomllib  # most workers never meet a manifest

    lines = content.split(b"\n", MAX_LINES)
    if len(lines) > MAX_LINES or any(map(_is_costly, lines)):
        raise InvalidRecord("expected a manifest as Julia writes it, got more or longer lines, longer keys or inline tables")
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise InvalidRecord(f"expected TOML: {error}") from error


def _is_costly(line: bytes) -> bool:
    key, equals, _ = line.partition(b"=")
    is_key = equals or key.lstrip().startswith(b"[")
    return len(line) > MAX_LINE or b"{" in line or bool(is_key and not key.lstrip().startswith(b"#") and key.count(b".") > MAX_DOTS)


def _entries(table: _Table) -> Iterator[tuple[str, _Table]]:
    """Format 2 has the packages in `deps`, format 1 at the top; a name may have several, of different UUIDs."""
    packages = table.get("deps") if "manifest_format" in table else table
    for name, entries in packages.items() if isinstance(packages, dict) else ():
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield name, entry


def _parse_entry(name: str, entry: _Table, julia_version: object) -> Package | None:
    if "uuid" not in entry and "version" not in entry:
        return None
    version = entry.get("version", None if "path" in entry or "git-tree-sha1" in entry else julia_version)
    return None if version is None else _make(name, entry, version)


def _parse_project(content: bytes, path: str) -> Iterator[Package | PackageDetails]:
    """Read the four fields that stand before the first table; authors write the rest as they like."""
    head = _HEADER.split(content, maxsplit=1)[0]
    table = {match[1].decode(): match[2].decode("utf-8", "replace") for match in _PROJECT_FIELD.finditer(head)}
    if "version" not in table:
        return  # older packages said it in the registry only; the manifest names them
    package = _make(table.get("name", ""), table, table["version"])
    yield package
    yield PackageDetails(type="julia", name=package.name, version=package.version, directories=(parent(path),))


def _make(name: str, table: _Table, version: object) -> Package:
    uuid = checked_text(str(table.get("uuid", "")).lower(), f"uuid of {name[:80]}", _UUID)
    raw = table.get("license")
    return Package(
        type="julia",
        name=checked_text(name, "name of a package", _NAME),
        version=checked_text(str(version), f"version of {name[:80]}"),
        ecosystem="Julia",
        qualifiers={"uuid": uuid},
        licenses=known_lines([raw]) if isinstance(raw, str) else (),
    )


def _is_wanted(path: str) -> bool:
    if path.endswith("Project.toml"):
        return _INSTALLED.fullmatch(path) is not None
    return _MANIFEST.fullmatch(path) is not None and _FOREIGN.search(path) is None


ANALYZER = Analyzer(
    name="julia",
    version=1,
    paths=PathPattern(suffixes=(".toml",), accept=_is_wanted),
    parse=parse,
    max_bytes=1024 * 1024,  # an environment of 500 packages has 100 KB
)
