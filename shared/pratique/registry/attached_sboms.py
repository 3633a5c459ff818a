"""SBOMs that hang on an image, found and read.

1. Attestations that BuildKit puts beside the image into its index; these are in every kind of source.
2. What cosign keeps under tags made of the digest: `sha256-….att` with attestations, `sha256-….sbom` with plain SBOMs.
3. Referrers of the image's digest: plain SBOMs (oras, cosign, Trivy), and statements that hold one (Sigstore bundles).

Each blob is held to its digest, and is read before the next is fetched. What is no SBOM is passed over; an SBOM that cannot be read is told.
Sources: BuildKit `docs/attestations/attestation-storage.md`; OCI distribution-spec 1.1 "Listing Referrers"; cosign `pkg/types/media.go`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

from pratique.errors import InputError, MissingError
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Index, Manifest
from pratique.registry.attachments import Attachment, base_type, may_hold, open_manifest, open_referrers, open_tagged
from pratique.registry.interface import ImageSource
from pratique.registry.registry_source import RegistrySource
from pratique.sboms.contents import SbomContents
from pratique.sboms.reading import MAX_SBOM_BYTES, read_sbom
from pratique.sboms.statements import is_sbom_predicate, unwrap_sbom

MAX_MANIFESTS = 64  # attached to one image that are opened: whoever may push can attach any number
MAX_SBOMS = 16  # of one image that are read: each may take seconds

_PLAIN = frozenset({"application/vnd.cyclonedx+json", "application/spdx+json", "text/spdx+json", "spdx+json"})
_STATEMENTS = frozenset({media_types.IN_TOTO, media_types.DSSE_ENVELOPE, media_types.SIGSTORE_BUNDLE})
_UNREAD = frozenset({"application/vnd.cyclonedx+xml", "text/spdx", "text/spdx+xml", "application/vnd.syft+json"})
_KNOWN = _PLAIN | _STATEMENTS | _UNREAD
_BUILDKIT_SUBJECT = "vnd.docker.reference.digest"
_COSIGN_TAGS = (".att", ".sbom")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedSbom:
    """One SBOM, or what was wrong with it (`contents` is None then). `origin` names it for people."""

    origin: str
    contents: SbomContents | None
    problem: str = ""


async def find_attached_sboms(source: ImageSource, digest: Digest, indexes: Iterable[Index]) -> AsyncIterator[AttachedSbom]:
    """Yield the SBOMs attached to the image or index `digest`, each blob of each type once; `indexes` are those that may hold it.

    Raises UnavailableError, RefusedError. What an attachment itself does wrong is yielded as a problem.
    """
    seen: set[tuple[Digest, str]] = set()
    opened = 0
    async for found in _attachments(source, digest, indexes):
        opened += 1
        if opened > MAX_MANIFESTS:
            yield _problem(f"attachments of {digest}", f"more than {MAX_MANIFESTS}: the others were not looked at")
            return
        if isinstance(found.manifest, InputError):
            yield _problem(f"{found.name} of {digest}", str(found.manifest))
            continue
        for layer, kind in _sbom_layers(found.manifest, found.artifact_type):
            if (layer.digest, kind) in seen:
                continue
            if len(seen) >= MAX_SBOMS:
                yield _problem(f"SBOMs attached to {digest}", f"more than {MAX_SBOMS}: the others were not read")
                return
            seen.add((layer.digest, kind))
            sbom = await _read(source, layer, kind, digest)
            if sbom is not None:
                yield sbom


async def _attachments(source: ImageSource, digest: Digest, indexes: Iterable[Index]) -> AsyncIterator[Attachment]:
    children = (child for index in indexes for child in index.manifests)
    for child in children:
        if child.annotations.get(_BUILDKIT_SUBJECT) == str(digest):
            document = await open_manifest(source.fetch_document(child))
            if document is not None:
                yield Attachment(name=f"attestation {child.digest}", artifact_type="", manifest=document)
    if not isinstance(source, RegistrySource):
        return
    for suffix in _COSIGN_TAGS:
        async for found in open_tagged(source, digest.tag_prefix + suffix):
            yield found
    async for found in open_referrers(source, digest, lambda entry: base_type(entry.artifact_type) in _KNOWN and _may_hold_sbom(entry)):
        yield found


def _sbom_layers(manifest: Manifest, artifact_type: str) -> Iterator[tuple[Descriptor, str]]:
    """The layers that are SBOMs, or statements that may be one, with their types. Tools that store plain files name the type in the manifest only."""
    is_plain = artifact_type in _PLAIN | _UNREAD
    for layer in manifest.layers:
        kind = base_type(layer.media_type)
        if kind not in _KNOWN and is_plain and kind != media_types.OCI_EMPTY:
            kind = artifact_type
        if kind in _KNOWN and _may_hold_sbom(layer):
            yield layer, kind


def _may_hold_sbom(descriptor: Descriptor) -> bool:
    return may_hold(descriptor, is_sbom_predicate)


async def _read(source: ImageSource, layer: Descriptor, kind: str, digest: Digest) -> AttachedSbom | None:
    origin = f"{kind} {layer.digest} attached to {digest}"
    if kind in _UNREAD:
        return _problem(origin, "an SBOM in a form that is not read")
    try:
        content = await source.fetch_blob(layer, limit=MAX_SBOM_BYTES)
        contents = await asyncio.to_thread(_parse, content, digest, is_statement=kind in _STATEMENTS)
    except (InputError, MissingError) as error:
        return _problem(origin, str(error))
    return AttachedSbom(origin=origin, contents=contents) if contents is not None else None


def _parse(content: bytes, digest: Digest, *, is_statement: bool) -> SbomContents | None:
    sbom = unwrap_sbom(content, [digest]) if is_statement else content
    return None if sbom is None else read_sbom(sbom)


def _problem(origin: str, problem: str) -> AttachedSbom:
    return AttachedSbom(origin=origin, contents=None, problem=problem)
