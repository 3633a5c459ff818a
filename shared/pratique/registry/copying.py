"""Copying an image with all that hangs on it, byte for byte, within a registry or to another one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pratique.errors import LimitExceeded, MissingError
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Index, Manifest
from pratique.registry.calls import run_together
from pratique.registry.referrers import ReferrerCalls

_MAX_DEPTH = 4  # of indexes in indexes and referrers of referrers: protects against documents nested without end
_MAX_DOCUMENTS = 2000  # of one copy: the same, in breadth
_COSIGN_SUFFIXES = (".sig", ".att", ".sbom")  # of the tags that cosign 1 and 2 keep signatures, attestations and SBOMs at


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTarget:
    """Where a copy goes: `repository` of `registry` (None: the same registry), under `tag` if given, with or without what refers to the image."""

    repository: str
    tag: str | None = None
    with_referrers: bool = True
    registry: ReferrerCalls | None = None


class CopyCalls(ReferrerCalls):
    """Calls that copy."""

    async def copy_image(self, repository: str, digest: Digest, target: CopyTarget) -> Descriptor:
        """Copy an image or index with its children, blobs, referrers and cosign tags; answer its descriptor, the same as before.

        The tag is set last, when everything is there. Blobs are mounted where the registry can do that. Repeating it is harmless.
        Raises MissingError where a part is missing in the source, LimitExceeded for documents nested too deep or too many, and what every call raises.
        """
        walk = _Copy(source=self, source_repository=repository, target=target)
        document = await walk.copy_document(digest, 0)
        await walk.set_cosign_tags()
        if target.tag is not None:
            await walk.registry.push_document(target.repository, document.raw, document.descriptor.media_type, tag=target.tag)
        return document.descriptor


@dataclass(slots=True, kw_only=True)
class _Copy:
    """One copy under way. `seen` are the documents copied: one that is reached twice is copied once."""

    source: ReferrerCalls
    source_repository: str
    target: CopyTarget
    seen: set[Digest] = field(default_factory=set)
    cosign_tags: list[tuple[str, Digest]] = field(default_factory=list)

    @property
    def registry(self) -> ReferrerCalls:
        return self.target.registry or self.source

    async def copy_document(self, digest: Digest, depth: int) -> Manifest | Index:
        """Copy one document: first what it names, then itself, then what refers to it."""
        self.seen.add(digest)
        if depth > _MAX_DEPTH or len(self.seen) > _MAX_DOCUMENTS:
            raise LimitExceeded(f"copying {digest}: more than {_MAX_DEPTH} levels or {_MAX_DOCUMENTS} documents")
        document = await self.source.fetch_document(self.source_repository, digest)
        if isinstance(document, Index):
            await self._copy_children(document, depth + 1)
        else:
            await run_together(self._copy_blob(blob) for blob in {b.digest: b for b in (document.config, *document.layers)}.values())
        await self.registry.push_copied(self.target.repository, document)
        if self.target.with_referrers:
            await self._copy_documents(await self._find_referrers(digest), depth + 1)
        return document

    async def _copy_children(self, index: Index, depth: int) -> None:
        """Copy an index's children. An attestation (`unknown/unknown`) that is missing is left out: the scanner judges without it too."""
        for child in index.manifests:
            try:
                await self._copy_documents([child.digest], depth)
            except MissingError:
                is_attestation = child.platform is not None and child.platform.is_unknown
                if not is_attestation or await self.source.has_document(self.source_repository, child.digest):
                    raise

    async def set_cosign_tags(self) -> None:
        """Set the tags found on the way, now that all documents are there."""
        for tag, digest in self.cosign_tags:
            document = await self.registry.fetch_document(self.target.repository, digest)
            await self.registry.push_document(self.target.repository, document.raw, document.descriptor.media_type, tag=tag)

    async def _copy_documents(self, digests: Iterable[Digest], depth: int) -> None:
        for digest in digests:
            if digest not in self.seen:
                await self.copy_document(digest, depth)

    async def _find_referrers(self, digest: Digest) -> list[Digest]:
        tags = [f"{digest.tag_prefix}{suffix}" for suffix in _COSIGN_SUFFIXES]
        listed, *tagged = await run_together([self._list_referrers(digest), *map(self._find_tagged, tags)])
        self.cosign_tags.extend((tag, found) for tag, digests in zip(tags, tagged, strict=True) for found in digests)
        return [*listed, *(found for digests in tagged for found in digests)]

    async def _list_referrers(self, digest: Digest) -> list[Digest]:
        return [entry.digest for entry in await self.source.list_referrers(self.source_repository, digest)]

    async def _find_tagged(self, tag: str) -> list[Digest]:
        try:
            return [(await self.source.resolve_digest(self.source_repository, tag)).digest]
        except MissingError:
            return []

    async def _copy_blob(self, blob: Descriptor) -> None:
        registry, repository = self.registry, self.target.repository
        if await registry.has_blob(repository, blob.digest):
            return
        if media_types.is_foreign_layer(blob.media_type) and not await self.source.has_blob(self.source_repository, blob.digest):
            return  # lies at its publisher, and the copy's reader finds it there too
        if registry is self.source and await registry.mount_blob(repository, blob.digest, self.source_repository):
            return
        await registry.push_blob_stream(repository, blob, self.source.stream_blob(self.source_repository, blob))
