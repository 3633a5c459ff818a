"""What a user may name as a target: a registry reference, an OCI layout, a docker archive, or a directory."""

from __future__ import annotations

from pathlib import Path

from pratique.errors import InvalidReference
from pratique.oci.reference import Reference
from pratique.registry.client import Registries
from pratique.registry.docker_archive import ArchiveSource
from pratique.registry.interface import ImageSource
from pratique.registry.oci_layout import DirectoryBlobs, LayoutSource
from pratique.registry.registry_source import RegistrySource
from pratique.registry.rootfs_dir import RootfsSource

_KINDS = ("oci", "docker-archive", "dir", "sbom")


def open_source(text: str, registries: Registries) -> ImageSource:
    """Open `host/repo:tag`, `host/repo@sha256:…`, `oci:DIR[:TAG]`, `docker-archive:FILE[:NAME:TAG]` or `dir:ROOTFS`. No network yet.

    A path that exists as a whole wins over one that is followed by a tag. Raises InvalidReference where the text is none of these, or the file or
    directory is not there. To be called within a running event loop.
    """
    kind, colon, rest = text.partition(":")
    if not colon or kind not in _KINDS:
        reference = Reference.parse(text)
        return RegistrySource(registries.client(reference.host), reference)
    if not rest:
        raise InvalidReference(f"expected a path after {kind}:")
    if kind == "oci":
        return _open_layout(text, rest)
    if kind == "docker-archive":
        path, name = _split(rest)
        _demand(path.is_file(), text, "a file made by docker save")
        return ArchiveSource(text, path, name)
    if kind == "dir":
        _demand(Path(rest).is_dir(), text, "a directory")
        return RootfsSource(text, Path(rest))
    raise InvalidReference(f"{text[:140]!r} is a bill of materials, and holds no image")


def _open_layout(text: str, rest: str) -> ImageSource:
    directory, tag = _split(rest)
    _demand((directory / "index.json").is_file(), text, "a directory with an OCI layout (index.json)")
    return LayoutSource(text, DirectoryBlobs(directory), tag)


def _split(rest: str) -> tuple[Path, str | None]:
    """Split `PATH[:NAME]` at the first colon before which a path exists."""
    if Path(rest).exists():
        return Path(rest), None
    for position, letter in enumerate(rest):
        if letter == ":" and position and Path(rest[:position]).exists():
            return Path(rest[:position]), rest[position + 1 :] or None
    return Path(rest), None


def _demand(holds: bool, text: str, expected: str) -> None:
    if not holds:
        raise InvalidReference(f"{text[:500]!r}: expected {expected}")
