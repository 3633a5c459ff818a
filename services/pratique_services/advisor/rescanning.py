"""Re-scans: images are scanned again when an analyzer's version has changed, or when they could not be read completely.

They never go ahead of pushes: their scans are a class with a queue of its own, and only `max_in_flight` of them wait or run at a time. The verdict that an image has
stands until the new scan is judged.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import structlog

from pratique.errors import UnavailableError
from pratique.inventory.analyzers import ANALYZERS_KEY
from pratique.runtime.settings import RescanSettings
from pratique.storage.engine import Database
from pratique.storage.intake import request_scan
from pratique.storage.rescans import (
    PRIORITY,
    DueRescan,
    RescanPosition,
    RescanRule,
    count_open_rescans,
    load_due_rescans,
)

_log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Rescanner:
    """Asks for re-scans in sweeps over all images, longest not inspected first: one whose scan fails again and again does not keep the others waiting.

    `hosts` are the registries of the settings. `wake` tells the outbox relay of a commit. `top_up` is after how many seconds the places of scans that have ended
    are filled again while a sweep lasts.
    """

    database: Database
    settings: RescanSettings
    hosts: Collection[str]
    wake: Callable[[], None]
    top_up: float = 5.0
    _position: RescanPosition | None = field(default=None, init=False)  # how far this sweep is; None between two

    async def run(self) -> None:
        """Ask for what is due until cancelled; returns at once where re-scans are switched off."""
        while self.settings.enabled:
            try:
                await self.order()
            except UnavailableError as error:
                _log.warning("rescans.postponed", error=str(error))
            await asyncio.sleep(self._pause)

    @property
    def _pause(self) -> float:
        return self.settings.interval if self._position is None else min(self.settings.interval, self.top_up)

    async def order(self) -> int:
        """Ask for as many re-scans as are due and may be under way beside those that are; answer how many.

        All places of an image are asked for together, and may exceed the bound: its layers are read for the first, and known to the others. Raises UnavailableError.
        """
        before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=self.settings.retry_after)
        rule = RescanRule(analyzers_key=ANALYZERS_KEY, before=before, hosts=self.hosts)
        async with self.database.reading() as session:
            room = self.settings.max_in_flight - await count_open_rescans(session)
            if room <= 0:
                return 0
            due = await load_due_rescans(session, rule, limit=room, after=self._position)
        for image in due.images:
            await self._order_image(image)
        self._position = due.position
        return sum(len(image.places) for image in due.images)

    async def _order_image(self, image: DueRescan) -> None:
        reason = "analyzers have changed" if image.is_outdated else "not read completely"
        # One transaction: once one of the places is scanned, nothing tells any more that the others are due.
        async with self.database.transaction() as session:
            for place in image.places:
                await request_scan(
                    session,
                    host=place.host,
                    repository=place.repository,
                    tag=place.tag,
                    digest=place.digest,
                    priority=PRIORITY,
                    correlation_id=uuid.uuid4().hex,
                    requested_by=f"schedule: {reason}",
                )
        self.wake()
        _log.info("rescans.ordered", image_digest=image.image_digest, places=len(image.places), reason=reason)
