"""Swift packages: `Package.resolved` (formats 1 to 3), and `.build/workspace-state.json`, which says what was checked out.

A compiled program tells nothing of its packages, so here a lock file counts, as in Syft. The lock files of dependencies, below `.build/checkouts`, do not: they are not used.
A package is named by the address of its repository, as in OSV (`github.com/apple/swift-nio`). One that is pinned to a branch has the commit as its version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._json_records import decode_json
from pratique.inventory.analyzers._language import Problems, checked_text, parent, resolve_path
from pratique.inventory.package import Package, PackageDetails

_FORMATS = frozenset({1, 2, 3})
_PART = re.compile(r"[A-Za-z0-9._~@+-]+(?:/[A-Za-z0-9._~@+-]+)*")
_ADDRESS = re.compile(r"(?:[a-z+]{1,10}://)?(?:[^@/]{1,200}@)?([^/:@]{1,255})(?::[0-9]{1,5}(?=/))?[/:]+(.{1,1000})")
_LOCAL = frozenset({"fileSystem", "localSourceControl", "root", "local"})


class _State(msgspec.Struct):
    version: str | None = None
    revision: str | None = None
    branch: str | None = None


class _Pin(msgspec.Struct):
    """A pin of either format: 1 has `package` and `repositoryURL`, 2 and 3 have the others."""

    state: _State = msgspec.field(default_factory=_State)
    package: str = ""
    repositoryURL: str = ""  # noqa: N815 - as in the file
    identity: str = ""
    kind: str = ""
    location: str = ""


class _Pins(msgspec.Struct):
    pins: list[msgspec.Raw] = msgspec.field(default_factory=list)


class _Resolved(msgspec.Struct):
    version: int
    pins: list[msgspec.Raw] | None = None
    object: _Pins | None = None


class _Reference(msgspec.Struct):
    """A package: `location` since version 5 of the file, `path` before."""

    identity: str = ""
    kind: str = ""
    location: str = ""
    path: str = ""


class _Checkout(msgspec.Struct, rename={"checkout": "checkoutState"}):
    checkout: _State | None = None
    version: str | None = None


class _Dependency(msgspec.Struct, rename={"reference": "packageRef"}):
    reference: _Reference
    state: _Checkout | str | None = None
    subpath: str | None = None


class _Dependencies(msgspec.Struct):
    dependencies: list[msgspec.Raw] = msgspec.field(default_factory=list)


class _Workspace(msgspec.Struct):
    version: int
    object: _Dependencies


_RESOLVED = msgspec.json.Decoder(_Resolved)
_PIN = msgspec.json.Decoder(_Pin)
_WORKSPACE = msgspec.json.Decoder(_Workspace)
_DEPENDENCY = msgspec.json.Decoder(_Dependency)


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the packages in the order of the file, each with the directory of its checkout where one is recorded. Packages of the same project have no version: left out.

    Raises InvalidRecord for a format that is not known, and, after the others, for entries without address.
    """
    if file.path.endswith("/workspace-state.json"):
        entries = decode_json(_WORKSPACE, file.content, "a workspace-state.json").object.dependencies
    else:
        entries = _find_pins(decode_json(_RESOLVED, file.content, "a Package.resolved"))
    problems = Problems()
    for entry in entries:
        try:
            facts = _parse_dependency(entry, parent(file.path)) if file.path.endswith(".json") else _parse_pin(entry)
        except InvalidRecord as error:
            problems.add(error)
            continue
        yield from facts
    problems.raise_any()


def _find_pins(found: _Resolved) -> list[msgspec.Raw]:
    pins = found.object.pins if found.version == 1 and found.object else found.pins
    if found.version not in _FORMATS or pins is None:
        raise InvalidRecord(f"expected a Package.resolved of format 1 to 3, got {found.version}")
    return pins


def _parse_pin(entry: msgspec.Raw) -> list[Package | PackageDetails]:
    pin = decode_json(_PIN, bytes(entry), "a pin")
    package = _make(pin.location or pin.repositoryURL, pin.kind, pin.identity or pin.package, pin.state)
    return [package] if package else []


def _parse_dependency(entry: msgspec.Raw, build: str) -> list[Package | PackageDetails]:
    found = decode_json(_DEPENDENCY, bytes(entry), "a dependency")
    state = found.state if isinstance(found.state, _Checkout) else _Checkout()
    at = state.checkout or _State(version=state.version)
    package = _make(found.reference.location or found.reference.path, found.reference.kind, found.reference.identity, at)
    if package is None:
        return []
    root = resolve_path(f"{build}/checkouts", found.subpath or "") if found.subpath else ""
    if not root.startswith(f"{build}/checkouts/"):
        return [package]
    return [package, PackageDetails(type="swift", name=package.name, version=package.version, directories=(root,))]


def _make(address: str, kind: str, identity: str, state: _State) -> Package | None:
    version = state.version or state.revision
    if kind in _LOCAL or not version or (not kind and address.startswith(("/", "."))):
        return None  # a directory beside the project: part of it
    namespace, name = _split_identity(identity) if kind == "registry" else _split_address(address)
    return Package(
        type="swift",
        namespace=checked_text(namespace, "address of a package", _PART),
        name=checked_text(name, "name of a package", _PART),
        version=checked_text(version, f"version of {name[:80]}"),
        ecosystem="" if kind == "registry" else "SwiftURL",
    )


def _split_identity(identity: str) -> tuple[str, str]:
    scope, _, name = identity.partition(".")
    return scope, name


def _split_address(address: str) -> tuple[str, str]:
    """Split `https://github.com/apple/swift-nio.git` and `git@github.com:apple/swift-nio.git` into `github.com/apple` and `swift-nio`."""
    match = _ADDRESS.fullmatch(address.strip())
    if match is None:
        raise InvalidRecord(f"expected the address of a repository, got {address[:80]!r}")
    path = match[2].strip("/").removesuffix(".git")
    directory, _, name = f"{match[1].lower()}/{path}".rpartition("/")
    return directory, name


def _is_wanted(path: str) -> bool:
    return "/checkouts/" not in path and (path.endswith("Package.resolved") or f"/{path}".endswith("/.build/workspace-state.json"))


ANALYZER = Analyzer(
    name="swift",
    version=1,
    paths=PathPattern(names=frozenset({"Package.resolved", "workspace-state.json"}), accept=_is_wanted),
    parse=parse,
    max_bytes=4 * 1024 * 1024,  # 100 pins have 30 KB
)
