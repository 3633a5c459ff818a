"""Signatures of what lies in a registry, in both of cosign's layouts: under the tag `sha256-….sig` (cosign 2), and as referrers (cosign 3).

Sources: cosign `specs/SIGNATURE_SPEC.md`, `specs/BUNDLE_SPEC.md`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from pratique.errors import InputError, MissingError
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Manifest
from pratique.oci.reference import Reference
from pratique.registry.attachments import base_type, may_hold, open_manifest, open_referrers
from pratique.registry.client import RegistryClient
from pratique.registry.referrers import Artifact, ArtifactLayer
from pratique.registry.registry_source import RegistrySource
from pratique.signing.artifact import sign_artifact
from pratique.signing.bundle import SIGN_PREDICATE, BundleReferrer, verify_bundle
from pratique.signing.keys import SigningKey, VerifyingKey
from pratique.signing.legacy import MAX_PAYLOAD_BYTES, LegacyPublication, signature_tag
from pratique.signing.simple_signing import is_signed, merge_signature

_MAX_SIGNATURES = (
    16  # of one digest and layout that are looked at: whoever may push can attach any number. More of them can hide one, never forge it
)


@dataclass(frozen=True, slots=True)
class Signatures:
    """The signatures of `digest` that count: those by one of `keys`.

    All calls raise UnavailableError, RefusedError. What cannot be read counts as no signature.
    """

    source: RegistrySource
    digest: Digest
    keys: Sequence[VerifyingKey]

    async def is_signed(self) -> bool:
        """Tell whether one of the keys has signed it, as cosign 2 or 3 does."""
        return await self.has_entry() or await self.has_bundle()

    async def has_entry(self) -> bool:
        """Tell whether there is a signature in cosign 2's layout."""
        manifest = await open_manifest(self.source.fetch_tagged(signature_tag(self.digest)))
        if not isinstance(manifest, Manifest):
            return False
        layers = manifest.layers[:_MAX_SIGNATURES]
        payloads = {layer.digest: content for layer in layers if (content := await self._fetch(layer)) is not None}
        return any(is_signed(manifest, payloads, key, self.digest) for key in self.keys)

    async def has_bundle(self) -> bool:
        """Tell whether there is a signature in cosign 3's layout. An attestation is none."""
        looked_at = 0
        async for found in open_referrers(self.source, self.digest, _may_be_signature):
            for layer in found.manifest.layers[:1] if isinstance(found.manifest, Manifest) else ():
                if self._is_signature(await self._fetch(layer)):
                    return True
            looked_at += 1
            if looked_at == _MAX_SIGNATURES:
                break
        return False

    def _is_signature(self, content: bytes | None) -> bool:
        for key in self.keys if content is not None else ():
            try:
                verify_bundle(content or b"", key, digest=self.digest, predicate_type=SIGN_PREDICATE)
            except InputError:
                continue
            return True
        return False

    async def _fetch(self, layer: Descriptor) -> bytes | None:
        try:
            return await self.source.fetch_blob(layer, limit=MAX_PAYLOAD_BYTES)
        except (InputError, MissingError):
            return None


async def publish_signature(client: RegistryClient, reference: Reference, subject: Descriptor, key: SigningKey) -> None:
    """Sign an artifact, which lies in the repository of `reference`, in both layouts, beside the signatures of others. Repeating it changes nothing.

    Raises LimitExceeded where there are too many, and what every call raises.
    """
    signed = Signatures(RegistrySource(client, reference), subject.digest, (key.verifying_key,))
    has_bundle, has_entry = await signed.has_bundle(), await signed.has_entry()
    if has_bundle and has_entry:
        return
    signature = sign_artifact(key, reference.name, subject.digest, dt.datetime.now(dt.UTC))
    if not has_bundle:
        await _publish_bundle(client, reference.repository, subject, signature.bundle)
    if not has_entry:
        existing = await open_manifest(client.fetch_document(reference.repository, signature_tag(subject.digest)))
        manifest = existing if isinstance(existing, Manifest) else None  # what cannot be read is overwritten
        await _publish_entry(
            client, reference.repository, merge_signature(signature.entry, subject.digest, key.verifying_key, manifest, {})
        )


async def _publish_bundle(client: RegistryClient, repository: str, subject: Descriptor, bundle: BundleReferrer) -> None:
    layer = ArtifactLayer(media_type=bundle.blob.media_type, content=bundle.blob.content)
    await client.push_referrer(
        repository, subject, Artifact(artifact_type=bundle.artifact_type, layers=(layer,), annotations=bundle.annotations)
    )


async def _publish_entry(client: RegistryClient, repository: str, publication: LegacyPublication | None) -> None:
    if publication is None:
        return
    for blob in publication.blobs:
        await client.push_blob(repository, blob.content, media_type=blob.media_type)
    await client.push_document(repository, publication.manifest, publication.media_type, tag=publication.tag)


def _may_be_signature(entry: Descriptor) -> bool:
    return base_type(entry.artifact_type) == media_types.SIGSTORE_BUNDLE and may_hold(entry, lambda kind: kind == SIGN_PREDICATE)
