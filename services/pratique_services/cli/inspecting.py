"""From the command line's TARGET to what is in it."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from pratique import __version__
from pratique.errors import InvalidReference
from pratique.oci.reference import Reference
from pratique.registry.access import RegistryAccess
from pratique.registry.client import Registries
from pratique.registry.foreign import ForeignLayers
from pratique.registry.interface import ImageSource
from pratique.registry.targets import open_source
from pratique.runtime.decryption_keys import load_decryption_keys
from pratique.runtime.layer_pool import LayerPool
from pratique.scanning import FileScope, Inspection, LayerAccess, Scanner
from pratique_services.cli.layer_cache import open_layer_store

SBOM = "sbom:"
LOCAL = ("oci:", "docker-archive:", "dir:", SBOM)
"""How targets begin that are no references into a registry."""


async def inspect_target(pool: LayerPool, options: argparse.Namespace) -> Inspection:
    """Inspect what TARGET names, layers in `pool`.

    Raises InvalidReference for what is no image and no SBOM, SettingsError for keys and hosts that are none, and what opening a source and inspecting it raise.
    """
    if options.target.startswith(SBOM):
        return await _inspect_sbom(options.target)
    keys = load_decryption_keys(_key_files(options))
    registries = Registries(_accesses(options), user_agent=f"pratique/{__version__}")
    try:
        source = open_source(options.target, registries)
        try:
            scope = FileScope(options.files)
            store = open_layer_store(options, compares_contents=scope.compares_contents)
            async with ForeignLayers(options.foreign_layers) as foreign:
                scanner = Scanner(pool, store, files=scope, access=LayerAccess(keys=keys, foreign=foreign))
                inspection = await scanner.inspect(source, platform=options.platform)
            if options.sbom_sources:
                inspection = await _add_sboms(source, inspection)
        finally:
            await source.close()
    finally:
        await registries.close()
    if inspection.is_artifact:
        raise InvalidReference(f"{options.target} is not an image, but: {inspection.artifact_kind}; there is nothing to scan in it")
    return inspection


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
