"""From the outbox to the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from pratique.errors import UnavailableError
from pratique.messaging.interface import Broker
from pratique.messaging.settlement import describe, pause_after
from pratique.storage.engine import Database
from pratique.storage.outbox import OutboxRow, load_unpublished, mark_published

_log = structlog.get_logger(__name__)


class OutboxRelay:
    """Publishes what transactions have left in the outbox, at least once.

    Any number of relays may run on one PostgreSQL: each locks the rows that it publishes. On SQLite there should be one.
    """

    def __init__(self, database: Database, broker: Broker, *, batch: int = 100, idle_poll: float = 0.5) -> None:
        self._database = database
        self._broker = broker
        self._batch = batch
        self._idle_poll = idle_poll
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Say that a transaction which wrote to the outbox is committed: saves the wait until the next poll, `idle_poll` seconds."""
        self._awake.set()

    async def run(self) -> None:
        """Publish until cancelled; while broker or database are away, try again after a growing pause."""
        failures = 0
        while True:
            self._awake.clear()
            try:
                count = await self._relay_batch()
            except UnavailableError as error:
                failures += 1
                _log.warning("outbox.delayed", reason=describe(error), failures=failures)
                await asyncio.sleep(pause_after(failures, cap=30))
                continue
            failures = 0
            if count < self._batch:
                await self._rest()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._idle_poll):
                await self._awake.wait()

    async def _relay_batch(self) -> int:
        """Publish one batch and mark what the broker has taken; answer how many that were.

        Raises UnavailableError when it took none of them.
        """
        if not self._database.is_sqlite:
            async with self._database.transaction() as session:  # held while publishing: its locks keep other relays off these rows
                published = await self._publish(await load_unpublished(session, self._batch))
                await mark_published(session, published)
            return len(published)
        # A transaction held on SQLite would keep everybody off the file, the embedded queue included.
        async with self._database.reading() as session:
            rows = await load_unpublished(session, self._batch)
        published = await self._publish(rows)
        if published:
            async with self._database.transaction() as session:
                await mark_published(session, published)
        return len(published)

    async def _publish(self, rows: Sequence[OutboxRow]) -> list[str]:
        results = await asyncio.gather(*(self._publish_one(row) for row in rows))
        refused = [result for result in results if result is not None]
        if refused and len(refused) == len(rows):
            raise refused[0]
        if refused:
            _log.warning("outbox.delayed", reason=describe(refused[0]), rows=len(refused))
        return [row.id for row, result in zip(rows, results, strict=True) if result is None]

    async def _publish_one(self, row: OutboxRow) -> UnavailableError | None:
        try:
            await self._broker.publish(row.queue, row.body, message_id=row.message_id, correlation_id=row.correlation_id)
        except UnavailableError as error:
            return error
        return None
