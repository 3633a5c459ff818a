"""What services share in one process, opened once and closed in reverse: database, broker, registries, the outbox relay."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial

from pratique import __version__
from pratique.messaging.factory import open_broker
from pratique.messaging.interface import Broker, RetryPolicy
from pratique.messaging.relay import OutboxRelay
from pratique.registry.access import RegistryAccess
from pratique.registry.client import Registries
from pratique.runtime.feed_readiness import load_feeds_document
from pratique.runtime.service import Check, Note
from pratique.runtime.settings import RegistrySettings, Settings
from pratique.runtime.vex_files import load_vex_trust
from pratique.storage.engine import Database
from pratique.storage.migrations import check_schema
from pratique.vex.trust import VexTrust


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Open connections. `relay.wake()` after a commit that wrote to the outbox saves its poll. `vex` says whose VEX takes findings away."""

    settings: Settings
    database: Database
    broker: Broker
    registries: Registries
    relay: OutboxRelay
    vex: VexTrust = field(default_factory=VexTrust)

    @property
    def checks(self) -> dict[str, Check]:
        """What `/readyz` asks: without these the service is not ready."""
        return {"database": self.database.ping, "broker": self.broker.ping}

    @property
    def notes(self) -> dict[str, Note]:
        """What `/readyz` shows besides."""
        return {"feeds": partial(load_feeds_document, self.database)}


@contextlib.asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Open everything; refuses to start on a database whose schema is not the one this version was made for.

    Raises SettingsError, UnavailableError.
    """
    async with contextlib.AsyncExitStack() as stack:
        vex = await asyncio.to_thread(load_vex_trust, settings.vex)
        database = Database(settings.database_url)
        stack.push_async_callback(database.close)
        await check_schema(database)
        retry = RetryPolicy(max_attempts=settings.retry.max_attempts, delays=settings.retry.delays)
        broker = await open_broker(settings.effective_broker_url, retry=retry)
        stack.push_async_callback(broker.close)
        registries = open_registries(settings)
        stack.push_async_callback(registries.close)
        relay = OutboxRelay(database, broker)
        yield Resources(settings=settings, database=database, broker=broker, registries=registries, relay=relay, vex=vex)


def open_registries(settings: Settings) -> Registries:
    """Make the registry clients for the hosts in the settings, with the user agent by which the gateway knows our own pushes."""
    accesses = {registry.host: _access(registry) for registry in settings.registries}
    return Registries(accesses, user_agent=f"pratique/{__version__} ({settings.instance_token})")


def _access(registry: RegistrySettings) -> RegistryAccess:
    return RegistryAccess(
        host=registry.host,
        plain_http=registry.plain_http,
        username=registry.username,
        password=registry.password,
        ca_file=registry.ca_file,
        concurrency=registry.concurrency,
        connect_timeout=registry.connect_timeout,
        read_timeout=registry.read_timeout,
    )
