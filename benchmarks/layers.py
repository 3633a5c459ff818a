"""Layers and images of any size, written as streams: memory does not grow with them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

GZIP_LEVEL = 6  # Docker's
MTIME = 1_700_000_000  # of every entry that has no better one: the same files give the same bytes
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

Members = Iterable[tuple[tarfile.TarInfo, BinaryIO | None]]
"""Tar entries with what to read their content from; the one who makes them closes it when the next is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer blob in a layout: digests of the blob and of its tar, both sizes in bytes, and how many regular files it has."""

    digest: str
    diff_id: str
    compressed: int
    uncompressed: int
    files: int


class LayoutWriter:
    """Writes an OCI layout: layers first, then images of them, each under a tag."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._blobs.mkdir(parents=True, exist_ok=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self._manifests: list[dict[str, Any]] = []

    def write_layer(self, members: Members, name: str) -> Layer:
        """Write a layer; `name` is of the file while it is written, so that several can be."""
        partial = self._blobs / f"{name}.partial"
        files = 0
        with partial.open("wb") as file:
            blob = _Hashing(file.write)
            with gzip.GzipFile(filename="", fileobj=blob, mode="wb", compresslevel=GZIP_LEVEL, mtime=0) as packed:
                tar = _Hashing(packed.write)
                with tarfile.open(fileobj=cast(BinaryIO, tar), mode="w|", format=tarfile.PAX_FORMAT) as archive:
                    for member, content in members:
                        archive.addfile(member, content)
                        files += member.isreg()
        partial.rename(self._blobs / blob.digest)
        return Layer(
            digest=f"sha256:{blob.digest}", diff_id=f"sha256:{tar.digest}", compressed=blob.size, uncompressed=tar.size, files=files
        )

    def write_image(self, layers: Sequence[Layer], tag: str) -> None:
        """Write config and manifest of an image, and name it in the layout."""
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._store(config, _CONFIG),
            "layers": [{"mediaType": _LAYER, "digest": layer.digest, "size": layer.compressed} for layer in layers],
        }
        descriptor = self._store(manifest, _MANIFEST)
        self._manifests.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": tag}})
        (self._folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self._manifests}))

    def _store(self, document: Mapping[str, Any], media_type: str) -> dict[str, Any]:
        content = json.dumps(document, separators=(",", ":")).encode()
        digest = hashlib.sha256(content).hexdigest()
        (self._blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


class _Hashing:
    """Passes bytes on, and knows their digest and number."""

    def __init__(self, pass_on: Callable[[bytes], int]) -> None:
        self._pass_on = pass_on
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._pass_on(data)

    def flush(self) -> None:
        """Keep nothing back."""

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def file_member(path: str, size: int, mode: int = 0o644) -> tarfile.TarInfo:
    """A regular file's entry: root's, of a fixed time."""
    member = tarfile.TarInfo(path)
    member.size, member.mode, member.mtime = size, mode, MTIME
    return member


def bytes_members(files: Mapping[str, bytes]) -> Members:
    """Entries of files that are at hand, with the directories above them."""
    yield from ((folder_member(folder), None) for folder in folders_above(files))
    for path, content in files.items():
        yield file_member(path, len(content)), io.BytesIO(content)


def tree_members(root: Path, prefix: str = "") -> Members:
    """Entries of all that lies under a folder, in the order of their names, under `prefix`; root's, of a fixed time."""
    yield from ((folder_member(folder), None) for folder in folders_above([f"{prefix}x"]))
    for path in sorted(root.rglob("*")):
        name = prefix + str(path.relative_to(root))
        if path.is_symlink():
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode, member.mtime = tarfile.SYMTYPE, str(path.readlink()), 0o777, MTIME
            yield member, None
        elif path.is_dir():
            yield folder_member(name), None
        else:
            status = path.stat()
            with path.open("rb") as content:
                yield file_member(name, status.st_size, 0o755 if status.st_mode & 0o100 else 0o644), content


def folder_member(path: str) -> tarfile.TarInfo:
    """A directory's entry."""
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.mtime = tarfile.DIRTYPE, 0o755, MTIME
    return member


def folders_above(paths: Iterable[str]) -> list[str]:
    """Every directory above these paths, those above others first."""
    return sorted({folder for path in paths for folder in parents(path)})


def parents(path: str) -> Iterable[str]:
    """The directories above a path, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


def layers_from(values: Iterable[Mapping[str, Any]]) -> tuple[Layer, ...]:
    """Layers from what `asdict` made of them."""
    return tuple(Layer(**value) for value in values)


def layers_to(layers: Iterable[Layer]) -> list[dict[str, Any]]:
    """The reverse of `layers_from`."""
    return [asdict(layer) for layer in layers]
