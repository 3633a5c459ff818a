"""Layer results as a scan would make them, from what a test cares about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pratique.errors import InputError
from pratique.inventory.analyzer import Fact, LayerFile
from pratique.inventory.coverage import CoverageItem, CoverageStatus
from pratique.inventory.layer_paths import hash_path, sorted_hashes
from pratique.inventory.layer_result import AnalyzedFile, LayerResult
from pratique.inventory.merge import ScannedLayer
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


def deb(name: str, version: str = "1") -> Package:
    return Package(type="deb", name=name, version=version)


def npm(name: str, version: str = "1.0.0") -> Package:
    return Package(type="npm", name=name, version=version, ecosystem="npm")


def analyzed(path: str, *facts: Package | Distribution, analyzer: str = "dpkg") -> AnalyzedFile:
    packages = tuple(fact for fact in facts if isinstance(fact, Package))
    distributions = [fact for fact in facts if isinstance(fact, Distribution)]
    return AnalyzedFile(path=path, analyzer=analyzer, packages=packages, distribution=distributions[0] if distributions else None)


def layer(
    digest: str,
    *files: AnalyzedFile,
    whiteouts: Iterable[str] = (),
    opaque: Iterable[str] = (),
    others: Iterable[str] = (),
    gaps: Iterable[CoverageItem] = (),
) -> ScannedLayer:
    """A layer that was read; `others` are entries that are no directories and that no analyzer wanted."""
    entries = {file.path for file in files} | set(others)
    result = LayerResult(
        files=files,
        whiteouts=tuple(whiteouts),
        opaque=tuple(opaque),
        entries_hash=sorted_hashes(b"".join(hash_path(path.encode()) for path in entries)),
        gaps=tuple(gaps),
        entries=len(entries),
    )
    return ScannedLayer(digest=digest, result=result, gap=None)


def failed(name: str, reason: str = "broken") -> CoverageItem:
    return CoverageItem(name=name, version="1", status=CoverageStatus.FAILED, reason=reason)


def unreadable(digest: str, reason: str = "not gzip") -> ScannedLayer:
    return ScannedLayer(digest=digest, result=None, gap=failed("layer", reason))
