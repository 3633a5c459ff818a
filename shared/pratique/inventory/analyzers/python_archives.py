"""Python distributions inside of archives that Python imports from: eggs as zip files (`*.egg`), and zipapps (`*.pyz`, `*.pex`) with what they bundle.

A wheel that lies around (`ensurepip/_bundled`, Debian's `/usr/share/python-wheels`) is a package to install, like a `.deb` in apt's cache, and not installed: it is
passed over, as in Syft and Trivy. What a zipapp bundles is run from there (pex and shiv unpack or import it), so it counts: its `METADATA` is read, whether the wheel was
unpacked into the archive or lies in pex's `.deps` as a file. Wheels elsewhere in it are for others to install (virtualenv's `seed/wheels`). Files of these names that are no archives (PyInstaller's `PYZ`, a script) mean nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InputError, InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._zip import ZipArchive, ZipBudget, ZipLimits, open_zip
from pratique.inventory.analyzers.python import MAX_HEADER_BYTES, parse_metadata
from pratique.inventory.package import Package

MAX_DISTRIBUTIONS = 5_000  # in one archive; the largest zipapps bundle some hundreds
MAX_METADATA_BYTES = 16 * 1024 * 1024  # as the analyzer of unpacked ones
MAX_BROKEN = 100  # a zipapp with more broken distributions is not worth reading on

_EGG = re.compile(r"EGG-INFO/PKG-INFO")
_ZIPAPP = re.compile(r"(?:.*/)?[^/]+\.(?:dist-info/METADATA|egg-info/PKG-INFO)|(?:.*/)?EGG-INFO/PKG-INFO|\.deps/[^/]+\.whl")
_WHEEL = re.compile(r"[^/]+\.dist-info/METADATA")
_ZIP_MAGIC = b"PK"
_LIMITS = ZipLimits(held_entries=MAX_DISTRIBUTIONS)
_INFLATED = 256 * 1024 * 1024  # what one file may cost in time


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the distributions in the order of the archive.

    Raises InvalidRecord after the readable ones for an archive or metadata that cannot be read, LimitExceeded for one beyond the limits.
    """
    names = _EGG if file.path.lower().endswith(".egg") else _ZIPAPP
    budget = ZipBudget(inflated_bytes=_INFLATED)
    try:
        archive = open_zip(file.content, _LIMITS, budget=budget, wanted=lambda name: names.fullmatch(name) is not None)
    except InvalidRecord:
        if file.content.startswith(_ZIP_MAGIC):
            raise
        return
    problems: list[str] = []
    yield from _read_archive(archive, problems)
    if problems:
        raise InvalidRecord(f"{len(problems)} distributions cannot be read, the first: {problems[0]}")


def _read_archive(archive: ZipArchive, problems: list[str]) -> Iterator[Package]:
    for name in archive.names():
        if len(problems) > MAX_BROKEN:
            return
        try:
            if name.endswith(".whl"):
                yield from _read_wheel(archive, name)
            else:
                package = parse_metadata(archive.read(name, MAX_METADATA_BYTES)[:MAX_HEADER_BYTES])
                if package is not None:
                    yield package
        except LimitExceeded:
            raise
        except InputError as error:
            problems.append(f"{name[:100]!r}: {error}")


def _read_wheel(outer: ZipArchive, name: str) -> Iterator[Package]:
    """A wheel inside of a zipapp. What is nested deeper is its own data."""
    wheel = open_zip(outer.view(name), _LIMITS, budget=outer.budget, wanted=lambda path: _WHEEL.fullmatch(path) is not None)
    for metadata in wheel.names():
        package = parse_metadata(wheel.read(metadata, MAX_METADATA_BYTES))
        if package is not None:
            yield package


ANALYZER = Analyzer(
    name="python-archives",
    version=1,
    paths=PathPattern(suffixes=(".egg", ".pyz", ".pex")),
    parse=parse,
    max_bytes=128 * 1024 * 1024,  # it is held whole in memory, with one inflated member beside it
)
