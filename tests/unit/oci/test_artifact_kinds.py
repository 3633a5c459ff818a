"""What is no image is called what it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pratique.oci import media_types
from pratique.oci.artifact_kinds import kind_of_artifact
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Platform, parse_document

DIGEST = "sha256:" + "5b" * 32
NOTARY = "application/vnd.cncf.notary.signature"


def kind(config: str = media_types.OCI_EMPTY, *layers: str, **more: Any) -> str:
    described = [{"mediaType": name, "digest": DIGEST, "size": 2} for name in (config, *layers)]
    document = {"schemaVersion": 2, "config": described[0], "layers": described[1:], **more}
    return kind_of_artifact(parse_document(json.dumps(document).encode(), media_types.OCI_MANIFEST))


@pytest.mark.parametrize(
    ("config", "layer", "expected"),
    [
        ("application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "helm chart"),
        ("application/vnd.wasm.config.v0+json", "application/wasm", "wasm module"),
        ("application/vnd.wasm.config.v1+json", "application/vnd.wasm.content.layer.v1+wasm", "wasm module"),
        (media_types.OCI_EMPTY, "application/wasm", "wasm module"),
        (media_types.OCI_CONFIG, media_types.SIMPLE_SIGNING, "signature"),
        (NOTARY, "application/jose+json", "signature"),
        (media_types.OCI_CONFIG, media_types.DSSE_ENVELOPE, "attestation"),
        (media_types.OCI_CONFIG, media_types.IN_TOTO, "attestation"),
        (media_types.OCI_EMPTY, media_types.SIGSTORE_BUNDLE, "attestation"),
        (media_types.OCI_CONFIG, "text/spdx+json", "sbom"),
        (media_types.OCI_EMPTY, "application/vnd.cyclonedx+json", "sbom"),
        ("application/vnd.example.model.v1+json", "application/octet-stream", "artifact application/vnd.example.model.v1+json"),
        ("application/vnd.unknown.config.v1+json", "text/markdown", "artifact text/markdown"),
    ],
)
def test_an_artifact_is_named_by_its_config_or_its_layers(config: str, layer: str, expected: str) -> None:
    assert kind(config, layer) == expected


def test_an_artifact_type_goes_before_everything_else() -> None:
    assert kind(artifactType="application/spdx+json") == "sbom"
    assert (
        kind(media_types.OCI_EMPTY, "application/vnd.acme.layer", artifactType="application/vnd.acme.rocket")
        == "artifact application/vnd.acme.rocket"
    )
    assert kind(media_types.OCI_EMPTY, "application/jose+json", artifactType=NOTARY) == "signature"


def test_a_bundle_is_what_its_predicate_says() -> None:
    signature = {"dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1"}
    assert kind(media_types.OCI_EMPTY, media_types.SIGSTORE_BUNDLE, annotations=signature) == "signature"


def test_a_type_that_strangers_made_up_is_shown_short_and_printable() -> None:
    assert kind(artifactType="x" * 5000) == "artifact " + "x" * 100
    assert kind(artifactType="a\x1b[31m\nb") == "artifact a[31mb"
    assert kind() == "artifact"


def test_of_a_descriptor_there_is_what_its_index_says() -> None:
    entry = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.parse(DIGEST), size=2)
    unknown = Platform(os="unknown", architecture="unknown")
    assert kind_of_artifact(entry) == "artifact"
    assert kind_of_artifact(Descriptor(media_type="", digest=entry.digest, size=2, platform=unknown)) == "attestation"
    marked = {"vnd.docker.reference.type": "attestation-manifest"}
    assert kind_of_artifact(Descriptor(media_type="", digest=entry.digest, size=2, annotations=marked)) == "attestation"
    assert kind_of_artifact(Descriptor(media_type="", digest=entry.digest, size=2, artifact_type=NOTARY)) == "signature"


def test_an_index_is_named_by_its_artifact_type() -> None:
    raw = {"schemaVersion": 2, "manifests": [], "artifactType": "application/vnd.acme.set"}
    assert kind_of_artifact(parse_document(json.dumps(raw).encode(), media_types.OCI_INDEX)) == "artifact application/vnd.acme.set"
