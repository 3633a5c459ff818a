"""Manifests, indexes and image configs, parsed strictly from bytes whose digest was verified.

Sources: OCI image-spec 1.1 (manifest.md, image-index.md, config.md, descriptor.md); Docker distribution schema 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from pratique.errors import InvalidDigest, InvalidManifest, LimitExceeded
from pratique.oci import media_types
from pratique.oci.cipher import LayerCipher
from pratique.oci.digest import Digest

MAX_MANIFEST_BYTES = 4 * 1024 * 1024  # distribution's own limit: protects memory against a manifest as large as a layer
MAX_CONFIG_BYTES = 8 * 1024 * 1024  # the same for image configs
MAX_LAYERS = 512  # overlay file systems stop at 127 or 500: more is an attack or a mistake
MAX_CHILDREN = 512  # platforms of one index
_MEMBERS = frozenset(
    {
        *("schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations"),
        *("digest", "size", "urls", "platform", "os", "architecture", "variant", "rootfs", "diff_ids"),
    }
)
_SPELLINGS = {name.casefold(): name for name in _MEMBERS}
_MAX_SIZE = 2**63 - 1  # what a database's integer holds: protects the storage against sizes that no blob has
_SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What an image runs on, in Go's words: `linux`, `amd64`, `v8`."""

    os: str
    architecture: str
    variant: str | None = None

    @property
    def is_unknown(self) -> bool:
        """Tell whether this is BuildKit's `unknown/unknown`, which marks an attestation and not an image."""
        return self.os == "unknown" and self.architecture == "unknown"

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """Media type, digest and size in bytes of some content, and where else it may lie."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    platform: Platform | None = None
    urls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0:
            raise InvalidManifest(f"expected a size of at least 0 bytes for {self.digest}, got {self.size}")
        if self.size > _MAX_SIZE:
            raise LimitExceeded(f"a size of more than {_MAX_SIZE} bytes for {self.digest}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of an image: its blob, its place (0 is the base) and the digest of its uncompressed tar. With a `cipher`, the blob is decrypted on its way through."""

    descriptor: Descriptor
    position: int
    diff_id: Digest | None
    cipher: LayerCipher | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One platform's document. `descriptor` is that of the manifest itself."""

    descriptor: Descriptor
    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str | None
    subject: Descriptor | None
    annotations: Mapping[str, str]
    raw: bytes

    @property
    def is_image(self) -> bool:
        """Tell whether this may be run, and so has to be judged, and is no chart, signature or other artifact.

        Runtimes go by the config's type. Neither an `artifactType` nor layers of unknown types make an artifact of an image: that would be a way around the scan.
        """
        return self._has_image_config and not self._is_statement

    @property
    def is_statement_of_an_image(self) -> bool:
        """Tell whether this is a signature or attestation that comes with an image's config: only that one's platform tells whether a runtime takes it."""
        return self._has_image_config and self._is_statement

    @property
    def _has_image_config(self) -> bool:
        return self.config.media_type in media_types.IMAGE_CONFIGS

    @property
    def _is_statement(self) -> bool:
        return bool(self.layers) and all(layer.media_type in media_types.STATEMENTS for layer in self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The multi-platform document (OCI index, Docker manifest list)."""

    descriptor: Descriptor
    manifests: tuple[Descriptor, ...]
    artifact_type: str | None
    subject: Descriptor | None
    annotations: Mapping[str, str]
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """How one layer came to be; `empty` entries made no layer."""

    created_by: str
    empty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """The facts of an image's config blob that pratique uses; absent ones are empty."""

    platform: Platform
    diff_ids: tuple[Digest, ...]
    created: str | None
    user: str
    env: tuple[str, ...]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    working_dir: str
    exposed_ports: tuple[str, ...]
    volumes: tuple[str, ...]
    labels: Mapping[str, str]
    stop_signal: str
    healthcheck: tuple[str, ...] | None
    history: tuple[HistoryEntry, ...]


def parse_document(content: bytes, media_type: str | None = None) -> Manifest | Index:
    """Parse a manifest or an index. `media_type` is the `Content-Type` the content came with; it wins over the document's own field.

    Raises InvalidManifest, LimitExceeded.
    """
    if len(content) > MAX_MANIFEST_BYTES:
        raise LimitExceeded(f"manifest of {len(content)} bytes; the limit is {MAX_MANIFEST_BYTES}")
    raw = _decode(content, "manifest")
    kind = _kind_of(raw, media_type)
    own = Descriptor(media_type=kind, digest=Digest.of(content), size=len(content), artifact_type=_text(raw, "artifactType"))
    if kind in media_types.INDEXES:
        return Index(
            descriptor=own,
            manifests=tuple(map(_descriptor, _list(raw, "manifests", MAX_CHILDREN))),
            artifact_type=own.artifact_type,
            subject=_subject(raw),
            annotations=_strings(raw, "annotations"),
            raw=content,
        )
    return Manifest(
        descriptor=own,
        config=_descriptor(raw.get("config")),
        layers=tuple(map(_descriptor, _list(raw, "layers", MAX_LAYERS))),
        artifact_type=own.artifact_type,
        subject=_subject(raw),
        annotations=_strings(raw, "annotations"),
        raw=content,
    )


def parse_config(content: bytes) -> ImageConfig:
    """Parse an image config blob.

    Raises InvalidManifest, LimitExceeded.
    """
    if len(content) > MAX_CONFIG_BYTES:
        raise LimitExceeded(f"image config of {len(content)} bytes; the limit is {MAX_CONFIG_BYTES}")
    raw = _decode(content, "image config")
    run, rootfs = _object(raw, "config"), _object(raw, "rootfs")
    _check_spelling(rootfs)
    return ImageConfig(
        platform=_platform(raw),
        diff_ids=tuple(map(_digest, _list(rootfs, "diff_ids", MAX_LAYERS))),
        created=_text(raw, "created"),
        user=_text(run, "User") or "",
        env=_texts(run, "Env"),
        entrypoint=_texts(run, "Entrypoint"),
        cmd=_texts(run, "Cmd"),
        working_dir=_text(run, "WorkingDir") or "",
        exposed_ports=tuple(_object(run, "ExposedPorts")),
        volumes=tuple(_object(run, "Volumes")),
        labels=_strings(run, "Labels"),
        stop_signal=_text(run, "StopSignal") or "",
        healthcheck=_texts(_object(run, "Healthcheck"), "Test") if run.get("Healthcheck") else None,
        history=tuple(map(_history, _list(raw, "history", 4 * MAX_LAYERS))),
    )


def pair_layers(manifest: Manifest, config: ImageConfig) -> tuple[Layer, ...]:
    """Join each layer blob with its diff-id.

    Raises InvalidManifest when their numbers differ: then no layer can be verified.
    """
    if len(manifest.layers) != len(config.diff_ids):
        raise InvalidManifest(f"manifest lists {len(manifest.layers)} layers, its config {len(config.diff_ids)} diff-ids")
    pairs = enumerate(zip(manifest.layers, config.diff_ids, strict=True))
    return tuple(Layer(descriptor=blob, position=position, diff_id=diff_id) for position, (blob, diff_id) in pairs)


def _kind_of(raw: Mapping[str, object], content_type: str | None) -> str:
    declared = _text(raw, "mediaType")
    given = (content_type or "").partition(";")[0].strip() or declared
    if given not in media_types.MANIFESTS | media_types.INDEXES:
        given = declared or (media_types.OCI_INDEX if "manifests" in raw else media_types.OCI_MANIFEST)
    if given not in media_types.MANIFESTS | media_types.INDEXES:
        raise InvalidManifest(f"expected an image manifest or index, got media type {given[:140]!r}")
    if declared and declared != given:
        raise InvalidManifest(f"served as {given} but says it is {declared[:140]!r}")
    if raw.get("schemaVersion", _SCHEMA_VERSION) != _SCHEMA_VERSION:
        raise InvalidManifest("expected schemaVersion 2")
    _check_shape(raw, given)
    return given


def _check_shape(raw: Mapping[str, object], kind: str) -> None:
    """Refuse a document of one kind with the members of the other, which different readers would take differently (CVE-2021-41190)."""
    own, foreign = {"config", "layers"}, {"manifests"}
    if kind in media_types.INDEXES:
        own, foreign = foreign, own
    if foreign & raw.keys():
        raise InvalidManifest(f"{kind} with {' and '.join(sorted(foreign & raw.keys()))}: refused as ambiguous")
    if own - raw.keys():
        raise InvalidManifest(f"{kind} without {' and '.join(sorted(own - raw.keys()))}")


def _decode(content: bytes, what: str) -> Mapping[str, object]:
    try:
        raw = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidManifest(f"{what} is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise InvalidManifest(f"expected {what} to be a JSON object, got {type(raw).__name__}")
    _check_spelling(raw)
    return raw


def _check_spelling(raw: Mapping[str, object]) -> None:
    """Refuse `Layers` beside or for `layers`: Go's JSON matches names in any case, so runtimes would take the one that is passed over here."""
    for key in raw:
        name = _SPELLINGS.get(key.casefold(), key)
        if name != key:
            raise InvalidManifest(f"expected {name}, got {key[:40]!r}: refused as ambiguous")


def _descriptor(raw: object) -> Descriptor:
    if not isinstance(raw, dict):
        raise InvalidManifest(f"expected a descriptor object, got {type(raw).__name__}")
    _check_spelling(raw)
    size = raw.get("size")
    if not isinstance(size, int) or isinstance(size, bool):
        raise InvalidManifest(f"expected a whole number as a descriptor's size, got {type(size).__name__}")
    platform = raw.get("platform")
    return Descriptor(
        media_type=_text(raw, "mediaType") or "",
        digest=_digest(raw.get("digest")),
        size=size,
        annotations=_strings(raw, "annotations"),
        artifact_type=_text(raw, "artifactType"),
        platform=_platform(platform) if isinstance(platform, dict) else None,
        urls=_texts(raw, "urls"),
    )


def _subject(raw: Mapping[str, object]) -> Descriptor | None:
    return _descriptor(raw["subject"]) if raw.get("subject") is not None else None


def _digest(raw: object) -> Digest:
    if not isinstance(raw, str):
        raise InvalidManifest(f"expected a digest, got {type(raw).__name__}")
    try:
        return Digest.parse(raw)
    except InvalidDigest as error:
        raise InvalidManifest(str(error)) from error


def _platform(raw: Mapping[str, object]) -> Platform:
    return Platform(
        os=_text(raw, "os") or "unknown",
        architecture=_text(raw, "architecture") or "unknown",
        variant=_text(raw, "variant") or None,
    )


def _history(raw: object) -> HistoryEntry:
    if not isinstance(raw, dict):
        raise InvalidManifest(f"expected a history object, got {type(raw).__name__}")
    return HistoryEntry(created_by=_text(raw, "created_by") or "", empty=raw.get("empty_layer") is True)


def _text(raw: Mapping[str, object], key: str) -> str | None:
    value = raw.get(key)
    if value is None or isinstance(value, str):
        return value
    raise InvalidManifest(f"expected text in {key}, got {type(value).__name__}")


def _list(raw: Mapping[str, object], key: str, limit: int) -> list[object]:
    value = raw.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidManifest(f"expected a list in {key}, got {type(value).__name__}")
    if len(value) > limit:
        raise LimitExceeded(f"{len(value)} entries in {key}; the limit is {limit}")
    return value


def _texts(raw: Mapping[str, object], key: str) -> tuple[str, ...]:
    values = [item for item in _list(raw, key, 4096) if isinstance(item, str)]
    if len(values) != len(_list(raw, key, 4096)):
        raise InvalidManifest(f"expected only text in {key}")
    return tuple(values)


def _object(raw: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = raw.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidManifest(f"expected an object in {key}, got {type(value).__name__}")
    return value


def _strings(raw: Mapping[str, object], key: str) -> Mapping[str, str]:
    value = _object(raw, key)
    if not all(isinstance(item, str) for item in value.values()):
        raise InvalidManifest(f"expected only text values in {key}")
    return {name: item for name, item in value.items() if isinstance(item, str)}
