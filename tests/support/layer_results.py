"""Layer results as a scan would make them, from what a test cares about."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pratique.inventory.analyzer import LayerFile
from pratique.inventory.coverage import CoverageItem, CoverageStatus
from pratique.inventory.layer_result import AnalyzedFile, LayerResult
from pratique.inventory.merge import ScannedLayer, path_hash
from pratique.inventory.package import Distribution, Package

ASSETS = Path(__file__).parent.parent / "assets" / "inventory"


def layer_file(path: str, content: bytes | str) -> LayerFile:
    return LayerFile(path=path, content=content.encode() if isinstance(content, str) else content)


def asset_file(path: str, name: str) -> LayerFile:
    return LayerFile(path=path, content=(ASSETS / name).read_bytes())


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
        entries_hash=b"".join(sorted(path_hash(path) for path in entries)),
        gaps=tuple(gaps),
        entries=len(entries),
    )
    return ScannedLayer(digest=digest, result=result, gap=None)


def failed(name: str, reason: str = "broken") -> CoverageItem:
    return CoverageItem(name=name, version="1", status=CoverageStatus.FAILED, reason=reason)


def unreadable(digest: str, reason: str = "not gzip") -> ScannedLayer:
    return ScannedLayer(digest=digest, result=None, gap=failed("layer", reason))
