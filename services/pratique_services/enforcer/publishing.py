"""Publishing signatures and verdicts in both of cosign's layouts, so that repeating it changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from pratique.errors import InputError, MissingError, PratiqueError, RefusedError, UnavailableError, UnsupportedError
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Manifest
from pratique.registry.client import RegistryClient
from pratique.registry.referrers import Artifact, ArtifactLayer
from pratique.signing.attestation import VERDICT_PREDICATE, VerdictAttestation, attest_verdict, merge_attestation, verify_verdict
from pratique.signing.bundle import SIGN_PREDICATE, BundleReferrer, verify_bundle
from pratique.signing.image import sign_image
from pratique.signing.keys import SigningKeys, VerifyingKey
from pratique.signing.legacy import MAX_ENTRIES, LegacyPublication, attestation_tag, empty_entries, signature_tag
from pratique.signing.simple_signing import is_signed, merge_signature, withdraw_signature
from pratique.storage.decisions import DecisionRow

_PREDICATE_TYPE = "dev.sigstore.bundle.predicateType"
_ENTRY_TYPES = frozenset({media_types.SIMPLE_SIGNING, media_types.DSSE_ENVELOPE})  # what we publish in cosign 2's layout
_MAX_ENTRY_BYTES = 1024 * 1024  # far above what we publish: with _MAX_BUNDLES it bounds what whoever may push can make us fetch
_MAX_BUNDLES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Publishes for one repository of one registry."""

    client: RegistryClient
    repository: str
    keys: SigningKeys

    @property
    def _name(self) -> str:
        return f"{self.client.host}/{self.repository}"

    async def sign(self, decision: DecisionRow, digest: Digest) -> str:
        """Sign a digest that passed, unless a signature of ours is there; answer what was done.

        Raises RefusedError for any other verdict than pass, MissingError if the image is gone, and what the registry raises.
        """
        subject = await self.client.resolve_digest(self.repository, str(digest))
        key = self.keys.admission.key.verifying_key
        existing, payloads = await self._existing(signature_tag(digest))
        has_entry = existing is not None and is_signed(existing, payloads, key, digest)
        has_bundle = bool(await self._own_bundles(digest, key))
        signature = sign_image(self.keys, decision.verdict, self._name, digest, dt.datetime.now(dt.UTC))
        if not has_entry:
            await self._publish(merge_signature(signature.entry, digest, key, existing, payloads))
        if not has_bundle:
            await self._refer(subject, signature.bundle, supersede=None)
        return "already signed" if has_entry and has_bundle else "signed"

    async def withdraw(self, digest: Digest) -> str:
        """Take our signatures off a digest that does not pass (any more), in both layouts, whether or not the other half works; answer what was done.

        Raises RefusedError when one is or may be still there afterwards, and what the registry raises.
        """
        key = self.keys.admission.key.verifying_key
        withdrawn: list[bool] = []
        errors: list[PratiqueError] = []
        for half in (self._withdraw_entries, self._withdraw_bundles):
            try:
                withdrawn.append(await half(digest, key))
            except PratiqueError as error:
                errors.append(error)
        if errors:
            raise next((one for one in errors if isinstance(one, UnavailableError)), errors[0])  # what can be tried again is
        return "signature withdrawn" if any(withdrawn) else "there is no signature"

    async def _withdraw_entries(self, digest: Digest, key: VerifyingKey) -> bool:
        tag = signature_tag(digest)
        existing, payloads = await self._existing(tag)
        if existing is not None:
            publication = withdraw_signature(digest, key, existing, payloads)
        else:
            publication = empty_entries(tag) if await self._is_set(tag) else None
        await self._publish(publication)
        return publication is not None

    async def _withdraw_bundles(self, digest: Digest, key: VerifyingKey) -> bool:
        was_repaired = await self.client.repair_referrers(self.repository, digest)
        bundles = await self._own_bundles(digest, key)
        for bundle in bundles:
            with suppress(UnsupportedError):  # where deleting is switched off it may still be taken off the list: the list is what counts
                await self.client.delete_referrer(self.repository, digest, bundle)
        if bundles and await self._own_bundles(digest, key):
            raise RefusedError("the registry does not let the image's signature be deleted: delete it by hand")
        listed = await self.client.list_referrers(self.repository, digest, artifact_type=media_types.SIGSTORE_BUNDLE)
        if len(listed) > _MAX_BUNDLES:
            raise RefusedError(
                f"{len(listed)} bundles hang on the image, and {_MAX_BUNDLES} are looked through: delete what is not needed by hand"
            )
        return was_repaired or bool(bundles)

    async def attest(self, decision: DecisionRow, digest: Digest, valid_for: dt.timedelta) -> str:
        """Attach the signed verdict, in place of our former ones; answer what was done.

        Raises MissingError if the image is gone, and what the registry raises.
        """
        subject = await self.client.resolve_digest(self.repository, str(digest))
        key = self.keys.attestation.key.verifying_key
        attestation = VerdictAttestation(
            verdict=decision.verdict,
            feed_digest=decision.feed_snapshot or "",
            inventory_digest=decision.inventory_digest or "",
            findings=decision.counts,
            decided_at=decision.created_at,
            expires_at=decision.created_at + valid_for,
        )
        former = await self._own_verdicts(digest, key)
        if any(verdict == attestation for verdict in former.values()):
            return "already attested"
        signed = attest_verdict(self.keys, attestation, self._name, digest)
        existing, payloads = await self._existing(attestation_tag(digest))
        await self._publish(merge_attestation(signed.entry, digest, key, existing, payloads))
        await self._refer(subject, signed.bundle, supersede=lambda entry: entry.digest in former)
        return f"attested until {attestation.expires_at:%Y-%m-%dT%H:%M:%SZ}"

    async def _existing(self, tag: str) -> tuple[Manifest | None, Mapping[Digest, bytes]]:
        """What is under one of cosign's tags, with the payloads that can be read; nothing where that is no manifest we can read."""
        try:
            document = await self.client.fetch_document(self.repository, tag)
        except (InputError, MissingError):
            return None, {}
        if not isinstance(document, Manifest):
            return None, {}
        payloads: dict[Digest, bytes] = {}
        for layer in document.layers[:MAX_ENTRIES]:
            if layer.media_type not in _ENTRY_TYPES:
                continue
            content = await self._fetch(layer)
            if content is not None:
                payloads[layer.digest] = content
        return document, payloads

    async def _is_set(self, tag: str) -> bool:
        try:
            await self.client.resolve_digest(self.repository, tag)
        except MissingError:
            return False
        return True

    async def _fetch(self, blob: Descriptor) -> bytes | None:
        try:
            return await self.client.fetch_blob(self.repository, blob, limit=_MAX_ENTRY_BYTES)
        except (InputError, MissingError):
            return None  # not readable, so not ours: it stays where it is

    async def _publish(self, publication: LegacyPublication | None) -> None:
        if publication is None:
            return
        for blob in publication.blobs:
            await self.client.push_blob(self.repository, blob.content, media_type=blob.media_type)
        await self.client.push_document(self.repository, publication.manifest, publication.media_type, tag=publication.tag)

    async def _refer(self, subject: Descriptor, bundle: BundleReferrer, *, supersede: Callable[[Descriptor], bool] | None) -> None:
        layer = ArtifactLayer(media_type=bundle.blob.media_type, content=bundle.blob.content)
        artifact = Artifact(artifact_type=bundle.artifact_type, layers=(layer,), annotations=bundle.annotations)
        await self.client.push_referrer(self.repository, subject, artifact, supersede=supersede)

    async def _bundles(self, digest: Digest, predicate_type: str) -> dict[Digest, bytes]:
        """The bundles on an image that claim a predicate type, by their manifest's digest. At most _MAX_BUNDLES are opened."""
        found: dict[Digest, bytes] = {}
        listed = await self.client.list_referrers(self.repository, digest, artifact_type=media_types.SIGSTORE_BUNDLE)
        for entry in listed[:_MAX_BUNDLES]:
            try:
                document = await self.client.fetch_document(self.repository, entry.digest)
            except (InputError, MissingError):
                continue
            if not isinstance(document, Manifest) or len(document.layers) != 1:
                continue
            if document.annotations.get(_PREDICATE_TYPE) == predicate_type:
                content = await self._fetch(document.layers[0])
                found |= {entry.digest: content} if content is not None else {}
        return found

    async def _own_bundles(self, digest: Digest, key: VerifyingKey) -> list[Digest]:
        """The manifests of the bundles by which our key signs the digest."""
        found: list[Digest] = []
        for manifest, content in (await self._bundles(digest, SIGN_PREDICATE)).items():
            try:
                verify_bundle(content, key, digest=digest, predicate_type=SIGN_PREDICATE)
            except InputError:
                continue
            found.append(manifest)
        return found

    async def _own_verdicts(self, digest: Digest, key: VerifyingKey) -> dict[Digest, VerdictAttestation]:
        found: dict[Digest, VerdictAttestation] = {}
        for manifest, content in (await self._bundles(digest, VERDICT_PREDICATE)).items():
            try:
                found[manifest] = verify_verdict(content, key, digest)
            except InputError:
                continue
        return found
