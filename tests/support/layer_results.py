"""Layer results as a scan would make them, from what a test cares about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from pratique.errors import InputError
from pratique.inventory.analyzer import Fact, LayerFile
from pratique.inventory.coverage import CoverageItem, CoverageStatus
from pratique.inventory.layer_paths import join_paths
from pratique.inventory.layer_result import AnalyzedFile, LayerResult, OwnedFiles
from pratique.inventory.layer_stack import ScannedLayer
from pratique.inventory.package import Distribution, Package

ASSETS = Path(__file__).parent.parent / "assets" / "inventory"


def layer_file(path: str, content: bytes | str) -> LayerFile:
    return LayerFile(path=path, content=content.encode() if isinstance(content, str) else content)


def asset_file(path: str, name: str) -> LayerFile:
    return LayerFile(path=path, content=(ASSETS / name).read_bytes())


def read(parse: Callable[[LayerFile], Iterator[Fact]], file: LayerFile) -> tuple[list[Fact], str]:
    """What `parse` yielded, and what it raised after that (empty if nothing)."""
    facts: list[Fact] = []
    try:
        facts.extend(parse(file))
    except InputError as error:
        return facts, str(error)
    return facts, ""


def packages(parse: Callable[[LayerFile], Iterator[Fact]], file: LayerFile) -> tuple[list[str], str]:
    """The names of the packages that `parse` yielded, and what it raised after that."""
    facts, error = read(parse, file)
    return [fact.name for fact in facts if isinstance(fact, Package)], error


def deb(name: str, version: str = "1", *, vendor: str = "") -> Package:
    return Package(type="deb", name=name, version=version, vendor=vendor)


def npm(name: str, version: str = "1.0.0") -> Package:
    return Package(type="npm", name=name, version=version, ecosystem="npm")


def analyzed(path: str, *facts: Package | Distribution | OwnedFiles, analyzer: str = "dpkg") -> AnalyzedFile:
    packages = tuple(fact for fact in facts if isinstance(fact, Package))
    distributions = [fact for fact in facts if isinstance(fact, Distribution)]
    owned = tuple(fact for fact in facts if isinstance(fact, OwnedFiles))
    return AnalyzedFile(
        path=path, analyzer=analyzer, packages=packages, distribution=distributions[0] if distributions else None, owned=owned
    )


def layer(
    digest: str,
    *files: AnalyzedFile,
    whiteouts: Iterable[str] = (),
    opaque: Iterable[str] = (),
    others: Iterable[str] = (),
    directories: Iterable[str] = (),
    links: Mapping[str, str] = MappingProxyType({}),
    gaps: Iterable[CoverageItem] = (),
) -> ScannedLayer:
    """A layer that was read; `others` are entries that are files no analyzer wanted."""
    entries = {file.path for file in files} | set(others)
    result = LayerResult(
        files=files,
        whiteouts=tuple(whiteouts),
        opaque=tuple(opaque),
        regular=join_paths(sorted(entries)),
        links=join_paths([text for link in links.items() for text in link]),
        directories=join_paths(sorted(directories)),
        gaps=tuple(gaps),
        entries=len(entries),
    )
    return ScannedLayer(digest=digest, result=result, gap=None)


def failed(name: str, reason: str = "broken") -> CoverageItem:
    return CoverageItem(name=name, version="1", status=CoverageStatus.FAILED, reason=reason)


def unreadable(digest: str, reason: str = "not gzip") -> ScannedLayer:
    return ScannedLayer(digest=digest, result=None, gap=failed("layer", reason))
