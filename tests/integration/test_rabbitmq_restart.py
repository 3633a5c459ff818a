"""RabbitMQ is killed and started again while messages are published and consumed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from pratique.errors import BrokerUnavailable, RegistryUnavailable
from pratique.messaging.interface import Delivery, RetryPolicy
from pratique.messaging.rabbitmq import RabbitBroker
from tests.support.brokers import consuming
from tests.support.servers import RabbitMQ

QUEUE = "scan.push"
MESSAGES = 200
KILLED_AFTER = 60
SECONDS = 90
SETTLING = 3
"""Seconds from the declaration to the kill: RabbitMQ 3.10 does not bring back a quorum queue that was declared less than a second before a power cut."""
EVERY = {f"m{number}" for number in range(MESSAGES)}


class Traffic:
    """A publisher and a consumer that run until every message is handled."""

    def __init__(self, url: str) -> None:
        self.refused = 0
        self.published: set[str] = set()
        self.handled: Counter[str] = Counter()
        self.dead = 0
        self._url = url

    async def flow(self) -> None:
        broker = RabbitBroker(self._url, retry=RetryPolicy(max_attempts=5, delays=(0.2,)), timeout=3)
        try:
            await broker.depth(QUEUE)
            await asyncio.sleep(SETTLING)
            async with asyncio.timeout(SECONDS), consuming(broker, QUEUE, self._work, prefetch=4):
                for number in range(MESSAGES):
                    await self._publish_until_confirmed(broker, f"m{number}")
                    await asyncio.sleep(0.005)
                while self.handled.keys() != EVERY:
                    await asyncio.sleep(0.05)
            self.dead = len(await broker.list_dead(QUEUE))
        finally:
            await broker.close()

    async def _publish_until_confirmed(self, broker: RabbitBroker, message_id: str) -> None:
        while message_id not in self.published:
            try:
                await broker.publish(QUEUE, b"{}", message_id=message_id, correlation_id=message_id)
                self.published.add(message_id)
            except BrokerUnavailable:
                self.refused += 1
                await asyncio.sleep(0.2)

    async def _work(self, delivery: Delivery) -> None:
        await asyncio.sleep(0.01)
        if delivery.attempt == 1 and delivery.message_id.endswith("7"):  # so that some are in a delay queue when the lights go out
            raise RegistryUnavailable("away")
        self.handled[delivery.message_id] += 1


@pytest.fixture
def traffic(rabbitmq: RabbitMQ) -> Traffic:
    return Traffic(rabbitmq.create_vhost())


def test_no_message_is_lost_when_rabbitmq_is_killed(rabbitmq: RabbitMQ, traffic: Traffic) -> None:
    with ThreadPoolExecutor(max_workers=1) as thread:  # RabbitMQ dies with the thread that started it: that stays the main one
        flowing = thread.submit(asyncio.run, traffic.flow())
        wait_until_handled(traffic, KILLED_AFTER, flowing)
        rabbitmq.kill()
        published_before = len(traffic.published)
        rabbitmq.start()
        flowing.result(SECONDS)
    assert KILLED_AFTER <= published_before < MESSAGES
    assert traffic.refused > 0
    assert traffic.handled.keys() == EVERY
    assert traffic.dead == 0


def wait_until_handled(traffic: Traffic, count: int, flowing: Future[None]) -> None:
    deadline = time.monotonic() + SECONDS
    while len(traffic.handled) < count:
        assert not flowing.done()
        assert time.monotonic() < deadline
        time.sleep(0.01)
