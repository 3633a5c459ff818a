"""Media types of Docker schema 2 and OCI 1.0/1.1, and what each one is."""

from __future__ import annotations

from collections.abc import Mapping

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = f"{OCI_LAYER}+gzip"
OCI_LAYER_ZSTD = f"{OCI_LAYER}+zstd"

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGSTORE_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
DSSE_ENVELOPE = "application/vnd.dsse.envelope.v1+json"
IN_TOTO = "application/vnd.in-toto+json"

MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG, "application/octet-stream", "application/json", "text/html", ""})
"""Configs of what a runtime runs. The last four are no image's by any specification, but Docker takes them (moby's `defaultImageTypes`)."""
SBOMS = frozenset(
    {
        *("text/spdx", "text/spdx+json", "text/spdx+xml", "spdx+json", "application/spdx+json"),
        *("application/vnd.cyclonedx", "application/vnd.cyclonedx+json", "application/vnd.cyclonedx+xml", "application/vnd.syft+json"),
    }
)
"""What `cosign attach sbom` gives bills of materials."""
STATEMENTS = frozenset({SIMPLE_SIGNING, SIGSTORE_BUNDLE, DSSE_ENVELOPE, IN_TOTO, *SBOMS})
"""Layers that say something about an image. They come with an image config (cosign's signatures, BuildKit's attestations) and cannot be run."""
ACCEPT = ", ".join((OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST))
"""What a client sends as `Accept`: registries answer 404 for a type that is not in it."""


def is_encrypted_layer(media_type: str) -> bool:
    """Tell whether a layer is encrypted as ocicrypt does (`…+encrypted`; `…+enc` in its first years)."""
    return media_type.endswith(("+encrypted", "+enc"))


def is_foreign_layer(media_type: str) -> bool:
    """Tell whether a layer's bytes live outside the registry (`foreign`, `nondistributable`)."""
    return ".foreign." in media_type or ".nondistributable." in media_type


def is_zstd_chunked(annotations: Mapping[str, str]) -> bool:
    """Tell whether a layer's annotations point to the table of contents that zstd:chunked has behind the tar (containers/storage `pkg/chunked`)."""
    return any(f"{prefix}.zstd-chunked.manifest-checksum" in annotations for prefix in ("io.containers", "io.github.containers"))
