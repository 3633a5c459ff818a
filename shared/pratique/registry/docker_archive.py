"""Images in the tar that `docker save`, podman, skopeo, kaniko and crane write.

The tar is indexed once; layers are then streamed as ranges of it. A layer is trusted no further than its digest: the layer pass verifies it.
Sources: moby `image/spec/v1.2.md` (manifest.json), OCI image-spec `image-layout.md` for the layout that newer archives hold as well.
"""

from __future__ import annotations

import asyncio
import posixpath
import tarfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from pratique.errors import DigestMismatch, InputError, InvalidManifest, InvalidReference, LimitExceeded, MissingError
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import (
    MAX_CONFIG_BYTES,
    MAX_LAYERS,
    MAX_MANIFEST_BYTES,
    Descriptor,
    Index,
    Manifest,
    parse_config,
    parse_document,
)
from pratique.registry.interface import ImageSource
from pratique.registry.local_files import CHUNK, check_limit, open_regular, stream_range, translated_files
from pratique.registry.oci_layout import LayoutSource

_MAX_MEMBERS = 20_000  # of an archive: protects memory; an image has a few for each layer
_MAX_HEADER_BYTES = 1024 * 1024  # of one pax or long-name header: tarfile reads those whole
_MAX_LINKS = 8  # from link to link: protects against circles
_GZIP, _ZSTD, _XZ, _BZIP2 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh"
_LAYER_TYPES = {_GZIP: media_types.DOCKER_LAYER_GZIP, _ZSTD: media_types.OCI_LAYER_ZSTD}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A file in the tar (`start`, `size`), or a link to another name."""

    start: int
    size: int
    target: str | None = None


class _Entry(msgspec.Struct, frozen=True, rename="pascal"):
    config: str
    layers: list[str]
    repo_tags: list[str] | None = None


# At import: msgspec resolves a type at its first use, and two threads that do so at once crash the interpreter.
_ENTRIES = msgspec.json.Decoder(list[_Entry])


class ArchiveFiles:
    """The members of a tar by name. Links are followed within the tar only. Blocking."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._members = _index_members(path)

    def __contains__(self, name: str) -> bool:
        return posixpath.normpath(name) in self._members

    def locate(self, name: str) -> tuple[Path, int, int]:
        """Find a file: the tar, its offset and its size.

        Raises MissingError.
        """
        member = self._resolve(name)
        return self.path, member.start, member.size

    def read(self, name: str, limit: int) -> bytes:
        """Read a file whole.

        Raises MissingError, LimitExceeded.
        """
        member = self._resolve(name)
        if member.size > limit:
            raise LimitExceeded(f"{self.path}: {name[:140]!r} has {member.size} bytes; the limit is {limit}")
        return self._read_at(member.start, member.size)

    def read_start(self, name: str) -> bytes:
        """Read a file's first bytes: what they begin with tells how it is compressed."""
        member = self._resolve(name)
        return self._read_at(member.start, min(8, member.size))

    def digest(self, name: str) -> Digest:
        """Compute a file's digest."""
        member = self._resolve(name)
        hasher = Digest.of(b"").hasher()
        with open_regular(self.path) as file, translated_files(self.path):
            file.seek(member.start)
            left = member.size
            while left and (chunk := file.read(min(CHUNK, left))):
                hasher.update(chunk)
                left -= len(chunk)
        return Digest("sha256", hasher.hexdigest())

    def _read_at(self, start: int, size: int) -> bytes:
        with open_regular(self.path) as file, translated_files(self.path):
            file.seek(start)
            return file.read(size)

    def _resolve(self, name: str) -> _Member:
        current = posixpath.normpath(name)
        for _ in range(_MAX_LINKS):
            member = self._members.get(current)
            if member is None:
                break
            if member.target is None:
                return member
            current = member.target
        raise MissingError(f"{self.path}: no file {name[:140]!r} in the archive")


class SavedImageSource:
    """An image of an archive without an OCI layout: its manifest is made from `manifest.json`, with the same digests on every run."""

    def __init__(self, reference: str, files: ArchiveFiles, name: str | None) -> None:
        self._reference = reference
        self._files = files
        self._name = name
        self._places: dict[Digest, str] = {}

    @property
    def reference(self) -> str:
        """What the user wrote."""
        return self._reference

    async def fetch_root(self) -> Manifest | Index:
        """Build the manifest of the image.

        Raises InvalidReference where there are several images and the reference names none of them, InvalidManifest.
        """
        return await asyncio.to_thread(self._build_manifest)

    async def fetch_document(self, descriptor: Descriptor) -> Manifest | Index:
        """Raise MissingError: such an archive holds no index."""
        raise MissingError(f"{self._reference}: no document {descriptor.digest} in the archive")

    async def fetch_blob(self, descriptor: Descriptor, *, limit: int) -> bytes:
        """Read a small blob whole, verified."""
        check_limit(descriptor, limit)
        content = await asyncio.to_thread(self._files.read, self._place(descriptor.digest), limit)
        if len(content) != descriptor.size or not descriptor.digest.matches(content):
            raise DigestMismatch(f"{self._reference}: expected {descriptor.digest}, the archive has something else")
        return content

    async def stream_blob(self, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """Stream a layer, not verified."""
        path, start, _ = self._files.locate(self._place(descriptor.digest))
        async for chunk in stream_range(path, start, descriptor):
            yield chunk

    async def close(self) -> None:
        """Do nothing: the archive is open only while it is read."""

    def _place(self, digest: Digest) -> str:
        try:
            return self._places[digest]
        except KeyError:
            raise MissingError(f"{self._reference}: no blob {digest} in the archive") from None

    def _build_manifest(self) -> Manifest | Index:
        entry = self._choose_entry()
        content = self._files.read(entry.config, MAX_CONFIG_BYTES)
        diff_ids = parse_config(content).diff_ids
        if len(entry.layers) != len(diff_ids):
            raise InvalidManifest(f"{self._reference}: manifest.json lists {len(entry.layers)} layers, the config {len(diff_ids)} diff-ids")
        config = Descriptor(media_type=media_types.DOCKER_CONFIG, digest=Digest.of(content), size=len(content))
        layers = [self._describe_layer(name, diff_id) for name, diff_id in zip(entry.layers, diff_ids, strict=True)]
        self._places = {config.digest: entry.config} | {layer.digest: name for layer, name in zip(layers, entry.layers, strict=True)}
        return parse_document(_encode_manifest(config, layers), media_types.DOCKER_MANIFEST)

    def _describe_layer(self, name: str, diff_id: Digest) -> Descriptor:
        _, _, size = self._files.locate(name)
        start = self._files.read_start(name)
        media_type = next((kind for magic, kind in _LAYER_TYPES.items() if start.startswith(magic)), None)
        if media_type is None:  # a plain tar: its digest is the diff-id
            return Descriptor(media_type=media_types.DOCKER_LAYER, digest=diff_id, size=size)
        return Descriptor(media_type=media_type, digest=self._files.digest(name), size=size)

    def _choose_entry(self) -> _Entry:
        content = self._files.read("manifest.json", MAX_MANIFEST_BYTES)
        try:
            entries = _ENTRIES.decode(content)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise InvalidManifest(f"{self._reference}: manifest.json is not what docker save writes: {error}") from error
        chosen = [entry for entry in entries if self._name is None or self._name in (entry.repo_tags or ())]
        if len(chosen) != 1:
            names = ", ".join(tag for entry in entries for tag in entry.repo_tags or ())[:500]
            raise InvalidReference(f"{self._reference}: {len(chosen)} images fit in the archive, name one of: {names or 'no names'}")
        if len(chosen[0].layers) > MAX_LAYERS:
            raise LimitExceeded(f"{self._reference}: {len(chosen[0].layers)} layers; the limit is {MAX_LAYERS}")
        return chosen[0]


class ArchiveSource:
    """An image of an archive of either kind. The archive is indexed when it is first asked for."""

    def __init__(self, reference: str, path: Path, name: str | None = None) -> None:
        self._reference = reference
        self._path = path
        self._name = name
        self._inner: ImageSource | None = None

    @property
    def reference(self) -> str:
        """What the user wrote."""
        return self._reference

    async def fetch_root(self) -> Manifest | Index:
        """Index the archive and read its image. Raises what the two kinds of archive raise."""
        return await (await self._open()).fetch_root()

    async def fetch_document(self, descriptor: Descriptor) -> Manifest | Index:
        """Read a child of an index, verified."""
        return await (await self._open()).fetch_document(descriptor)

    async def fetch_blob(self, descriptor: Descriptor, *, limit: int) -> bytes:
        """Read a small blob whole, verified."""
        return await (await self._open()).fetch_blob(descriptor, limit=limit)

    async def stream_blob(self, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """Stream a layer, not verified."""
        async for chunk in (await self._open()).stream_blob(descriptor):
            yield chunk

    async def close(self) -> None:
        """Forget the index."""
        self._inner = None

    async def _open(self) -> ImageSource:
        if self._inner is None:
            files = await asyncio.to_thread(ArchiveFiles, self._path)
            if "index.json" in files and "oci-layout" in files:
                self._inner = LayoutSource(self._reference, files, self._name)
            else:
                self._inner = SavedImageSource(self._reference, files, self._name)
        return self._inner


class _BoundedReads:
    """The tar as tarfile may see it: a header that claims to be huge is not read into memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        if size > _MAX_HEADER_BYTES:
            raise LimitExceeded(f"a tar header of {size} bytes; the limit is {_MAX_HEADER_BYTES}")
        return self._file.read(size)


def _index_members(path: Path) -> Mapping[str, _Member]:
    with open_regular(path) as file, translated_files(path):
        start = file.read(8)
        if start.startswith((_GZIP, _ZSTD, _XZ, _BZIP2)):
            raise InputError(f"{path}: the archive is compressed: decompress it first")
        file.seek(0)
        try:
            return _walk(path, file)
        except tarfile.TarError as error:
            raise InputError(f"{path}: not a tar archive: {error}") from error


def _walk(path: Path, file: BinaryIO) -> Mapping[str, _Member]:
    members: dict[str, _Member] = {}
    with tarfile.open(fileobj=_BoundedReads(file), mode="r:", errors="surrogateescape") as archive:  # type: ignore[call-overload]
        while (info := archive.next()) is not None:
            archive.members.clear()  # tarfile keeps every header otherwise
            if len(members) >= _MAX_MEMBERS:
                raise LimitExceeded(f"{path}: more than {_MAX_MEMBERS} files in the archive")
            if info.issym() or info.islnk():
                base = posixpath.dirname(info.name) if info.issym() else ""
                members[posixpath.normpath(info.name)] = _Member(
                    start=0, size=0, target=posixpath.normpath(posixpath.join(base, info.linkname))
                )
            elif info.isreg() and not info.issparse():
                members[posixpath.normpath(info.name)] = _Member(start=info.offset_data, size=info.size)
    return members


def _encode_manifest(config: Descriptor, layers: list[Descriptor]) -> bytes:
    def described(blob: Descriptor) -> dict[str, object]:
        return {"mediaType": blob.media_type, "size": blob.size, "digest": str(blob.digest)}

    return msgspec.json.encode(
        {
            "schemaVersion": 2,
            "mediaType": media_types.DOCKER_MANIFEST,
            "config": described(config),
            "layers": [described(layer) for layer in layers],
        }
    )
