"""The broker in a table of the ledger's own SQLite file: no server to run."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, assert_never

import aiosqlite
import structlog
from sqlalchemy.engine import make_url

from pratique.errors import BrokerUnavailable
from pratique.messaging import embedded_table as table
from pratique.messaging.consumers import RunningConsumers
from pratique.messaging.interface import Consumer, DeadLetter, Delivery, RetryPolicy
from pratique.messaging.settlement import (
    DELIVERY_LIMIT,
    Dead,
    Handled,
    Outcome,
    Retry,
    combine_reasons,
    describe,
    hand_over,
    settle_until_accepted,
)
from pratique.messaging.topology import require_known

_log = structlog.get_logger(__name__)

_DEFAULT_RETRY = RetryPolicy()

_POLL = 0.5
"""Seconds after which a consumer looks by itself: other processes that use the file cannot wake it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claimed:
    """A delivery and the claim that holds it."""

    id: int
    claim: str
    delivery: Delivery
    deliveries: int
    first_reason: str | None


class EmbeddedBroker:
    """A `Broker` on one SQLite file, `sqlite+aiosqlite:///path`, for any number of consumers in any number of processes of one machine.

    A consumer holds what it works on by a lease of `lease` seconds that it renews; what a killed process held comes back when the lease ends.
    """

    def __init__(self, url: str, *, retry: RetryPolicy = _DEFAULT_RETRY, lease: float = 60.0) -> None:
        self._path = make_url(url).database or ":memory:"
        self._retry = retry
        self._lease = lease
        self._connection: aiosqlite.Connection | None = None
        self._opening = asyncio.Lock()
        self._is_closed = False
        self._consumers = RunningConsumers()
        self._sleepers: dict[str, set[asyncio.Event]] = {}

    async def publish(self, queue: str, body: bytes, *, message_id: str, correlation_id: str) -> None:
        """Store a message durably: it is committed and synced.

        Raises BrokerUnavailable.
        """
        await self._run(
            table.INSERT, queue=require_known(queue), body=body, message_id=message_id, correlation_id=correlation_id, now=time.time()
        )
        self._wake(queue)

    async def consume(self, queue: str, consumer: Consumer, *, prefetch: int) -> None:
        """Hand messages to `consumer` until cancelled or closed."""
        await self._consumers.run(self._consume(require_known(queue), consumer, prefetch))

    async def depth(self, queue: str) -> int:
        """Count the messages that wait in `queue`, delayed ones included.

        Raises BrokerUnavailable.
        """
        [(count,)] = await self._run(table.COUNT_WAITING, queue=require_known(queue), now=time.time())
        return int(count)

    async def list_dead(self, queue: str, *, limit: int = 100) -> Sequence[DeadLetter]:
        """List dead letters of `queue`, oldest first, without removing them.

        Raises BrokerUnavailable.
        """
        rows = await self._run(table.LIST_DEAD, queue=require_known(queue), limit=limit)
        return [
            DeadLetter(
                queue=queue,
                message_id=message_id,
                correlation_id=correlation_id,
                body=body,
                reason=reason,
                attempts=attempt,
                died_at=dt.datetime.fromtimestamp(died_at, dt.UTC),
            )
            for message_id, correlation_id, body, reason, attempt, died_at in rows
        ]

    async def replay_dead(self, queue: str, *, message_id: str | None = None) -> int:
        """Move one dead letter, or all, back to `queue` with a fresh count; answer how many.

        Raises BrokerUnavailable.
        """
        rows = await self._run(table.REPLAY_DEAD, queue=require_known(queue), message_id=message_id, now=time.time())
        self._wake(queue)
        return len(list(rows))

    async def ping(self) -> None:
        """Raise BrokerUnavailable unless the file can be read now."""
        await self._run("SELECT 1 FROM embedded_queue LIMIT 1")

    async def close(self) -> None:
        """Stop consuming, give deliveries back and close the file."""
        await self._consumers.stop()
        async with self._opening:
            self._is_closed = True
            if self._connection is not None:
                await self._connection.close()

    # Consuming

    async def _consume(self, queue: str, consumer: Consumer, prefetch: int) -> None:
        claim = uuid.uuid4().hex
        slots = asyncio.Semaphore(prefetch)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._renew(claim))
                async with self._sleeper(queue) as woken:
                    while True:
                        await slots.acquire()
                        work = group.create_task(self._work(await self._next(queue, claim, woken), consumer))
                        work.add_done_callback(lambda _: slots.release())
        finally:
            await self._release(claim, queue)

    async def _next(self, queue: str, claim: str, woken: asyncio.Event) -> _Claimed:
        while True:
            woken.clear()
            try:
                claimed = await self._claim(queue, claim)
            except BrokerUnavailable as error:
                _log.warning("broker.lost", queue=queue, reason=describe(error))
                claimed = None
            if claimed is not None:
                return claimed
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL):
                    await woken.wait()

    async def _claim(self, queue: str, claim: str) -> _Claimed | None:
        now = time.time()
        for (found,) in await self._run(table.FIND_DUE, queue=queue, now=now):
            rows = await self._run(table.CLAIM, id=found, claim=claim, now=now, until=now + self._lease)
            for row_id, message_id, correlation_id, body, attempt, deliveries, first_reason in rows:
                delivery = Delivery(queue=queue, message_id=message_id, correlation_id=correlation_id, body=body, attempt=attempt)
                return _Claimed(id=row_id, claim=claim, delivery=delivery, deliveries=deliveries, first_reason=first_reason)
        return None

    async def _work(self, claimed: _Claimed, consumer: Consumer) -> None:
        outcome: Outcome
        if claimed.deliveries > DELIVERY_LIMIT:
            outcome = Dead(reason=f"delivered {DELIVERY_LIMIT} times without an outcome")
        else:
            outcome = await hand_over(consumer, claimed.delivery, self._retry)
        await settle_until_accepted(lambda: self._settle(claimed, outcome))

    async def _settle(self, claimed: _Claimed, outcome: Outcome) -> None:
        delivery = claimed.delivery
        facts = {"queue": delivery.queue, "message_id": delivery.message_id}
        match outcome:
            case Handled():
                await self._run(table.ACKNOWLEDGE, id=claimed.id, claim=claimed.claim)
            case Retry(delay=delay, reason=reason):
                await self._run(table.RETRY, id=claimed.id, claim=claimed.claim, due_at=time.time() + delay, reason=reason)
                asyncio.get_running_loop().call_later(delay, self._wake, delivery.queue)
                _log.info("message.retried", **facts, attempt=delivery.attempt, reason=reason)
            case Dead(reason=reason):
                whole = combine_reasons(claimed.first_reason, reason)
                await self._run(table.BURY, id=claimed.id, claim=claimed.claim, reason=whole, now=time.time())
                _log.warning("message.dead", **facts, attempts=delivery.attempt, reason=reason)
            case _:
                assert_never(outcome)

    async def _renew(self, claim: str) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            try:
                await self._run(table.RENEW, claim=claim, until=time.time() + self._lease)
            except BrokerUnavailable as error:
                _log.warning("lease.unrenewed", reason=describe(error))

    async def _release(self, claim: str, queue: str) -> None:
        try:
            await self._run(table.RELEASE, claim=claim, now=time.time())
        except BrokerUnavailable as error:
            _log.warning("message.unsettled", queue=queue, reason=describe(error))  # the lease gives it back
        self._wake(queue)

    # Waking

    @asynccontextmanager
    async def _sleeper(self, queue: str) -> AsyncIterator[asyncio.Event]:
        woken = asyncio.Event()
        sleepers = self._sleepers.setdefault(queue, set())
        sleepers.add(woken)
        try:
            yield woken
        finally:
            sleepers.discard(woken)

    def _wake(self, queue: str) -> None:
        for woken in self._sleepers.get(queue, ()):
            woken.set()

    # The file

    async def _run(self, statement: str, **values: object) -> Iterable[Any]:
        """Run one statement in a transaction of its own.

        Raises BrokerUnavailable.
        """
        try:
            connection = await self._opened()
            return await connection.execute_fetchall(statement, values)
        except sqlite3.Error as error:
            raise BrokerUnavailable(f"expected the embedded queue in {self._path} to answer, got {describe(error)}") from error

    async def _opened(self) -> aiosqlite.Connection:
        async with self._opening:
            if self._is_closed:
                raise BrokerUnavailable("expected an open broker, got one that was closed")
            if self._connection is None:
                connection = await aiosqlite.connect(self._path, isolation_level=None)
                try:
                    for statement in table.SETUP:
                        await connection.execute_fetchall(statement)
                except BaseException:
                    await connection.close()
                    raise
                self._connection = connection
            return self._connection
