"""A Syncer that runs against a feed server on loopback, and what it tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import PratiqueError
from pratique.feeds.configured import plan_of
from pratique.feeds.health import FeedFailure
from pratique.feeds.plan import SyncLimits
from pratique.runtime.settings import parse_settings
from pratique_services.advisor.syncing import Syncer

KEV = "kev/known_exploited_vulnerabilities.json"
QUICK = SyncLimits(connect_seconds=2, stall_seconds=1, rate_seconds=0.3, attempts=2, backoff_seconds=0.01, pause_seconds=1, feed_seconds=20)


@dataclass(kw_only=True)
class Told:
    """What a Syncer told: digests of databases in force, and failures, newest last. `refusals` are raised first, one each."""

    digests: list[str] = field(default_factory=list)
    failures: list[tuple[FeedFailure, ...]] = field(default_factory=list)
    refusals: list[PratiqueError] = field(default_factory=list)

    async def on_new(self, path: Path) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.digests.append(digest_of(path))

    async def on_failures(self, failures: tuple[FeedFailure, ...]) -> None:
        self.failures.append(failures)

    @property
    def failing(self) -> dict[str, str] | None:
        """Names and reasons of what failed last; None before anything was told."""
        return {failure.name: failure.reason for failure in self.failures[-1]} if self.failures else None


def digest_of(path: Path) -> str:
    with AdvisoryDatabase.open(path) as database:
        return str(database.digest)


def make_syncer(folder: Path, told: Told, url: str | None, **options: Any) -> Syncer:
    """One that keeps `folder/advisories.sqlite` from `folder/mirror` with feeds of the server at `url`; without one, it only watches."""
    feeds: dict[str, Any] = {"mirror": "mirror", "interval": 0.3, "enabled": ["osv", "kev"], "urls": {"osv": url, "kev": f"{url}/kev/"}}
    raw: dict[str, Any] = {"advisories": "advisories.sqlite", "feeds": feeds if url else {}}
    settings = options.pop("settings", None) or parse_settings(raw, {}, base=folder)
    plan = replace(plan_of(settings.feeds), limits=QUICK)
    return Syncer(
        **{"settings": settings, "on_new": told.on_new, "on_failures": told.on_failures, "plan": plan, "watch_seconds": 0.05, **options}
    )


@asynccontextmanager
async def running(*syncers: Syncer) -> AsyncIterator[None]:
    """Run them beside the block, which fails if one of them does."""
    tasks = [asyncio.create_task(syncer.run()) for syncer in syncers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
