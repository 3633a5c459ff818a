"""What the embedded queue promises beyond the contract: leases, and several processes on one file."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest

from pratique.errors import BrokerUnavailable
from pratique.messaging.embedded import EmbeddedBroker
from pratique.messaging.settlement import DELIVERY_LIMIT
from tests.support.brokers import Recorder, consuming, eventually, hang, publish

QUEUE = "scan.push"

OpenEmbedded = Callable[..., EmbeddedBroker]

CONSUMER_PROCESS = """
import asyncio, sys
from pratique.messaging.embedded import EmbeddedBroker

async def hang(delivery):
    print("begun", flush=True)
    await asyncio.Event().wait()

asyncio.run(EmbeddedBroker(sys.argv[1], lease=1.0).consume("scan.push", hang, prefetch=1))
"""


@pytest.fixture
async def open_embedded(queue_file: str) -> AsyncIterator[OpenEmbedded]:
    async with AsyncExitStack() as stack:

        def open_one(lease: float = 60.0) -> EmbeddedBroker:
            broker = EmbeddedBroker(queue_file, lease=lease)
            stack.push_async_callback(broker.close)
            return broker

        yield open_one


def path_of(queue_file: str) -> Path:
    return Path(queue_file.removeprefix("sqlite+aiosqlite:///"))


async def test_what_a_killed_process_worked_on_comes_back(open_embedded: OpenEmbedded, queue_file: str) -> None:
    broker = open_embedded()
    await publish(broker, QUEUE, "a")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CONSUMER_PROCESS, queue_file, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 20) == b"begun\n"
    finally:
        process.kill()
        await process.communicate()
    recorder = Recorder()
    async with consuming(broker, QUEUE, recorder):
        await recorder.wait_for(1)
    assert recorder.attempts == [1]


async def test_a_message_that_is_worked_on_for_longer_than_a_lease_stays_where_it_is(open_embedded: OpenEmbedded) -> None:
    first, second = Recorder(hang), Recorder()
    broker = open_embedded(lease=0.3)
    await publish(broker, QUEUE, "a")
    async with consuming(broker, QUEUE, first):
        await first.wait_for(1)
        async with consuming(open_embedded(), QUEUE, second):
            await asyncio.sleep(1.2)
            assert second.deliveries == []


async def test_a_consumer_finds_what_another_process_published(open_embedded: OpenEmbedded) -> None:
    recorder = Recorder()
    async with consuming(open_embedded(), QUEUE, recorder):
        await asyncio.sleep(0.1)
        await publish(open_embedded(), QUEUE, "a")  # shares nothing with the first but the file
        await recorder.wait_for(1)


async def test_a_consumer_of_the_same_broker_is_woken_at_once(open_embedded: OpenEmbedded) -> None:
    broker, recorder = open_embedded(), Recorder()
    async with consuming(broker, QUEUE, recorder):
        await asyncio.sleep(0.1)
        started = time.monotonic()
        await publish(broker, QUEUE, "a")
        await recorder.wait_for(1)
    assert time.monotonic() - started < 0.3


async def test_a_message_that_kills_its_consumer_each_time_becomes_a_dead_letter(open_embedded: OpenEmbedded, queue_file: str) -> None:
    broker, recorder = open_embedded(), Recorder()
    await publish(broker, QUEUE, "a")
    with closing(sqlite3.connect(path_of(queue_file))) as file, file:
        file.execute("UPDATE embedded_queue SET deliveries = ?", (DELIVERY_LIMIT,))

    async def has_died() -> bool:
        return len(await broker.list_dead(QUEUE)) == 1

    async with consuming(broker, QUEUE, recorder):
        await eventually(has_died)
    assert recorder.deliveries == []


async def test_a_stolen_message_is_not_settled_by_the_one_it_was_stolen_from(open_embedded: OpenEmbedded, queue_file: str) -> None:
    go_on = asyncio.Event()

    async def wait(_delivery: object) -> None:
        await go_on.wait()

    broker, recorder = open_embedded(), Recorder(wait)
    await publish(broker, QUEUE, "a")
    async with consuming(broker, QUEUE, recorder):
        await recorder.wait_for(1)
        with closing(sqlite3.connect(path_of(queue_file))) as file, file:
            file.execute("UPDATE embedded_queue SET claim = 'somebody else'")
        go_on.set()
        await asyncio.sleep(0.2)
    with closing(sqlite3.connect(path_of(queue_file))) as file:
        assert file.execute("SELECT claim FROM embedded_queue").fetchall() == [("somebody else",)]


async def test_the_file_is_in_wal_mode_so_that_the_ledger_can_be_read_meanwhile(open_embedded: OpenEmbedded, queue_file: str) -> None:
    await publish(open_embedded(), QUEUE, "a")
    with closing(sqlite3.connect(path_of(queue_file))) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    broker = EmbeddedBroker(f"sqlite+aiosqlite:///{tmp_path / 'no-such-folder' / 'ledger.sqlite'}")
    with pytest.raises(BrokerUnavailable, match="unable to open"):
        await broker.ping()
    await broker.close()
    await asyncio.sleep(0.2)  # aiosqlite ends the thread of a connection that failed without waiting for it
