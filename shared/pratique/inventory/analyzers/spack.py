"""Spack: `.spack/spec.json` in the prefix of each installed package."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._json_records import decode_json
from pratique.inventory.analyzers._recorded_paths import text_word
from pratique.inventory.package import Package, PackageDetails


class _Target(msgspec.Struct):
    name: str = ""


class _Architecture(msgspec.Struct):
    target: str | _Target = ""


class _Node(msgspec.Struct):
    name: str = ""
    version: str = ""
    hash: str = ""
    arch: _Architecture | None = None


class _Spec(msgspec.Struct):
    nodes: list[_Node]


class _Document(msgspec.Struct):
    spec: _Spec


_DECODER = msgspec.json.Decoder(_Document)


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the package that the prefix holds, with the prefix as its tree.

    The nodes are in topological order (spack: `Spec.to_dict`): the first is the installed one. The others are what it depends on: installed ones have a
    `spec.json` of their own, the rest was needed to build only, or is the distribution's.

    Raises InvalidRecord for what is no such document.
    """
    nodes = decode_json(_DECODER, file.content, "a Spack spec").spec.nodes
    if not nodes:
        raise InvalidRecord("expected a Spack spec, got one without nodes")
    node = nodes[0]
    name = text_word(node.name, "name")
    version = text_word(node.version, f"version of {name}")
    target = node.arch.target if node.arch else ""
    architecture = target.name if isinstance(target, _Target) else target
    yield Package(
        type="spack",
        name=name,
        version=version,
        architecture=text_word(architecture, f"target of {name}") if architecture else "",
        qualifiers={"hash": text_word(node.hash, f"hash of {name}")} if node.hash else {},
    )
    prefix = file.path.removesuffix("/.spack/spec.json")
    yield PackageDetails(type="spack", name=name, version=version, directories=(prefix,))


ANALYZER = Analyzer(
    name="spack",
    version=1,
    paths=PathPattern(names=frozenset({"spec.json"}), accept=lambda path: path.endswith("/.spack/spec.json")),
    parse=parse,
    max_bytes=16 * 1024 * 1024,  # the deepest trees of dependencies take 1 MB
)
