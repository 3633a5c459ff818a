"""From a reference to an inventory: the one scan that the command line and the scanner service share.

1. fetch the document that the reference names, verified;
2. walk indexes to their platform manifests, bounded in depth and number, attestations set apart;
3. fetch each image's config and pair layers with diff-ids;
4. read each layer that no store knows, in one pass in a worker process, the largest first;
5. merge the layers to what is installed, with coverage for all that could not be read.

Wrong bytes end in coverage, never in an exception: a push of garbage has a verdict too. What is only unavailable raises, and the scan is tried again.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from pratique.errors import InputError, InvalidReference, MissingError
from pratique.inventory.analyzer import select_analyzers
from pratique.inventory.analyzers import REGISTERED
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus
from pratique.inventory.entry_point import DEFAULT_PATH, EntryPoint
from pratique.inventory.file_account import FileAccount, FileEntry, account_files, list_files, survey_files
from pratique.inventory.image_view import view_image
from pratique.inventory.inventory import Inventory
from pratique.inventory.layer_result import LayerResult
from pratique.inventory.layer_stack import ScannedLayer
from pratique.inventory.merge import merge_layers
from pratique.oci import media_types
from pratique.oci.artifact_kinds import kind_of_artifact
from pratique.oci.digest import Digest
from pratique.oci.encryption import DecryptionKeys
from pratique.oci.manifest import MAX_CONFIG_BYTES, ImageConfig, Index, Layer, Manifest, Platform, pair_layers, parse_config
from pratique.oci.platforms import ALL, PlatformChoice
from pratique.registry.foreign import ForeignLayers
from pratique.registry.index_walk import FoundArtifact, FoundImage, IndexWalk
from pratique.registry.interface import ImageSource
from pratique.runtime.concurrency import run_together
from pratique.runtime.layer_pool import LayerPool


class LayerStore(Protocol):
    """Keeps layer results under (layer digest, analyzer versions), so that no layer is read twice."""

    async def load(self, digests: Sequence[str]) -> Mapping[str, LayerResult]:
        """Load what is known of these layers."""
        ...

    async def record(self, digest: str, result: LayerResult) -> None:
        """Keep a result."""
        ...


class MemoryLayerStore:
    """Keeps nothing beyond the process: for a scan without a server. Results lie there encoded, a tenth of what they take otherwise."""

    def __init__(self) -> None:
        self._results: dict[str, bytes] = {}

    async def load(self, digests: Sequence[str]) -> Mapping[str, LayerResult]:
        """Load what this process has seen."""
        return {digest: LayerResult.decode(self._results[digest]) for digest in digests if digest in self._results}

    async def record(self, digest: str, result: LayerResult) -> None:
        """Keep a result until the process ends."""
        self._results[digest] = result.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedImage:
    """One image (or what claimed to be one). `config` is None when it could not be read; then `inventory` holds only the gap.

    `digest` is None when not even the manifest could be fetched and the reference names none. `account` sums up the image's files and `files` lists them, as far as
    the scanner was asked for it. With `is_whole` its config and all of its layers were read, so that the same digest would give the same again.
    """

    digest: Digest | None
    manifest: Manifest | None
    config: ImageConfig | None
    inventory: Inventory
    account: FileAccount | None = None
    files: tuple[FileEntry, ...] = ()
    is_whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """All that one reference holds: `root` is what it names, `images` the runnable ones in it, `artifacts` those that are none, `nested` the indexes below the root.

    `root` is None when it could not be read; `images` then has one entry that says why. So it is for an SBOM, which `described` names the subject of, as it says.
    """

    root: Manifest | Index | None
    images: tuple[InspectedImage, ...]
    artifacts: tuple[FoundArtifact, ...]
    nested: tuple[Index, ...] = ()
    described: str = ""

    @property
    def is_artifact(self) -> bool:
        """Tell whether there is nothing to judge: a chart, a signature, an index of attestations only."""
        return not self.images

    @property
    def artifact_kind(self) -> str:
        """What the root is if there is no image in it: `helm chart`, `artifact TYPE`."""
        return kind_of_artifact(self.root) if self.root and self.is_artifact else ""


class FileScope(enum.Enum):
    """What is told about an image's files: nothing; their number by what is known of them; that with contents compared; and all of it with every file listed."""

    NONE = "none"
    SUMMARY = "summary"
    COMPARED = "compared"
    ALL = "all"

    @property
    def compares_contents(self) -> bool:
        """Tell whether every file is hashed."""
        return self in {FileScope.COMPARED, FileScope.ALL}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerAccess:
    """What gets at layers that are not simply there: private keys for encrypted ones, hosts for foreign ones. By default neither."""

    keys: DecryptionKeys = field(default_factory=DecryptionKeys)
    foreign: ForeignLayers = field(default_factory=ForeignLayers)


class Scanner:
    """Reads images through worker processes; layers come from `store` where it knows them."""

    def __init__(self, pool: LayerPool, store: LayerStore, *, files: FileScope = FileScope.NONE, access: LayerAccess | None = None) -> None:
        """Keep what is given. `store` must not hold results with contents under the same key as those without."""
        self._pool = pool
        self._store = store
        self._files = files
        self._access = access or LayerAccess()

    async def inspect(
        self, source: ImageSource, *, platform: str = ALL, root: Digest | None = None, document: Manifest | Index | None = None
    ) -> Inspection:
        """Inspect what `source` names; `platform` is `os/arch[/variant]` or `all`. `root` names the digest to report if nothing can be fetched.

        `document` is what the source names, if it was fetched before.

        Raises UnavailableError, RefusedError, MissingError when the root itself is not there, and InvalidReference when it is not told which one is meant, or
        nothing in it is for that platform.
        """
        choice = PlatformChoice.parse(platform)
        try:
            document = document or await source.fetch_root()
            walk = IndexWalk(source, choice)
            await walk.visit(document)
        except InvalidReference:
            raise
        except InputError as error:
            return Inspection(root=None, images=(_unreadable("manifest", error, digest=root),), artifacts=())
        inspected = [await self._inspect_image(source, found, choice) for found in walk.images]
        images = [image for image in inspected if isinstance(image, InspectedImage)]
        images += [_unreadable("manifest", broken.error, digest=broken.digest) for broken in walk.broken]
        left_out = [*walk.left_out, *(found for found in inspected if isinstance(found, Platform))]
        if left_out and not images:
            raise InvalidReference(f"{source.reference} is not for {choice}, but for {', '.join(dict.fromkeys(map(str, left_out)))}")
        return Inspection(root=document, images=tuple(images), artifacts=tuple(walk.artifacts), nested=tuple(walk.nested))

    async def _inspect_image(self, source: ImageSource, found: FoundImage, choice: PlatformChoice) -> InspectedImage | Platform:
        """Inspect one image; answer its platform if it is another than was chosen, which only its config says where no index does."""
        manifest = found.manifest
        try:
            config = parse_config(await source.fetch_blob(manifest.config, limit=MAX_CONFIG_BYTES))
            if found.platform is None and not choice.accepts(config.platform):
                return config.platform
            layers = pair_layers(manifest, config)
        except (InputError, MissingError) as error:
            return _unreadable("config", error, digest=manifest.descriptor.digest, manifest=manifest)
        scanned = await self._scan_layers(source, layers)
        inventory, account, files = await asyncio.to_thread(self._sum_up, scanned, config)
        digest = manifest.descriptor.digest
        return InspectedImage(
            digest=digest,
            manifest=manifest,
            config=config,
            inventory=inventory,
            account=account,
            files=files,
            is_whole=all(layer.result is not None for layer in scanned),
        )

    def _sum_up(self, layers: Sequence[ScannedLayer], config: ImageConfig) -> tuple[Inventory, FileAccount | None, tuple[FileEntry, ...]]:
        view = view_image(layers)
        inventory = merge_layers(view, select_analyzers(REGISTERED, compares_contents=self._files.compares_contents))
        if self._files is FileScope.NONE:
            return inventory, None, ()
        if self._files is FileScope.SUMMARY:
            return inventory, survey_files(view, inventory, _entry_point(config)), ()
        files = tuple(list_files(view, inventory))
        account = account_files(files, view, _entry_point(config))
        return inventory, account, files if self._files is FileScope.ALL else ()

    async def _scan_layers(self, source: ImageSource, layers: Sequence[Layer]) -> list[ScannedLayer]:
        opened = await self._open_layers(layers)
        readable = [layer for layer in opened if isinstance(layer, Layer)]
        known = await self._store.load([_stored_as(layer) for layer in readable])
        wanted = {_claim(layer): layer for layer in readable if not _is_known(layer, known)}
        largest_first = sorted(wanted.values(), key=lambda layer: layer.descriptor.size, reverse=True)
        results = await run_together(self._scan_layer(source, layer) for layer in largest_first)
        scanned = dict(zip(map(_claim, largest_first), results, strict=True))
        return [layer if isinstance(layer, ScannedLayer) else scanned.get(_claim(layer)) or _known_layer(layer, known) for layer in opened]

    async def _open_layers(self, layers: Sequence[Layer]) -> Sequence[Layer | ScannedLayer]:
        """Find the ciphers of encrypted layers; one that no key opens is a gap."""
        if not any(media_types.is_encrypted_layer(layer.descriptor.media_type) for layer in layers):
            return layers
        return await asyncio.to_thread(lambda: [self._open_layer(layer) for layer in layers])

    def _open_layer(self, layer: Layer) -> Layer | ScannedLayer:
        if not media_types.is_encrypted_layer(layer.descriptor.media_type):
            return layer
        try:
            return replace(layer, cipher=self._access.keys.open(layer.descriptor))
        except InputError as error:
            return _unread_layer(layer, error)

    async def _scan_layer(self, source: ImageSource, layer: Layer) -> ScannedLayer:
        def stream() -> AsyncIterator[bytes]:
            return self._access.foreign.stream_of(source, layer.descriptor)

        try:
            result = await self._pool.scan(layer, stream, compares_contents=self._files.compares_contents)
        except (InputError, MissingError) as error:
            return _unread_layer(layer, error)
        await self._store.record(_stored_as(layer), result)
        return ScannedLayer(digest=str(layer.descriptor.digest), result=result, gap=None)


def unreadable_inspection(digest: Digest, reason: str) -> Inspection:
    """What there is to record of an image that could not be inspected at all."""
    return Inspection(root=None, images=(_unreadable("image", reason, digest=digest),), artifacts=())


def _entry_point(config: ImageConfig) -> EntryPoint:
    path = next((value for name, _, value in (entry.partition("=") for entry in config.env) if name == "PATH"), "")
    return EntryPoint(command=(*config.entrypoint, *config.cmd), path=path or DEFAULT_PATH, directory=config.working_dir or "/")


def _claim(layer: Layer) -> tuple[object, ...]:
    """All that an image says of a layer's bytes: one that has a blob twice must be right about it both times."""
    descriptor = layer.descriptor
    return descriptor.digest, descriptor.size, descriptor.media_type, layer.diff_id, layer.cipher


def _stored_as(layer: Layer) -> str:
    """The digest that a layer's result is stored under. What a key revealed is found only by those who have that key."""
    digest = layer.descriptor.digest
    return str(Digest.of(f"{digest} {layer.cipher.mark}".encode()) if layer.cipher else digest)


def _is_known(layer: Layer, known: Mapping[str, LayerResult]) -> bool:
    """A stored result counts only for the diff-id it was verified with: a config may lie about a blob that others know."""
    result = known.get(_stored_as(layer))
    return result is not None and result.diff_id == str(layer.diff_id)


def _known_layer(layer: Layer, known: Mapping[str, LayerResult]) -> ScannedLayer:
    return ScannedLayer(digest=str(layer.descriptor.digest), result=known[_stored_as(layer)], gap=None)


def _unread_layer(layer: Layer, error: Exception) -> ScannedLayer:
    digest = str(layer.descriptor.digest)
    return ScannedLayer(digest=digest, result=None, gap=_gap("layer", f"{digest}: {error}"))


def _unreadable(name: str, error: Exception | str, *, digest: Digest | None, manifest: Manifest | None = None) -> InspectedImage:
    gap = _gap(name, f"{digest}: {error}" if digest else str(error))
    inventory = Inventory(distribution=None, packages=(), coverage=Coverage(items=(gap,)))
    return InspectedImage(digest=digest, manifest=manifest, config=None, inventory=inventory)


def _gap(name: str, reason: str) -> CoverageItem:
    return CoverageItem(name=name, version="", status=CoverageStatus.FAILED, reason=reason)
