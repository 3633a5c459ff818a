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
from dataclasses import dataclass
from typing import Protocol

from pratique.errors import InputError, InvalidManifest, InvalidReference, LimitExceeded, MissingError
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
from pratique.oci.digest import Digest
from pratique.oci.manifest import MAX_CONFIG_BYTES, Descriptor, ImageConfig, Index, Layer, Manifest, Platform, pair_layers, parse_config
from pratique.registry.interface import ImageSource
from pratique.runtime.concurrency import run_together
from pratique.runtime.layer_pool import LayerPool

MAX_INDEX_DEPTH = 4  # real indexes are one level deep, rarely two: more is a trap for whoever recurses
MAX_DOCUMENTS = 128  # manifests and indexes below one index: each image may have an attestation beside it


class LayerStore(Protocol):
    """Keeps layer results under (layer digest, analyzer versions), so that no layer is read twice."""

    async def load(self, digests: Sequence[str]) -> Mapping[str, LayerResult]:
        """Load what is known of these layers."""
        ...

    async def record(self, digest: str, result: LayerResult) -> None:
        """Keep a result."""
        ...


class MemoryLayerStore:
    """Keeps nothing beyond the process: for a scan without a server."""

    def __init__(self) -> None:
        self._results: dict[str, LayerResult] = {}

    async def load(self, digests: Sequence[str]) -> Mapping[str, LayerResult]:
        """Load what this process has seen."""
        return {digest: self._results[digest] for digest in digests if digest in self._results}

    async def record(self, digest: str, result: LayerResult) -> None:
        """Keep a result until the process ends."""
        self._results[digest] = result


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedImage:
    """One image (or what claimed to be one). `config` is None when it could not be read; then `inventory` holds only the gap.

    `digest` is None when not even the manifest could be fetched and the reference names none. `account` sums up the image's files and `files` lists them, as far as
    the scanner was asked for it.
    """

    digest: Digest | None
    manifest: Manifest | None
    config: ImageConfig | None
    inventory: Inventory
    account: FileAccount | None = None
    files: tuple[FileEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """All that one reference holds: `root` is what it names, `images` the runnable ones in it, `artifacts` those that are none, `nested` the indexes below the root.

    `root` is None when it could not be read; `images` then has one entry that says why. Of the artifacts, those with a platform are only said to be some: they
    were not there to be looked at.
    """

    root: Manifest | Index | None
    images: tuple[InspectedImage, ...]
    artifacts: tuple[Descriptor, ...]
    nested: tuple[Index, ...] = ()

    @property
    def is_artifact(self) -> bool:
        """Tell whether there is nothing to judge: a chart, a signature, an index of attestations only."""
        return not self.images


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


class Scanner:
    """Reads images through worker processes; layers come from `store` where it knows them."""

    def __init__(self, pool: LayerPool, store: LayerStore, *, files: FileScope = FileScope.NONE) -> None:
        """Keep what is given. `store` must not hold results with contents under the same key as those without."""
        self._pool = pool
        self._store = store
        self._files = files

    async def inspect(self, source: ImageSource, *, platform: str = "all", root: Digest | None = None) -> Inspection:
        """Inspect what `source` names; `platform` is `os/arch[/variant]` or `all`. `root` names the digest to report if nothing can be fetched.

        Raises UnavailableError, RefusedError, MissingError when the root itself is not there, and InvalidReference when it is not told which one is meant.
        """
        try:
            document = await source.fetch_root()
            walk = _Walk(source, platform)
            await walk.visit_root(document)
        except InvalidReference:
            raise
        except InputError as error:
            return Inspection(root=None, images=(_unreadable("manifest", error, digest=root),), artifacts=())
        images = [await self._inspect_image(source, manifest) for manifest in walk.manifests]
        return Inspection(root=document, images=(*images, *walk.broken), artifacts=tuple(walk.artifacts), nested=tuple(walk.nested))

    async def _inspect_image(self, source: ImageSource, manifest: Manifest) -> InspectedImage:
        try:
            config = parse_config(await source.fetch_blob(manifest.config, limit=MAX_CONFIG_BYTES))
            layers = pair_layers(manifest, config)
        except (InputError, MissingError) as error:
            return _unreadable("config", error, digest=manifest.descriptor.digest, manifest=manifest)
        scanned = await self._scan_layers(source, layers)
        inventory, account, files = await asyncio.to_thread(self._sum_up, scanned, config)
        digest = manifest.descriptor.digest
        return InspectedImage(digest=digest, manifest=manifest, config=config, inventory=inventory, account=account, files=files)

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
        known = await self._store.load([str(layer.descriptor.digest) for layer in layers])
        wanted = {_claim(layer): layer for layer in layers if not _is_known(layer, known)}
        largest_first = sorted(wanted.values(), key=lambda layer: layer.descriptor.size, reverse=True)
        results = await run_together(self._scan_layer(source, layer) for layer in largest_first)
        scanned = dict(zip(map(_claim, largest_first), results, strict=True))
        return [scanned.get(_claim(layer)) or _known_layer(layer, known) for layer in layers]

    async def _scan_layer(self, source: ImageSource, layer: Layer) -> ScannedLayer:
        digest = str(layer.descriptor.digest)
        reason = _unscannable(layer)
        if reason:
            return ScannedLayer(digest=digest, result=None, gap=_gap("layer", f"{digest}: {reason}"))

        def stream() -> AsyncIterator[bytes]:
            return source.stream_blob(layer.descriptor)

        try:
            result = await self._pool.scan(layer, stream, compares_contents=self._files.compares_contents)
        except (InputError, MissingError) as error:
            return ScannedLayer(digest=digest, result=None, gap=_gap("layer", f"{digest}: {error}"))
        await self._store.record(digest, result)
        return ScannedLayer(digest=digest, result=result, gap=None)


def unreadable_inspection(digest: Digest, reason: str) -> Inspection:
    """What there is to record of an image that could not be inspected at all."""
    return Inspection(root=None, images=(_unreadable("image", reason, digest=digest),), artifacts=())


def _entry_point(config: ImageConfig) -> EntryPoint:
    path = next((value for name, _, value in (entry.partition("=") for entry in config.env) if name == "PATH"), "")
    return EntryPoint(command=(*config.entrypoint, *config.cmd), path=path or DEFAULT_PATH, directory=config.working_dir or "/")


def _claim(layer: Layer) -> tuple[object, ...]:
    """All that an image says of a layer's bytes: one that has a blob twice must be right about it both times."""
    descriptor = layer.descriptor
    return descriptor.digest, descriptor.size, descriptor.media_type, layer.diff_id


def _is_known(layer: Layer, known: Mapping[str, LayerResult]) -> bool:
    """A stored result counts only for the diff-id it was verified with: a config may lie about a blob that others know."""
    result = known.get(str(layer.descriptor.digest))
    return result is not None and result.diff_id == str(layer.diff_id)


def _known_layer(layer: Layer, known: Mapping[str, LayerResult]) -> ScannedLayer:
    digest = str(layer.descriptor.digest)
    return ScannedLayer(digest=digest, result=known[digest], gap=None)


def _unscannable(layer: Layer) -> str | None:
    media_type = layer.descriptor.media_type
    if media_types.is_encrypted_layer(media_type):
        return "the layer is encrypted and no key for it is configured"
    if media_types.is_foreign_layer(media_type):
        return "the layer's bytes lie outside the registry (foreign layer)"
    return None


class _Walk:
    """Collects the image manifests below a root, what is no image, and what could not be read."""

    def __init__(self, source: ImageSource, platform: str) -> None:
        self._source = source
        self._platform = platform
        self._seen: set[Digest] = set()
        self.manifests: list[Manifest] = []
        self.artifacts: list[Descriptor] = []
        self.nested: list[Index] = []
        self.broken: list[InspectedImage] = []

    async def visit_root(self, root: Manifest | Index) -> None:
        await self._visit(root, 0)
        if self._platform != "all" and not self.manifests and not self.broken and isinstance(root, Index):
            raise InvalidManifest(f"this index holds no image for platform {self._platform}")

    async def _visit(self, document: Manifest | Index, depth: int, platform: Platform | None = None) -> None:
        """Take up a document; `platform` is what its index names it with. What is named with a real one and is no image is a gap, never an artifact."""
        if isinstance(document, Index):
            if depth > MAX_INDEX_DEPTH:
                raise LimitExceeded(f"indexes nested more than {MAX_INDEX_DEPTH} deep")
            if depth:
                self.nested.append(document)
            for child in document.manifests:
                await self._visit_child(child, depth + 1)
        elif document.is_image or (document.is_statement_of_an_image and await self._is_disguised(document)):
            self.manifests.append(document)
        elif platform is not None and not platform.is_unknown:
            raise InvalidManifest(f"its index names it as the image for {platform}, but it is none")
        else:
            self.artifacts.append(document.descriptor)

    async def _is_disguised(self, statement: Manifest) -> bool:
        """Tell whether a statement's config is that of a runnable image. One that cannot be read counts as such: it then becomes a gap."""
        try:
            config = parse_config(await self._source.fetch_blob(statement.config, limit=MAX_CONFIG_BYTES))
        except (InputError, MissingError):
            return True
        return not config.platform.is_unknown

    async def _visit_child(self, child: Descriptor, depth: int) -> None:
        if child.digest in self._seen or not _is_wanted(child.platform, self._platform):
            return
        self._seen.add(child.digest)
        if len(self._seen) > MAX_DOCUMENTS:
            raise LimitExceeded(f"more than {MAX_DOCUMENTS} manifests below one index")
        try:
            await self._visit(await self._source.fetch_document(child), depth, child.platform)
        except (InputError, MissingError) as error:
            self._pass_over(child, error)

    def _pass_over(self, child: Descriptor, error: InputError | MissingError) -> None:
        """Note what could not be read. Attestations (`unknown/unknown`) are often left behind by copies; one that is there is judged by what it is."""
        if isinstance(error, MissingError) and child.platform is not None and child.platform.is_unknown:
            self.artifacts.append(child)
        else:
            self.broken.append(_unreadable("manifest", error, digest=child.digest))


def _is_wanted(found: Platform | None, wanted: str) -> bool:
    if wanted == "all" or found is None:
        return True
    return str(found) == wanted or f"{found.os}/{found.architecture}" == wanted


def _unreadable(name: str, error: Exception | str, *, digest: Digest | None, manifest: Manifest | None = None) -> InspectedImage:
    gap = _gap(name, f"{digest}: {error}" if digest else str(error))
    inventory = Inventory(distribution=None, packages=(), coverage=Coverage(items=(gap,)))
    return InspectedImage(digest=digest, manifest=manifest, config=None, inventory=inventory)


def _gap(name: str, reason: str) -> CoverageItem:
    return CoverageItem(name=name, version="", status=CoverageStatus.FAILED, reason=reason)
