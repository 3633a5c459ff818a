"""`pratique up`, `serve`, `migrate` and `demo`."""

from __future__ import annotations

import argparse
import asyncio

from pratique.runtime.logging import configure_logging
from pratique.runtime.settings import Settings, load_settings
from pratique.storage.migrations import migrate
from pratique_services.cli.main import EXIT_OK


def up(_options: argparse.Namespace) -> int:
    """Run all services in one process, on a database that is brought up to date first."""
    from pratique_services.cli.serving import SERVICES

    settings = load_settings()
    configure_logging("up")
    asyncio.run(_migrate(settings))
    return _serve(tuple(SERVICES), settings)


def serve_one(options: argparse.Namespace) -> int:
    """Run one service; `pratique migrate` must have run before."""
    configure_logging(options.service)
    return _serve((options.service,), load_settings())


def migrate_database(_options: argparse.Namespace) -> int:
    """Create or update the tables."""
    configure_logging("migrate")
    asyncio.run(_migrate(load_settings()))
    return EXIT_OK


def demo(options: argparse.Namespace) -> int:
    """Show the main job on the embedded default."""
    from pratique_services.demo.story import run_demo

    return asyncio.run(run_demo(port=options.port, once=options.once, keep=options.keep))


def _serve(names: tuple[str, ...], settings: Settings) -> int:
    from pratique_services.cli.serving import serve

    asyncio.run(serve(names, settings))
    return EXIT_OK


async def _migrate(settings: Settings) -> None:
    await migrate(settings.database_url)
