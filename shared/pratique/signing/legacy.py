"""cosign 2's layout: signatures and attestations as layers of an image under the tags `sha256-<hex>.sig` and `sha256-<hex>.att`.

Source: sigstore/cosign `specs/SIGNATURE_SPEC.md`, `specs/ATTESTATION_SPEC.md`; the config blob is what cosign 2.5 itself writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from pratique.errors import LimitExceeded
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Manifest

SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
MAX_ENTRIES = 128  # protects time and the manifest's size: whoever may push can add entries, and each is verified by every reader
MAX_PAYLOAD_BYTES = 4 * 1024 * 1024  # what the caller fetches at most for one existing entry
_EPOCH = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Content to be pushed, and what it is."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> Digest:
        """The sha256 digest of the content."""
        return Digest.of(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyEntry:
    """One signature or attestation: its payload and the annotations of its layer."""

    blob: Blob
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyPublication:
    """What to push, in this order: `blobs`, then `manifest` under `tag`."""

    tag: str
    blobs: tuple[Blob, ...]
    manifest: bytes
    media_type: str = media_types.OCI_MANIFEST


def signature_tag(digest: Digest) -> str:
    """The tag of an image's signatures."""
    return f"{digest.tag_prefix}.sig"


def attestation_tag(digest: Digest) -> str:
    """The tag of an image's attestations."""
    return f"{digest.tag_prefix}.att"


def merge_entry(tag: str, entry: LegacyEntry, existing: Manifest | None, is_ours: Callable[[Descriptor], bool]) -> LegacyPublication | None:
    """Add `entry` to what is already under `tag`: entries of others stay, in their order; those that `is_ours` accepts are superseded.

    Returns None when the manifest already holds exactly that: doing it again changes nothing. Raises LimitExceeded.
    """
    wanted = Descriptor(
        media_type=entry.blob.media_type,
        digest=entry.blob.digest,
        size=len(entry.blob.content),
        annotations=entry.annotations,
    )
    layers = existing.layers if existing else ()
    if len(layers) > MAX_ENTRIES:
        raise LimitExceeded(f"{tag} already has {len(layers)} entries; the limit is {MAX_ENTRIES}")
    own = [layer for layer in layers if is_ours(layer)]
    if own == [wanted]:
        return None
    merged = (*(layer for layer in layers if layer not in own), wanted)
    config = Blob(media_type=media_types.OCI_CONFIG, content=_config(merged))
    annotations = existing.annotations if existing else {}
    return LegacyPublication(tag=tag, blobs=(entry.blob, config), manifest=_manifest(config, merged, annotations))


def withdraw_entries(tag: str, existing: Manifest, is_ours: Callable[[Descriptor], bool]) -> LegacyPublication | None:
    """Take out the entries that `is_ours` accepts. Others stay; a manifest without any entry is left where there are none, which cosign reads as unsigned.

    Returns None when there is nothing to take out.
    """
    kept = tuple(layer for layer in existing.layers if not is_ours(layer))
    if len(kept) == len(existing.layers):
        return None
    config = Blob(media_type=media_types.OCI_CONFIG, content=_config(kept))
    return LegacyPublication(tag=tag, blobs=(config,), manifest=_manifest(config, kept, existing.annotations))


def empty_entries(tag: str) -> LegacyPublication:
    """A manifest without any entry, to overwrite what is under `tag` and cannot be read: another reader could find a signature in it."""
    config = Blob(media_type=media_types.OCI_CONFIG, content=_config(()))
    return LegacyPublication(tag=tag, blobs=(config,), manifest=_manifest(config, (), {}))


def _config(layers: tuple[Descriptor, ...]) -> bytes:
    return msgspec.json.encode(
        {
            "architecture": "",
            "created": _EPOCH,
            "history": [{"created": _EPOCH}] * len(layers),
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [str(layer.digest) for layer in layers]},
            "config": {},
        }
    )


def _manifest(config: Blob, layers: tuple[Descriptor, ...], annotations: Mapping[str, str]) -> bytes:
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": {"mediaType": config.media_type, "size": len(config.content), "digest": str(config.digest)},
        "layers": [_layer(layer) for layer in layers],
    }
    if annotations:
        document["annotations"] = annotations
    return msgspec.json.encode(document)


def _layer(layer: Descriptor) -> dict[str, object]:
    document: dict[str, object] = {"mediaType": layer.media_type, "size": layer.size, "digest": str(layer.digest)}
    if layer.annotations:
        document["annotations"] = layer.annotations
    return document
