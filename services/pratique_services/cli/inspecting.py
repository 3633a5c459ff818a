"""From the command line's TARGET to what is in it."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from pratique import __version__
from pratique.errors import InputError, InvalidReference
from pratique.inventory.coverage import Coverage
from pratique.inventory.package import InstalledPackage
from pratique.oci.manifest import Index, Manifest
from pratique.oci.reference import Reference
from pratique.registry.access import RegistryAccess
from pratique.registry.client import Registries
from pratique.registry.foreign import ForeignLayers
from pratique.registry.interface import ImageSource
from pratique.registry.targets import open_source
from pratique.reports.report import ImageFiles
from pratique.runtime.decryption_keys import load_decryption_keys
from pratique.runtime.layer_pool import LayerPool
from pratique.scanning import FileScope, InspectedImage, Inspection, LayerAccess, Scanner
from pratique_services.cli.known_targets import KnownTargets
from pratique_services.cli.layer_cache import open_layer_store
from pratique_services.cli.target_inventory import TargetInventory
from pratique_services.cli.targets import LOCAL, SBOM


async def inspect_target(pool: LayerPool, options: argparse.Namespace, known: KnownTargets | None) -> TargetInventory:
    """Inspect what TARGET names, layers in `pool`, unless its digest is `known`; what is found is added there.

    Raises InvalidReference for what is no image and no SBOM, SettingsError for keys and hosts that are none, and what opening a source and inspecting it raise.
    """
    if options.target.startswith(SBOM):
        return sum_up(await _inspect_sbom(options.target))
    async with Registries(_accesses(options), user_agent=f"pratique/{__version__}") as registries:
        source = open_source(options.target, registries)
        try:
            root = await _fetch_root(source) if known else None
            target = known.load(root.descriptor.digest, root.descriptor.media_type) if known and root else None
            target = target or await _inspect(pool, options, source, root)
            if known:
                _record(known, target, options, registries)
        finally:
            await source.close()
    return target


async def _inspect(pool: LayerPool, options: argparse.Namespace, source: ImageSource, root: Manifest | Index | None) -> TargetInventory:
    keys = load_decryption_keys(_key_files(options))
    scope = FileScope(options.files)
    store = open_layer_store(options, compares_contents=scope.compares_contents)
    async with ForeignLayers(options.foreign_layers) as foreign:
        scanner = Scanner(pool, store, files=scope, access=LayerAccess(keys=keys, foreign=foreign))
        inspection = await scanner.inspect(source, platform=options.platform, document=root)
    if options.sbom_sources:
        inspection = await _add_sboms(source, inspection)
    if inspection.is_artifact:
        raise InvalidReference(f"{options.target} is not an image, but: {inspection.artifact_kind}; there is nothing to scan in it")
    return sum_up(inspection)


async def _fetch_root(source: ImageSource) -> Manifest | Index | None:
    """Fetch what the target names; None for wrong bytes, which the scanner judges."""
    try:
        return await source.fetch_root()
    except InputError:
        return None


def _record(known: KnownTargets, target: TargetInventory, options: argparse.Namespace, registries: Registries) -> None:
    known.record(target)
    reference = Reference.parse(options.target)
    if registries.client(reference.host).is_open:
        known.record_open(reference)


async def _inspect_sbom(target: str) -> Inspection:
    from pratique.sbom_inspection import inspect_sbom

    path = target.removeprefix(SBOM)
    if not path:
        raise InvalidReference(f"expected a path after {SBOM}")
    return await asyncio.to_thread(inspect_sbom, Path(path))


async def _add_sboms(source: ImageSource, inspection: Inspection) -> Inspection:
    from pratique.sbom_inspection import add_attached_sboms

    return await add_attached_sboms(source, inspection)


def _key_files(options: argparse.Namespace) -> list[tuple[Path, str]]:
    password = os.environ.get("PRATIQUE_KEY_PASSWORD", "")
    return [(path, password) for path in options.decryption_key]


def _accesses(options: argparse.Namespace) -> dict[str, RegistryAccess]:
    if options.target.startswith(LOCAL):
        return {}
    host = Reference.parse(options.target).host
    return {host: RegistryAccess(host=host, plain_http=options.plain_http)}


def sum_up(inspection: Inspection) -> TargetInventory:
    """Join the images of an inspection."""
    root, images = inspection.root, inspection.images
    platforms = [str(image.config.platform) for image in images if image.config]
    distributions = [image.inventory.distribution for image in images if image.inventory.distribution]
    return TargetInventory(
        digest=str(root.descriptor.digest) if root else _described_digest(inspection),
        media_type=root.descriptor.media_type if root else "",
        platform=",".join(platforms) or None,
        distributions=tuple(dict.fromkeys(distributions)),
        packages=_packages(images),
        coverage=_coverage_of(images),
        files=_files(images),
        described=inspection.described,
        is_whole=root is not None and all(image.is_whole for image in images),
    )


def _described_digest(inspection: Inspection) -> str | None:
    """The digest of the image that an SBOM is about, as it says."""
    digests = [str(image.digest) for image in inspection.images if image.digest and inspection.described]
    return digests[0] if digests else None


def _packages(images: Sequence[InspectedImage]) -> tuple[InstalledPackage, ...]:
    installed = (one for image in images for one in image.inventory.packages)
    unique = {(one.package.purl, one.layer): one for one in installed}
    return tuple(sorted(unique.values(), key=lambda one: one.package.purl))


def _coverage_of(images: Sequence[InspectedImage]) -> Coverage:
    items = [item for image in images for item in image.inventory.coverage.items]
    return Coverage(items=tuple(dict.fromkeys(items)))


def _files(images: Sequence[InspectedImage]) -> tuple[ImageFiles, ...]:
    return tuple(
        ImageFiles(
            digest=str(image.digest) if image.digest else None,
            platform=str(image.config.platform) if image.config else None,
            account=image.account,
            files=image.files,
        )
        for image in images
        if image.account is not None
    )
