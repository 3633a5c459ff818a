"""From the command line's TARGET to what is in it."""

from __future__ import annotations

import argparse

from pratique import __version__
from pratique.errors import InvalidReference
from pratique.oci.reference import Reference
from pratique.registry.access import RegistryAccess
from pratique.registry.client import Registries
from pratique.registry.targets import open_source
from pratique.runtime.layer_pool import LayerPool
from pratique.scanning import FileScope, Inspection, Scanner
from pratique_services.cli.layer_cache import open_layer_store

LOCAL = ("oci:", "docker-archive:", "dir:")
"""How targets begin that are no references into a registry."""


async def inspect_target(pool: LayerPool, options: argparse.Namespace) -> Inspection:
    """Inspect what TARGET names, layers in `pool`.

    Raises InvalidReference for what is no image, and what opening a source and inspecting it raise.
    """
    registries = Registries(_accesses(options), user_agent=f"pratique/{__version__}")
    try:
        source = open_source(options.target, registries)
        try:
            scope = FileScope(options.files)
            store = open_layer_store(options, compares_contents=scope.compares_contents)
            inspection = await Scanner(pool, store, files=scope).inspect(source, platform=options.platform)
        finally:
            await source.close()
    finally:
        await registries.close()
    if inspection.is_artifact:
        raise InvalidReference(f"{options.target} is not an image: there is nothing to scan in it")
    return inspection


def _accesses(options: argparse.Namespace) -> dict[str, RegistryAccess]:
    if options.target.startswith(LOCAL):
        return {}
    host = Reference.parse(options.target).host
    return {host: RegistryAccess(host=host, plain_http=options.plain_http)}
