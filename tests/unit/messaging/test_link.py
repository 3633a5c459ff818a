"""`RabbitBroker` while there is nothing to talk to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from pratique.errors import BrokerUnavailable
from pratique.messaging.rabbitmq import RabbitBroker
from tests.support.brokers import publish


@pytest.fixture
async def silent_port() -> AsyncIterator[int]:
    """A port on which somebody listens and never says a word."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    for writer in writers:
        writer.close()
    server.close()
    await server.wait_closed()


async def test_a_publisher_hears_at_once_that_nobody_listens() -> None:
    broker = RabbitBroker("amqp://user:secret@127.0.0.1:1/")  # port 1: tcpmux, which nobody runs
    started = time.monotonic()
    with pytest.raises(BrokerUnavailable) as caught:
        await publish(broker, "scan.push", "a")
    assert time.monotonic() - started < 2
    assert "secret" not in str(caught.value)
    await broker.close()


async def test_a_publisher_does_not_wait_for_ever_for_a_silent_server(silent_port: int) -> None:
    broker = RabbitBroker(f"amqp://127.0.0.1:{silent_port}/", timeout=0.3)
    started = time.monotonic()
    with pytest.raises(BrokerUnavailable, match=r"within 0\.3 s"):
        await publish(broker, "scan.push", "a")
    assert time.monotonic() - started < 2
    await broker.close()


async def test_many_publishers_do_not_queue_up_behind_a_silent_server(silent_port: int) -> None:
    broker = RabbitBroker(f"amqp://127.0.0.1:{silent_port}/", timeout=0.3)
    started = time.monotonic()
    results = await asyncio.gather(*(publish(broker, "scan.push", f"m{number}") for number in range(20)), return_exceptions=True)
    assert all(isinstance(result, BrokerUnavailable) for result in results)
    assert time.monotonic() - started < 2
    await broker.close()


async def test_a_consumer_that_cannot_connect_can_be_cancelled() -> None:
    broker = RabbitBroker("amqp://127.0.0.1:1/")
    task = asyncio.create_task(broker.consume("scan.push", _never, prefetch=1))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await broker.close()


async def _never(_delivery: object) -> None:
    raise AssertionError
