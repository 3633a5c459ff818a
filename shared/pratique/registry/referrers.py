"""Referrers: what hangs on an image (signatures, SBOMs, verdicts), through the API of OCI 1.1 or the tag scheme for registries without it.

The tag scheme keeps an index at the tag `sha256-<hex>`. It is written by reading, changing and writing back, by every client by itself: an entry can get
lost when two write at once. Within this process a lock per subject prevents that; towards others the write is checked and repeated.
Sources: OCI distribution-spec 1.1 "Referrers Tag Schema", "Pushing Manifests with Subject".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from pratique.errors import DigestMismatch, InputError, InvalidManifest, LimitExceeded, MissingError, RegistryUnavailable, UnsupportedError
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import MAX_CHILDREN, Descriptor, Index, Manifest, parse_document
from pratique.registry.blobs import BlobWrites
from pratique.registry.calls import pull_scope, run_together
from pratique.registry.documents import DocumentCalls
from pratique.registry.transport import Answer, Call, Transport

_WRITE_ATTEMPTS = 5  # of the fallback index, against writers elsewhere
_EMPTY = b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactLayer:
    """One blob of an artifact."""

    media_type: str
    content: bytes
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What is hung on an image: small blobs of one type. `config_media_type` is that of the config blob `{}`."""

    artifact_type: str
    layers: tuple[ArtifactLayer, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    config: bytes = _EMPTY
    config_media_type: str = media_types.OCI_EMPTY


class ReferrerCalls(DocumentCalls, BlobWrites):
    """Calls on referrers."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._subject_locks: WeakValueDictionary[tuple[str, Digest], asyncio.Lock] = WeakValueDictionary()

    async def list_referrers(self, repository: str, digest: Digest, *, artifact_type: str | None = None) -> tuple[Descriptor, ...]:
        """List what refers to a digest, with true artifact types and annotations, of `artifact_type` where given.

        What an entry claims is not trusted to decide: where the type is missing or another than asked for, the manifest itself is opened (cosign 3.1
        writes the config's type instead). Whether a manifest's subject really is `digest` is for who opens it to check. Raises what every call raises.
        """
        entries = await self._list_by_api(repository, digest, artifact_type)
        if entries is None:
            index = await self._fetch_fallback(repository, digest)
            entries = index.manifests if index else ()
        found = await run_together(self._open_entry(repository, entry, artifact_type) for entry in entries)
        return tuple(entry for entry in found if entry is not None and artifact_type in {None, entry.artifact_type})

    async def push_referrer(
        self,
        repository: str,
        subject: Descriptor,
        artifact: Artifact,
        *,
        supersede: Callable[[Descriptor], bool] | None = None,
    ) -> Descriptor:
        """Hang an artifact on `subject`; afterwards `list_referrers` shows it. Repeating it is harmless.

        Older referrers for which `supersede` answers true are taken off and deleted, after the new one is there; where the registry does not allow
        deleting, they are only taken off the fallback index. Raises RegistryUnavailable where other writers win every time, and what every call raises.
        """
        content = await self._build_manifest(repository, subject, artifact)
        pushed, headers = await self._push_document(repository, content, media_types.OCI_MANIFEST, None)
        new = replace(pushed, artifact_type=artifact.artifact_type, annotations=dict(artifact.annotations))
        old = await self._find_superseded(repository, subject.digest, supersede) - {new.digest}
        if "OCI-Subject" not in headers:
            await self._change_fallback(repository, subject.digest, lambda entries: _with_entry(entries, new, old))
        for digest in sorted(old):
            with suppress(MissingError, UnsupportedError):
                await self.delete_document(repository, digest)
        return new

    async def delete_referrer(self, repository: str, subject: Digest, referrer: Digest) -> None:
        """Take a referrer off its subject and delete it. It may be gone already.

        Raises UnsupportedError where the registry does not allow deleting (it is off the fallback index then), and what every call raises.
        """
        await self._change_fallback(repository, subject, lambda entries: [entry for entry in entries if entry.digest != referrer])
        with suppress(MissingError):
            await self.delete_document(repository, referrer)

    async def repair_referrers(self, repository: str, subject: Digest) -> bool:
        """Overwrite a fallback index that cannot be read with an empty one; tell whether there was such.

        Another reader may find more in it than we do. Raises what every call raises.
        """
        async with self._subject_locks.setdefault((repository, subject), asyncio.Lock()):
            if await self._fetch_fallback(repository, subject) is not None:
                return False
            try:
                await self.resolve_digest(repository, subject.tag_prefix)
            except MissingError:
                return False
            await self._write_fallback(repository, subject, [], None)
        return True

    async def push_copied(self, repository: str, document: Manifest | Index) -> None:
        """Store a document fetched elsewhere as it is, under its digest; if it has a subject, it appears among its referrers."""
        _, headers = await self._push_document(repository, document.raw, document.descriptor.media_type, None)
        if document.subject is None or "OCI-Subject" in headers:
            return
        new = replace(document.descriptor, artifact_type=_kind_of(document), annotations=document.annotations)
        await self._change_fallback(repository, document.subject.digest, lambda entries: _with_entry(entries, new))

    async def _find_superseded(self, repository: str, subject: Digest, supersede: Callable[[Descriptor], bool] | None) -> set[Digest]:
        if supersede is None:
            return set()
        return {entry.digest for entry in await self.list_referrers(repository, subject) if supersede(entry)}

    async def _build_manifest(self, repository: str, subject: Descriptor, artifact: Artifact) -> bytes:
        layers = artifact.layers or (ArtifactLayer(media_type=media_types.OCI_EMPTY, content=_EMPTY),)
        config = await self.push_blob(repository, artifact.config, media_type=artifact.config_media_type)
        blobs = await run_together(self.push_blob(repository, layer.content, media_type=layer.media_type) for layer in layers)
        described = [replace(blob, annotations=layer.annotations) for blob, layer in zip(blobs, layers, strict=True)]
        document = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "artifactType": artifact.artifact_type,
            "config": encode_descriptor(config),
            "layers": [encode_descriptor(blob) for blob in described],
            "subject": encode_descriptor(Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size)),
            **({"annotations": dict(artifact.annotations)} if artifact.annotations else {}),
        }
        return msgspec.json.encode(document)

    async def _list_by_api(self, repository: str, digest: Digest, artifact_type: str | None) -> tuple[Descriptor, ...] | None:
        """Ask the referrers API; None where the registry has none. One that has it answers an empty index for a digest without referrers."""
        call = Call(
            method="GET",
            path=self._path(repository, "referrers", digest),
            scopes=(pull_scope(repository),),
            headers={"Accept": media_types.OCI_INDEX},
            parameters={"artifactType": artifact_type} if artifact_type else {},
        )
        try:
            indexes = [_parse_index(answer) async for answer in self._pages(call)]
        except (MissingError, UnsupportedError):
            return None
        return tuple(entry for index in indexes for entry in index.manifests)

    async def _open_entry(self, repository: str, entry: Descriptor, wanted: str | None) -> Descriptor | None:
        is_certain = entry.artifact_type is not None and entry.artifact_type not in {media_types.OCI_EMPTY, media_types.OCI_CONFIG}
        if entry.artifact_type == wanted or (wanted is None and is_certain):
            return entry
        try:
            document = await self.fetch_document(repository, entry.digest)
        except MissingError:
            return None  # deleted since, without its entry
        except InputError:
            return entry  # whoever may push can hang it there: it must not hide the others
        return replace(entry, artifact_type=_kind_of(document), annotations={**entry.annotations, **document.annotations})

    async def _fetch_fallback(self, repository: str, subject: Digest) -> Index | None:
        """The fallback index; None too for what is no index: whoever may push can put it there, and it must not stop anybody. A change overwrites it."""
        try:
            document = await self.fetch_document(repository, subject.tag_prefix)
        except (InputError, MissingError):
            return None
        return document if isinstance(document, Index) else None

    async def _change_fallback(
        self, repository: str, subject: Digest, change: Callable[[tuple[Descriptor, ...]], list[Descriptor]]
    ) -> None:
        """Apply `change` to the fallback index until it is seen to have lasted."""
        lock = self._subject_locks.setdefault((repository, subject), asyncio.Lock())
        async with lock:
            for attempt in range(_WRITE_ATTEMPTS + 1):
                index = await self._fetch_fallback(repository, subject)
                entries = index.manifests if index else ()
                changed = change(entries)
                if {entry.digest for entry in changed} == {entry.digest for entry in entries}:
                    return
                await self._write_fallback(repository, subject, changed, index)
                await asyncio.sleep(0.01 * attempt)
        raise RegistryUnavailable(f"{repository}:{subject.tag_prefix} is overwritten by others all the time")

    async def _write_fallback(self, repository: str, subject: Digest, entries: list[Descriptor], old: Index | None) -> None:
        if len(entries) > MAX_CHILDREN:
            raise LimitExceeded(f"{repository}@{subject} has {len(entries)} referrers; the limit is {MAX_CHILDREN}")
        try:
            await self.push_document(repository, _encode_index(entries, old), media_types.OCI_INDEX, tag=subject.tag_prefix)
        except DigestMismatch:
            raise
        except (InputError, MissingError):
            # distribution refuses an index one of whose entries was deleted: without those it is true again
            there = await run_together(self.has_document(repository, entry.digest) for entry in entries)
            kept = [entry for entry, is_there in zip(entries, there, strict=True) if is_there]
            if len(kept) == len(entries):
                raise
            await self.push_document(repository, _encode_index(kept, old), media_types.OCI_INDEX, tag=subject.tag_prefix)


def encode_descriptor(descriptor: Descriptor) -> dict[str, object]:
    """Write a descriptor in the JSON of the OCI image specification."""
    platform = descriptor.platform
    optional: dict[str, object] = {
        "artifactType": descriptor.artifact_type,
        "annotations": dict(descriptor.annotations),
        "urls": list(descriptor.urls),
        "platform": {"os": platform.os, "architecture": platform.architecture} if platform else None,
    }
    own = {"mediaType": descriptor.media_type, "digest": str(descriptor.digest), "size": descriptor.size}
    return own | {key: value for key, value in optional.items() if value}


def _encode_index(entries: Iterable[Descriptor], old: Index | None) -> bytes:
    """Write the fallback index; what others wrote, in entries that stay and beside them, is kept as it is."""
    raw: dict[str, Any] = msgspec.json.decode(old.raw) if old else {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX}
    known = {entry["digest"]: entry for entry in raw.get("manifests", ())}
    return msgspec.json.encode({**raw, "manifests": [known.get(str(entry.digest)) or encode_descriptor(entry) for entry in entries]})


def _parse_index(answer: Answer) -> Index:
    if answer.headers.get("Content-Type", "").partition(";")[0].strip() != media_types.OCI_INDEX:
        raise UnsupportedError(f"{answer.url.path}: answered, but not with an index of referrers")
    document = parse_document(answer.body, media_types.OCI_INDEX)
    if not isinstance(document, Index):
        raise InvalidManifest(f"{answer.url.path}: expected an index of referrers")
    return document


def _kind_of(document: Manifest | Index) -> str | None:
    return document.artifact_type or (document.config.media_type if isinstance(document, Manifest) else None)


def _with_entry(entries: Iterable[Descriptor], new: Descriptor, without: Set[Digest] = frozenset()) -> list[Descriptor]:
    return [*(entry for entry in entries if entry.digest not in without and entry.digest != new.digest), new]
