"""What an artifact that is no image is, in words for people: a helm chart, a signature, an SBOM.

The artifact's type is `artifactType`, or else the config's media type (OCI image-spec, manifest.md, "Guidelines for Artifact Usage"); where that says
nothing, the media types of its layers do. Everybody may invent types: what is not known here is called by its type.
"""

from __future__ import annotations

from collections.abc import Iterator

from pratique.oci import media_types
from pratique.oci.manifest import Descriptor, Index, Manifest

HELM_CHART = "helm chart"
WASM_MODULE = "wasm module"
SIGNATURE = "signature"
ATTESTATION = "attestation"
SBOM = "sbom"

_MAX_TYPE = 100  # characters of a type that is shown: strangers write them
_BUILDKIT_TYPE = "vnd.docker.reference.type"
_PREDICATE_TYPE = "dev.sigstore.bundle.predicateType"
_COSIGN_SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
_KINDS = {
    "application/vnd.cncf.helm.config.v1+json": HELM_CHART,
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip": HELM_CHART,
    "application/vnd.wasm.config.v0+json": WASM_MODULE,
    "application/vnd.wasm.config.v1+json": WASM_MODULE,
    "application/vnd.wasm.content.layer.v1+wasm": WASM_MODULE,
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm": WASM_MODULE,
    "application/wasm": WASM_MODULE,
    "application/vnd.cncf.notary.signature": SIGNATURE,
    "application/vnd.dev.cosign.artifact.sig.v1+json": SIGNATURE,
    media_types.SIMPLE_SIGNING: SIGNATURE,
    media_types.DSSE_ENVELOPE: ATTESTATION,
    media_types.IN_TOTO: ATTESTATION,
}
_SBOM_WORDS = ("spdx", "cyclonedx", "syft", "sbom")
_GENERAL = media_types.IMAGE_CONFIGS | {
    media_types.OCI_EMPTY,
    "application/vnd.unknown.artifact.v1",
    "application/vnd.unknown.config.v1+json",
}


def kind_of_artifact(found: Manifest | Index | Descriptor) -> str:
    """Name the kind of what is no image: one of those above, or `artifact TYPE`. Of a descriptor there is only what its index says."""
    if isinstance(found, Descriptor):
        return _kind_of_entry(found)
    if _is_bundle(found):
        return SIGNATURE if found.annotations.get(_PREDICATE_TYPE) == _COSIGN_SIGNATURE else ATTESTATION
    types = list(_types_of(found))
    known = (kind for media_type in types if (kind := _known_kind(media_type)))
    return next(known, None) or _by_type(next((name for name in types if name not in _GENERAL), ""))


def _kind_of_entry(entry: Descriptor) -> str:
    is_attestation = entry.annotations.get(_BUILDKIT_TYPE) == "attestation-manifest" or (entry.platform and entry.platform.is_unknown)
    if is_attestation:
        return ATTESTATION
    return _known_kind(entry.artifact_type or "") or _by_type(entry.artifact_type or "")


def _is_bundle(document: Manifest | Index) -> bool:
    """Tell sigstore's bundles, which hold signatures and attestations alike."""
    return any(media_type.startswith("application/vnd.dev.sigstore.bundle") for media_type in _types_of(document))


def _types_of(document: Manifest | Index) -> Iterator[str]:
    """Yield the types that say what a document is, the telling ones first."""
    yield document.artifact_type or ""
    if isinstance(document, Manifest):
        yield document.config.media_type
        yield from (layer.media_type for layer in document.layers)


def _known_kind(media_type: str) -> str | None:
    if media_type in _GENERAL:
        return None
    return _KINDS.get(media_type) or (SBOM if any(word in media_type.lower() for word in _SBOM_WORDS) else None)


def _by_type(media_type: str) -> str:
    text = "".join(letter for letter in media_type if letter.isprintable())[:_MAX_TYPE]
    return f"artifact {text}" if text else "artifact"
