"""Vendors' feeds for tests: the small ones among the assets, ones made up on the spot, and what is read out of them."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import zstandard

from pratique.advisories.advisory import Advisory, Affected, EventKind, FixState
from pratique.advisories.sources import Problem, Source, SourceLimits
from pratique.errors import InputError

ASSETS = Path(__file__).parents[1] / "assets" / "advisories"


def read_feed(source: Source, folder: Path | None = None, limits: SourceLimits | None = None) -> tuple[dict[str, Advisory], list[Problem]]:
    """Read a feed, that of the assets where no folder is given: advisories by id, of which each is there once, and problems."""
    advisories: dict[str, Advisory] = {}
    problems: list[Problem] = []
    for item in source.read(folder or ASSETS / source.name, limits or SourceLimits()):
        if isinstance(item, Problem):
            problems.append(item)
        else:
            assert item.id not in advisories
            advisories[item.id] = item
    return advisories, problems


def said(affected: Iterable[Affected]) -> list[tuple[str, str, str, FixState, str]]:
    """Ecosystem, name, fixed version (empty: none; `-`: no range at all), state and note of each entry."""
    return [(entry.ecosystem, entry.name, _fix(entry), entry.state, entry.note) for entry in affected]


def _fix(entry: Affected) -> str:
    if not entry.ranges:
        return "-"
    ((first, *rest),) = entry.ranges
    assert (first.kind, first.version) == (EventKind.INTRODUCED, "0")
    assert all(event.kind is EventKind.FIXED for event in rest)
    return rest[0].version if rest else ""


def write_feed(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write a feed's files below `folder`."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def pack_tar(documents: Iterable[tuple[str, bytes]]) -> bytes:
    """A tar of documents, which may have the same name."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in documents:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def compress(content: bytes, suffix: str) -> bytes:
    """Compress as the suffix says."""
    match suffix:
        case "zst":
            return zstandard.ZstdCompressor().compress(content)
        case "xz":
            return lzma.compress(content)
        case "bz2":
            return bz2.compress(content)
    return gzip.compress(content, mtime=0)


def answer_or_refuse(source: Source, files: Mapping[str, bytes]) -> None:
    """Fails for anything but advisories that can be shown, problems and InputError."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(InputError):
        for item in source.read(write_feed(Path(folder), files), SourceLimits()):
            assert isinstance(item, Advisory | Problem)
            if isinstance(item, Advisory):
                assert item.id.isprintable()
                assert item.title.isprintable()
                assert all(entry.name and entry.ecosystem and entry.note.isprintable() for entry in item.affected)
            else:
                assert item.reason.isprintable()
