"""Sigstore bundles v0.3 with a public key, hung on an image as referrers: cosign 3's layout.

Sources: sigstore/protobuf-specs `sigstore_bundle.proto`; sigstore/cosign `specs/BUNDLE_SPEC.md`; what cosign 3.1 itself writes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from pratique.errors import InvalidSignature
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor
from pratique.signing.dsse import Envelope, Statement, StatementVersion, decode_bounded, sign_statement, verify_statement
from pratique.signing.keys import AdmissionKey, AttestationKey, SigningKey, VerifyingKey
from pratique.signing.legacy import Blob

SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
SIGNATURE_CLAIMS = {"creator": "pratique"}
"""What `cosign verify -a` can demand of our signatures, in either layout."""
CONTENT_ANNOTATION = "dev.sigstore.bundle.content"
PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType"
CREATED_ANNOTATION = "org.opencontainers.image.created"
_EMPTY = Blob(media_type=media_types.OCI_EMPTY, content=b"{}")


class _Bundle(msgspec.Struct, rename="camel"):
    media_type: str
    dsse_envelope: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleReferrer:
    """A bundle as a referrer of the image it speaks about: the blob, and the manifest's `artifactType` and annotations."""

    blob: Blob
    annotations: Mapping[str, str]
    artifact_type: str = media_types.SIGSTORE_BUNDLE

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """What to push before the manifest: the bundle, and the empty config."""
        return (self.blob, _EMPTY)

    def manifest(self, subject: Descriptor) -> bytes:
        """The referrer's OCI manifest; `subject` is the image's manifest."""
        return msgspec.json.encode(
            {
                "schemaVersion": 2,
                "mediaType": media_types.OCI_MANIFEST,
                "artifactType": self.artifact_type,
                "config": _reference_to(_EMPTY),
                "layers": [_reference_to(self.blob)],
                "annotations": self.annotations,
                "subject": {"mediaType": subject.media_type, "size": subject.size, "digest": str(subject.digest)},
            }
        )


def sign_bundle(key: AdmissionKey, digest: Digest, created: dt.datetime) -> BundleReferrer:
    """Sign `digest` as cosign 3 does. Callers outside this package use `sign_image`, which demands a verdict. `created` is not signed."""
    statement = Statement(
        version=StatementVersion.V1, name="", digest=digest, predicate_type=SIGN_PREDICATE, predicate={}, annotations=SIGNATURE_CLAIMS
    )
    return _bundle(key.key, statement, created)


def attest_bundle(key: AttestationKey, statement: Statement, created: dt.datetime) -> BundleReferrer:
    """Sign a statement into a bundle with the attestation key. `created` (UTC) is for people and for ordering; it is not signed.

    Raises ValueError for a statement that would be a signature: this key approves nothing.
    """
    if statement.predicate_type == SIGN_PREDICATE:
        raise ValueError(f"expected an attestation, got a statement of {SIGN_PREDICATE}")
    return _bundle(key.key, statement, created)


def _bundle(key: SigningKey, statement: Statement, created: dt.datetime) -> BundleReferrer:
    content = msgspec.json.encode(
        {
            "mediaType": media_types.SIGSTORE_BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": key.hint}},
            "dsseEnvelope": sign_statement(key, statement),
        }
    )
    annotations = {
        CONTENT_ANNOTATION: "dsse-envelope",
        PREDICATE_ANNOTATION: statement.predicate_type,
        CREATED_ANNOTATION: created.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return BundleReferrer(blob=Blob(media_type=media_types.SIGSTORE_BUNDLE, content=content), annotations=annotations)


def verify_bundle(content: bytes, key: VerifyingKey, *, digest: Digest, predicate_type: str) -> Statement:
    """Check that a bundle holds a statement of `predicate_type` about `digest`, signed by `key`; return it.

    Demanding the type is what cosign's `verify --key` does not do: with SIGN_PREDICATE, an attestation never passes for a signature.
    The bundle's key hint is not looked at: only the signature counts. Raises InvalidSignature, LimitExceeded.
    """
    bundle = decode_bounded(content, _Bundle)
    if bundle.media_type != media_types.SIGSTORE_BUNDLE:
        raise InvalidSignature(f"expected a bundle of type {media_types.SIGSTORE_BUNDLE}, got {bundle.media_type[:140]!r}")
    return verify_statement(bundle.dsse_envelope, key, digest=digest, predicate_type=predicate_type)


def _reference_to(blob: Blob) -> dict[str, object]:
    return {"mediaType": blob.media_type, "size": len(blob.content), "digest": str(blob.digest)}
