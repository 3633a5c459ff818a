"""Where the embedded registry keeps what was pushed: plain files, each written whole under a temporary name and then moved into place.

    blobs/<algorithm>/<hex>                              content of blobs and manifests, once for all repositories
    repositories/<name>/_blobs/<algorithm>-<hex>         empty: the repository holds this blob
    repositories/<name>/_manifests/<algorithm>-<hex>     the manifest's media type: the repository holds this manifest
    repositories/<name>/_tags/<tag>                      the digest that the tag points to
    repositories/<name>/_referrers/<subject>/<referrer>  empty: this manifest names that subject
    uploads/<uuid>                                       content of an upload under way; emptied at start

No name of a repository has a component that begins with `_` (distribution/reference), so the folders cannot clash. Files survive a crash of the process,
but are not synced to disk: this is a registry for trying things, not for keeping them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pratique.errors import DigestMismatch, MissingError
from pratique.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredManifest:
    """A manifest as it was pushed, byte for byte."""

    digest: Digest
    media_type: str
    content: bytes


class RegistryStorage:
    """Blobs, manifests, tags and referrers under one folder. Blocking; names, tags and digests must have been validated before."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._repositories = folder / "repositories"
        self._uploads = folder / "uploads"
        shutil.rmtree(self._uploads, ignore_errors=True)
        for path in (self._blobs, self._repositories, self._uploads):
            path.mkdir(parents=True, exist_ok=True)

    def upload_path(self, session: str) -> Path:
        """The file that an upload's bytes are appended to."""
        return self._uploads / session

    def content_path(self, digest: Digest) -> Path:
        """The file that holds the content of `digest`, whether it exists or not."""
        return self._blobs / digest.algorithm / digest.hex

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Tell whether the repository holds this blob."""
        return self._link(repository, "_blobs", digest.tag_prefix).exists()

    def adopt_blob(self, repository: str, upload: Path, digest: Digest) -> None:
        """Move the finished `upload` into the repository. The upload is gone afterwards, whatever the outcome.

        Raises DigestMismatch.
        """
        try:
            with upload.open("rb") as file:
                found = hashlib.file_digest(file, digest.hasher).hexdigest()
            if found != digest.hex:
                raise DigestMismatch(f"expected content of {digest}, got {digest.algorithm}:{found}")
            _move(upload, self.content_path(digest))
        finally:
            upload.unlink(missing_ok=True)
        self.link_blob(repository, digest)

    def link_blob(self, repository: str, digest: Digest) -> None:
        """Let the repository hold a blob whose content is here already."""
        self._write(self._link(repository, "_blobs", digest.tag_prefix), b"")

    def remove_blob(self, repository: str, digest: Digest) -> None:
        """Let the repository hold the blob no longer; other repositories keep theirs. Raises MissingError."""
        _unlink(self._link(repository, "_blobs", digest.tag_prefix), f"blob {digest}")

    def load_manifest(self, repository: str, digest: Digest) -> StoredManifest:
        """Read a manifest. Raises MissingError."""
        try:
            media_type = self._link(repository, "_manifests", digest.tag_prefix).read_text()
            content = self.content_path(digest).read_bytes()
        except FileNotFoundError as error:
            raise MissingError(f"no manifest {digest} in {repository}") from error
        return StoredManifest(digest=digest, media_type=media_type, content=content)

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Tell whether the repository holds this manifest."""
        return self._link(repository, "_manifests", digest.tag_prefix).exists()

    def record_manifest(self, repository: str, manifest: StoredManifest, *, tag: str | None, subject: Digest | None) -> None:
        """Keep a manifest, list it among its subject's referrers, and point `tag` to it last, so that a tag never dangles."""
        self._write(self.content_path(manifest.digest), manifest.content)
        self._write(self._link(repository, "_manifests", manifest.digest.tag_prefix), manifest.media_type.encode())
        if subject is not None:
            self._write(self._link(repository, "_referrers", subject.tag_prefix) / manifest.digest.tag_prefix, b"")
        if tag is not None:
            self._write(self._link(repository, "_tags", tag), str(manifest.digest).encode())

    def remove_manifest(self, repository: str, digest: Digest, *, subject: Digest | None) -> list[str]:
        """Remove a manifest and every tag that points to it; answer those tags, sorted. Raises MissingError."""
        tags = [tag for tag in self.tags(repository) if self.find_tag(repository, tag) == digest]
        for tag in tags:
            self._link(repository, "_tags", tag).unlink(missing_ok=True)
        if subject is not None:
            (self._link(repository, "_referrers", subject.tag_prefix) / digest.tag_prefix).unlink(missing_ok=True)
        _unlink(self._link(repository, "_manifests", digest.tag_prefix), f"manifest {digest}")
        return tags

    def find_tag(self, repository: str, tag: str) -> Digest | None:
        """The digest that the tag points to now."""
        try:
            return Digest.parse(self._link(repository, "_tags", tag).read_text())
        except FileNotFoundError:
            return None

    def has_repository(self, repository: str) -> bool:
        """Tell whether a manifest was ever pushed to this repository."""
        return (self._repositories / repository / "_manifests").is_dir()

    def tags(self, repository: str) -> list[str]:
        """Every tag of the repository, sorted."""
        return sorted(_names(self._repositories / repository / "_tags"))

    def referrers(self, repository: str, subject: Digest) -> list[StoredManifest]:
        """The manifests that name `subject`, sorted by digest."""
        names = sorted(_names(self._link(repository, "_referrers", subject.tag_prefix)))
        digests = [Digest(*name.split("-", 1)) for name in names]
        return [self.load_manifest(repository, digest) for digest in digests if self.has_manifest(repository, digest)]

    def repositories(self) -> list[str]:
        """Every repository that a manifest was ever pushed to, sorted."""
        return sorted(path.parent.relative_to(self._repositories).as_posix() for path in self._repositories.rglob("_manifests"))

    def _link(self, repository: str, kind: str, name: str) -> Path:
        return self._repositories / repository / kind / name

    def _write(self, path: Path, content: bytes) -> None:
        temporary = self._uploads / f"write-{uuid4().hex}"
        temporary.write_bytes(content)
        _move(temporary, path)


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def _unlink(path: Path, what: str) -> None:
    try:
        path.unlink()
    except FileNotFoundError as error:
        raise MissingError(f"no {what}") from error


def _names(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries)
    except FileNotFoundError:
        return
