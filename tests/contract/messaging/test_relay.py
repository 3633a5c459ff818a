"""The outbox relay on both databases: nothing that was committed stays unpublished."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from pratique.errors import BrokerUnavailable
from pratique.messages import InventoryRecorded, parse_message
from pratique.messaging.embedded import EmbeddedBroker
from pratique.messaging.interface import Consumer, DeadLetter
from pratique.messaging.relay import OutboxRelay
from pratique.storage.engine import Database
from pratique.storage.outbox import count_unpublished, enqueue
from tests.support.brokers import Recorder, consuming, eventually
from tests.support.databases import PostgresFactory, SqliteFactory


class ScriptedBroker:
    """Takes messages, except while it is told to refuse them."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.taken: Counter[str] = Counter()
        self.refused = 0
        self.is_away = False
        self.refuses: set[str] = set()
        self._seconds = seconds

    async def publish(self, queue: str, body: bytes, *, message_id: str, correlation_id: str) -> None:
        assert queue == "enforce"
        assert message_id
        await asyncio.sleep(self._seconds)
        if self.is_away or correlation_id in self.refuses:
            self.refused += 1
            raise BrokerUnavailable("away")
        message = parse_message(body)
        assert message.correlation_id == correlation_id
        self.taken[correlation_id] += 1

    async def consume(self, queue: str, consumer: Consumer, *, prefetch: int) -> None:
        raise NotImplementedError

    async def depth(self, queue: str) -> int:
        raise NotImplementedError

    async def list_dead(self, queue: str, *, limit: int = 100) -> Sequence[DeadLetter]:
        raise NotImplementedError

    async def replay_dead(self, queue: str, *, message_id: str | None = None) -> int:
        raise NotImplementedError

    async def ping(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url, pool_size=5)
    yield database
    await database.close()


@asynccontextmanager
async def running(relay: OutboxRelay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def leave(database: Database, *correlation_ids: str) -> None:
    async with database.transaction() as session:
        for correlation_id in correlation_ids:
            await enqueue(session, InventoryRecorded(scan_id="s", correlation_id=correlation_id))


async def has_published_all(database: Database) -> bool:
    async with database.reading() as session:
        return await count_unpublished(session) == 0


async def test_what_was_left_in_the_outbox_is_published_once(database: Database) -> None:
    broker = ScriptedBroker()
    await leave(database, *(f"c{number}" for number in range(25)))
    async with running(OutboxRelay(database, broker, batch=10)):
        await eventually(lambda: has_published_all(database))
    assert broker.taken == {f"c{number}": 1 for number in range(25)}


async def test_waking_saves_the_wait_for_the_next_poll(database: Database) -> None:
    broker = ScriptedBroker()
    relay = OutboxRelay(database, broker, idle_poll=60)
    async with running(relay):
        await asyncio.sleep(0.2)
        await leave(database, "late")
        relay.wake()
        await eventually(lambda: has_published_all(database))
    assert broker.taken == {"late": 1}


async def test_a_relay_looks_by_itself(database: Database) -> None:
    broker = ScriptedBroker()
    async with running(OutboxRelay(database, broker, idle_poll=0.05)):
        await asyncio.sleep(0.2)
        await leave(database, "late")
        await eventually(lambda: has_published_all(database))


async def test_nothing_is_marked_while_the_broker_is_away_and_all_is_published_afterwards(database: Database) -> None:
    broker = ScriptedBroker()
    broker.is_away = True
    await leave(database, "a", "b")

    async def has_been_refused() -> bool:
        return broker.refused >= 4

    async with running(OutboxRelay(database, broker)):
        await eventually(has_been_refused)
        assert not await has_published_all(database)
        broker.is_away = False
        await eventually(lambda: has_published_all(database))
    assert broker.taken == {"a": 1, "b": 1}


async def test_one_message_that_is_refused_holds_up_no_other(database: Database) -> None:
    broker = ScriptedBroker()
    broker.refuses = {"b"}
    await leave(database, "a", "b", "c")

    async def has_taken_the_others() -> bool:
        return set(broker.taken) == {"a", "c"}

    async with running(OutboxRelay(database, broker, idle_poll=0.05)):
        await eventually(has_taken_the_others)
        assert not await has_published_all(database)
        broker.refuses = set()
        await eventually(lambda: has_published_all(database))
    assert broker.taken == {"a": 1, "b": 1, "c": 1}


async def test_a_relay_that_is_stopped_while_publishing_loses_nothing(database: Database) -> None:
    slow, quick = ScriptedBroker(seconds=30), ScriptedBroker()
    await leave(database, "a")
    async with running(OutboxRelay(database, slow)):
        await asyncio.sleep(0.3)
    async with running(OutboxRelay(database, quick)):
        await eventually(lambda: has_published_all(database))
    assert quick.taken == {"a": 1}


async def test_two_relays_on_postgresql_publish_each_message_once(postgres_databases: PostgresFactory) -> None:
    url = await postgres_databases.create()
    database, other = Database(url, pool_size=3), Database(url, pool_size=3)
    broker = ScriptedBroker(seconds=0.02)
    await leave(database, *(f"c{number}" for number in range(60)))
    try:
        async with running(OutboxRelay(database, broker, batch=7)), running(OutboxRelay(other, broker, batch=7)):
            await eventually(lambda: has_published_all(database))
    finally:
        await database.close()
        await other.close()
        await postgres_databases.drop(url)
    assert broker.taken == {f"c{number}": 1 for number in range(60)}


async def test_outbox_and_embedded_queue_live_in_one_file(sqlite_databases: SqliteFactory) -> None:
    url = await sqlite_databases.create()
    database, broker, recorder = Database(url), EmbeddedBroker(url), Recorder()
    try:
        async with running(OutboxRelay(database, broker, idle_poll=0.05)), consuming(broker, "enforce", recorder):
            for number in range(20):
                await leave(database, f"c{number}")
            await recorder.wait_for(20)
            await eventually(lambda: has_published_all(database))
    finally:
        await broker.close()
        await database.close()
        await sqlite_databases.drop(url)
    assert {delivery.correlation_id for delivery in recorder.deliveries} == {f"c{number}" for number in range(20)}
