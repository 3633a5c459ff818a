"""Consumers for tests of brokers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from pratique.messaging.interface import Broker, Consumer, Delivery

PATIENCE = 30.0
"""Seconds after which something that should happen at once has not happened."""


class Recorder:
    """A consumer that keeps what it was given, then does as `behave` says (nothing, by default)."""

    def __init__(self, behave: Consumer | None = None) -> None:
        self.deliveries: list[Delivery] = []
        self._behave = behave
        self._news = asyncio.Event()

    async def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        self._news.set()
        if self._behave is not None:
            await self._behave(delivery)

    @property
    def attempts(self) -> list[int]:
        """The attempt numbers, as they came."""
        return [delivery.attempt for delivery in self.deliveries]

    @property
    def seen(self) -> Counter[str]:
        """How often each message id came."""
        return Counter(delivery.message_id for delivery in self.deliveries)

    async def wait_for(self, count: int) -> None:
        """Wait until so many deliveries have begun."""
        async with asyncio.timeout(PATIENCE):
            while len(self.deliveries) < count:
                self._news.clear()
                await self._news.wait()


def failing(error: Exception) -> Consumer:
    """Make a consumer that always raises `error`."""

    async def fail(_delivery: Delivery) -> None:
        raise error

    return fail


async def hang(_delivery: Delivery) -> None:
    """Work until cancelled."""
    await asyncio.Event().wait()


@asynccontextmanager
async def consuming(broker: Broker, queue: str, consumer: Consumer, *, prefetch: int = 10) -> AsyncIterator[asyncio.Task[None]]:
    """Consume for the length of the block."""
    task = asyncio.create_task(broker.consume(queue, consumer, prefetch=prefetch))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def publish(broker: Broker, queue: str, *message_ids: str, body: bytes = b"{}") -> None:
    """Publish one message for each id."""
    for message_id in message_ids:
        await broker.publish(queue, body, message_id=message_id, correlation_id=f"of-{message_id}")


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until `condition` holds; counts of a broker may lag a moment behind."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            await asyncio.sleep(0.02)


async def depth_becomes(broker: Broker, queue: str, count: int) -> None:
    """Wait until so many messages wait in `queue`: RabbitMQ counts a moment late."""

    async def is_so_deep() -> bool:
        return await broker.depth(queue) == count

    await eventually(is_so_deep)
