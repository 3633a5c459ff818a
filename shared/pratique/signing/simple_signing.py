"""cosign's signatures of images: simple signing.

Source: sigstore/cosign `specs/SIGNATURE_SPEC.md`; containers/image `docs/containers-signature.5.md`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

import msgspec

from pratique.errors import InvalidSignature, LimitExceeded
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Manifest
from pratique.signing.bundle import SIGNATURE_CLAIMS
from pratique.signing.dsse import decode_base64, decode_bounded
from pratique.signing.keys import AdmissionKey, VerifyingKey
from pratique.signing.legacy import SIGNATURE_ANNOTATION, Blob, LegacyEntry, LegacyPublication, merge_entry, signature_tag, withdraw_entries

_TYPE = "cosign container image signature"


class _Identity(msgspec.Struct):
    reference: str = msgspec.field(name="docker-reference")


class _Image(msgspec.Struct):
    digest: str = msgspec.field(name="docker-manifest-digest")


class _Critical(msgspec.Struct):
    identity: _Identity
    image: _Image
    type: str


class _Payload(msgspec.Struct):
    critical: _Critical
    optional: dict[str, object] | None


def encode_simple_signing(name: str, digest: Digest) -> bytes:
    """Build the payload that says `name` (`host/repository`) at `digest` is signed. The same input gives the same bytes."""
    critical = _Critical(identity=_Identity(reference=name), image=_Image(digest=str(digest)), type=_TYPE)
    return msgspec.json.encode(_Payload(critical=critical, optional=dict(SIGNATURE_CLAIMS)))


def sign_simple(key: AdmissionKey, name: str, digest: Digest) -> LegacyEntry:
    """Sign and wrap as the layer cosign expects. Callers outside this package use `sign_image`, which demands a verdict."""
    payload = encode_simple_signing(name, digest)
    signature = base64.b64encode(key.key.sign(payload)).decode()
    return LegacyEntry(
        blob=Blob(media_type=media_types.SIMPLE_SIGNING, content=payload),
        annotations={SIGNATURE_ANNOTATION: signature},
    )


def verify_simple_signing(payload: bytes, signature: str, key: VerifyingKey, digest: Digest) -> str:
    """Check that `key` signed `payload` and that it is about `digest`; return the `host/repository` it names.

    `signature` is the layer's base64 annotation. The name is not compared: a promoted image carries its signature along, as with cosign.
    Raises InvalidSignature, LimitExceeded.
    """
    key.verify(decode_base64(signature), payload)
    critical = decode_bounded(payload, _Payload).critical
    if critical.type != _TYPE:
        raise InvalidSignature(f"expected a payload of type {_TYPE!r}, got {critical.type[:80]!r}")
    if critical.image.digest != str(digest):
        raise InvalidSignature(f"expected a signature of {digest}, got one of {critical.image.digest[:140]!r}")
    return critical.identity.reference


def is_signed(manifest: Manifest, payloads: Mapping[Digest, bytes], key: VerifyingKey, digest: Digest) -> bool:
    """Tell whether a `.sig` manifest holds a signature of `digest` by `key`. Layers without their payload in `payloads` count as none."""
    return any(_is_by(key, layer, payloads, digest) for layer in manifest.layers)


def merge_signature(
    entry: LegacyEntry, digest: Digest, key: VerifyingKey, existing: Manifest | None, payloads: Mapping[Digest, bytes]
) -> LegacyPublication | None:
    """Add our signature of `digest` to the `.sig` manifest.

    `payloads` holds the bytes of the existing layers by digest, as far as the caller could fetch them (MAX_PAYLOAD_BYTES each); a layer without is
    taken for another's and kept. Older signatures by `key` are superseded. Returns None when nothing would change. Raises LimitExceeded.
    """
    return merge_entry(signature_tag(digest), entry, existing, lambda layer: _is_by(key, layer, payloads, digest))


def withdraw_signature(digest: Digest, key: VerifyingKey, existing: Manifest, payloads: Mapping[Digest, bytes]) -> LegacyPublication | None:
    """Take our signatures out of the `.sig` manifest, for an image that does not pass any more. Parameters as of `merge_signature`,
    but for this: a layer without its payload goes too. Ours could be hidden behind more or larger layers than anybody looks through.

    The bundles that `verify_bundle` accepts with SIGN_PREDICATE have to go too. Whoever kept a copy can push it again: a signature has no expiry, which is
    why a cluster should also ask for a current verdict. Returns None when there is none.
    """
    return withdraw_entries(
        signature_tag(digest), existing, lambda layer: layer.digest not in payloads or _is_by(key, layer, payloads, digest)
    )


def _is_by(key: VerifyingKey, layer: Descriptor, payloads: Mapping[Digest, bytes], digest: Digest) -> bool:
    payload = payloads.get(layer.digest)
    if layer.media_type != media_types.SIMPLE_SIGNING or payload is None or not layer.digest.matches(payload):
        return False
    try:
        verify_simple_signing(payload, layer.annotations.get(SIGNATURE_ANNOTATION, ""), key, digest)
    except (InvalidSignature, LimitExceeded):
        return False
    return True
