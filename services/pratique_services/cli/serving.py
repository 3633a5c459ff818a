"""Running services: one in a process (`serve`), or all of them together (`up`)."""

from __future__ import annotations

import gc
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web

from pratique.runtime.resources import Resources, open_resources
from pratique.runtime.service import add_operations_routes, listening, run_until_stopped
from pratique.runtime.settings import Settings
from pratique_services.advisor import app as advisor
from pratique_services.api import app as api
from pratique_services.enforcer import app as enforcer
from pratique_services.gateway import app as gateway
from pratique_services.notifier import app as notifier
from pratique_services.scanner import app as scanner

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a service adds to its process: routes to the web application, work to the loop, or both."""

    mount: Callable[[web.Application, Resources], None] | None = None
    run: Callable[[Resources], Coroutine[Any, Any, None]] | None = None


SERVICES = {
    "gateway": Service(mount=gateway.mount),
    "scanner": Service(run=scanner.run),
    "enforcer": Service(run=enforcer.run),
    "notifier": Service(run=notifier.run),
    "advisor": Service(run=advisor.run),
    "api": Service(mount=api.mount),
}


Companion = Callable[[str, Resources], Coroutine[Any, Any, None]]
"""Runs beside the services, on their resources; it is told the address they listen at."""


async def serve(names: Sequence[str], settings: Settings, beside: Companion | None = None) -> None:
    """Run services until a signal comes, one of them fails, or `beside` ends.

    Raises SettingsError, UnavailableError at start-up, and whatever `beside` raises.
    """
    _relax_collector()
    chosen = [SERVICES[name] for name in names]
    async with open_resources(settings) as resources:
        app = web.Application()
        add_operations_routes(app, resources.checks, resources.notes)
        for service in chosen:
            if service.mount is not None:
                service.mount(app, resources)
        host, port = settings.listen_address
        async with listening(app, host, port) as (bound_host, bound_port):
            _log.info("service.started", services=list(names), address=f"{bound_host}:{bound_port}")
            running = [service.run(resources) for service in chosen if service.run is not None]
            if beside is not None:
                running.append(beside(f"http://{bound_host}:{bound_port}", resources))
            await run_until_stopped(resources.relay.run(), *running)
        _log.info("service.stopped", services=list(names))


def _relax_collector() -> None:
    """Let the garbage collector look for cycles less often, and never among what was imported: by default a fifth of the time of matching is its."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
