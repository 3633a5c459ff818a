"""Reconciliation: finds what got stuck between two steps, and puts it back.

The table is the truth and the queue can be rebuilt from it, so all of these are harmless when the work is under way after all:

1. scans whose lease ran out (a worker died), or whose message never came: queued again;
2. scans that ended without a decision, and decisions that were not announced: their message is sent again.

Events that are committed and not published need no search: the outbox relay of every service goes on with them.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass

import structlog

from pratique.errors import UnavailableError
from pratique.messages import QUEUES
from pratique.messaging.interface import Broker
from pratique.runtime.metrics import OLDEST_QUEUED, OUTBOX_DEPTH, QUEUE_DEPTH, RECONCILED
from pratique.runtime.settings import ReconcileSettings
from pratique.storage.engine import Database
from pratique.storage.outbox import count_unpublished, prune_published
from pratique.storage.queries import oldest_queued_age
from pratique.storage.scans import load_overdue_scans, requeue_scan
from pratique.storage.stuck import announce_undecided, load_undecided

_BATCH = 200
_KEEP_PUBLISHED = dt.timedelta(days=1)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Looks for stuck work every `settings.interval` seconds."""

    database: Database
    broker: Broker
    settings: ReconcileSettings

    async def run(self) -> None:
        """Reconcile until cancelled."""
        while True:
            try:
                await self.reconcile()
            except UnavailableError as error:
                _log.warning("reconcile.postponed", error=str(error))
            await asyncio.sleep(self.settings.interval)

    async def reconcile(self) -> int:
        """Put back what is stuck now; answer how much that was."""
        now = dt.datetime.now(dt.UTC)
        async with self.database.transaction() as session:
            overdue = await load_overdue_scans(session, now=now, queued_for=self.settings.queued_for, limit=_BATCH)
            requeued = [scan.scan_id for scan in overdue if await requeue_scan(session, scan.scan_id)]
        async with self.database.transaction() as session:
            undecided = await load_undecided(session, before=now - dt.timedelta(seconds=self.settings.queued_for), limit=_BATCH)
            for scan in undecided:
                await announce_undecided(session, scan)
        async with self.database.transaction() as session:
            await prune_published(session, now - _KEEP_PUBLISHED)
        for kind, found in (("scan", len(requeued)), ("decision", len(undecided))):
            RECONCILED.labels(kind=kind).inc(found)
            if found:
                _log.warning("reconcile.requeued", kind=kind, count=found)
        await self._measure(now)  # last: the broker may be away
        return len(requeued) + len(undecided)

    async def _measure(self, now: dt.datetime) -> None:
        for queue in QUEUES:
            QUEUE_DEPTH.labels(queue=queue).set(await self.broker.depth(queue))
        async with self.database.reading() as session:
            OUTBOX_DEPTH.set(await count_unpublished(session))
            ages = await oldest_queued_age(session, now=now)
        OLDEST_QUEUED.set(max(ages.values(), default=0.0))
