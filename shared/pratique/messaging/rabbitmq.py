"""The broker on RabbitMQ, 3.10 or later, without plugins."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import assert_never

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, HeadersType

from pratique.errors import BrokerUnavailable
from pratique.messaging.consumers import RunningConsumers
from pratique.messaging.dead_letters import (
    ATTEMPT,
    FIRST_REASON,
    read_dead_letter,
    read_delivery,
    read_text,
    take_dead,
    write_obituary,
)
from pratique.messaging.interface import Consumer, DeadLetter, Delivery, RetryPolicy
from pratique.messaging.link import Link, translated
from pratique.messaging.settlement import (
    Dead,
    Handled,
    Outcome,
    Retry,
    combine_reasons,
    hand_over,
    settle_until_accepted,
)
from pratique.messaging.subscription import Subscription, is_lost
from pratique.messaging.topology import QueueNames, declare_queues, name_queues

_log = structlog.get_logger(__name__)

_DEFAULT_RETRY = RetryPolicy()

_LISTED_AT_ONCE = 1000
"""Dead letters held in memory while the oldest are looked for: bodies are pointers of some hundred bytes."""


class RabbitBroker:
    """A `Broker` whose queues live in RabbitMQ.

    Publishers and consumers have a connection each: when RabbitMQ runs short of memory or disk it stops reading from those that publish, and
    acknowledgements must still get through. `timeout` bounds every single exchange, in seconds. Queues are declared when they are first used.
    """

    def __init__(self, url: str, *, retry: RetryPolicy = _DEFAULT_RETRY, prefix: str = "pratique", timeout: float = 10.0) -> None:
        self._retry = retry
        self._prefix = prefix
        self._timeout = timeout
        self._publishing = Link(url, name="publisher", timeout=timeout)
        self._consuming = Link(url, name="consumer", timeout=timeout)
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._declared: set[str] = set()
        self._consumers = RunningConsumers()

    async def publish(self, queue: str, body: bytes, *, message_id: str, correlation_id: str) -> None:
        """Store a message durably: RabbitMQ has confirmed it.

        Raises BrokerUnavailable, at the latest after twice the timeout; the message may have been stored all the same.
        """
        names = self._names(queue)
        delivery = Delivery(queue=queue, message_id=message_id, correlation_id=correlation_id, body=body, attempt=1)
        await self._publish(names, names.work, delivery, {ATTEMPT: 1})

    async def consume(self, queue: str, consumer: Consumer, *, prefetch: int) -> None:
        """Hand messages to `consumer` until cancelled or closed; subscribe again whenever connection or channel is lost.

        A delivery whose channel was lost is worked to its end while RabbitMQ delivers it again, maybe elsewhere.
        """
        await self._consumers.run(self._consume(self._names(queue), consumer, prefetch))

    async def depth(self, queue: str) -> int:
        """Count the messages that wait in `queue`, delayed ones included.

        Raises BrokerUnavailable.
        """
        names = self._names(queue)
        async with self._short_lived_channel() as channel, translated("counting messages", timeout=self._timeout):
            ready = await declare_queues(channel, names)
        return sum(count for name, count in ready.items() if name != names.dead)

    async def list_dead(self, queue: str, *, limit: int = 100) -> Sequence[DeadLetter]:
        """List dead letters of `queue`, oldest first, without removing them; while they are read, others do not see them.

        A quorum queue appends what it gets back, so that the oldest can be anywhere: they are the oldest of the first thousand. Raises BrokerUnavailable.
        """
        letters: list[DeadLetter] = []
        async with (
            self._short_lived_channel() as channel,
            aclosing(take_dead(channel, self._names(queue), timeout=self._timeout)) as messages,
        ):
            async for message in messages:
                letters.append(read_dead_letter(message, queue))
                if len(letters) >= max(limit, _LISTED_AT_ONCE):
                    break
        return sorted(letters, key=lambda letter: letter.died_at)[:limit]

    async def replay_dead(self, queue: str, *, message_id: str | None = None) -> int:
        """Move one dead letter, or all that are there now, back to `queue` with a fresh count; answer how many.

        Raises BrokerUnavailable; each letter is then in the queue, still dead, or both, never lost.
        """
        names = self._names(queue)
        started = dt.datetime.now(dt.UTC)
        replayed = 0
        async with self._short_lived_channel() as channel, aclosing(take_dead(channel, names, timeout=self._timeout)) as messages:
            async for message in messages:
                letter = read_dead_letter(message, queue)
                if message_id not in (None, letter.message_id) or letter.died_at > started:  # what dies again is not replayed for ever
                    continue
                await self._publish(names, names.work, read_delivery(message, queue), {ATTEMPT: 1})
                async with translated("removing a dead letter", timeout=self._timeout):
                    await message.ack()
                replayed += 1
                if message_id is not None:
                    break
        return replayed

    async def ping(self) -> None:
        """Raise BrokerUnavailable unless RabbitMQ opens a channel now."""
        async with self._short_lived_channel():
            pass

    async def close(self) -> None:
        """Stop consuming, give deliveries back and close the connections."""
        await self._consumers.stop()
        await self._publishing.close()
        await self._consuming.close()

    def _names(self, queue: str) -> QueueNames:
        return name_queues(queue, prefix=self._prefix, retry=self._retry)

    # Publishing

    async def _publish(self, names: QueueNames, routing_key: str, delivery: Delivery, headers: HeadersType) -> None:
        message = aio_pika.Message(
            delivery.body,
            headers=headers,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=delivery.message_id,
            correlation_id=delivery.correlation_id,
            timestamp=dt.datetime.now(dt.UTC),
        )
        async with translated("publishing", timeout=self._timeout):
            channel = await self._publishing_channel(names)
        try:
            async with translated("publishing", timeout=self._timeout):
                await channel.default_exchange.publish(message, routing_key, mandatory=True)
        except BrokerUnavailable:
            self._declared.discard(names.queue)  # maybe somebody deleted the queue: the next publisher declares it again
            raise

    async def _publishing_channel(self, names: QueueNames) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._declared.clear()
                self._channel = await self._publishing.open_channel()
            if names.queue not in self._declared:
                async with self._short_lived_channel(self._publishing) as channel:  # a refused declaration costs the channel it was made on
                    await declare_queues(channel, names)
                self._declared.add(names.queue)
            return self._channel

    # Consuming

    async def _consume(self, names: QueueNames, consumer: Consumer, prefetch: int) -> None:
        subscription = Subscription(self._consuming, names, prefetch=prefetch, timeout=self._timeout)
        # The channel's own prefetch does not count deliveries that outlive the channel they came on.
        slots = asyncio.Semaphore(prefetch)
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await slots.acquire()
                    message = await subscription.next_message()
                    work = group.create_task(self._work(message, names, consumer))
                    work.add_done_callback(lambda _: slots.release())
        finally:
            # Only now, when nobody works on a delivery any more, may others have what was not acknowledged.
            await subscription.close()

    async def _work(self, message: AbstractIncomingMessage, names: QueueNames, consumer: Consumer) -> None:
        delivery = read_delivery(message, names.queue)
        outcome = await hand_over(consumer, delivery, self._retry)
        await settle_until_accepted(
            lambda: self._settle(message, names, delivery, outcome),
            is_lost=lambda: is_lost(message),
        )

    async def _settle(self, message: AbstractIncomingMessage, names: QueueNames, delivery: Delivery, outcome: Outcome) -> None:
        first_reason = read_text(message.headers, FIRST_REASON)
        match outcome:
            case Handled():
                pass
            case Retry(delay=delay, reason=reason):
                headers: dict[str, str | int] = {ATTEMPT: delivery.attempt + 1, FIRST_REASON: first_reason or reason}
                await self._publish(names, names.retries[delay], delivery, {**headers})
                _log.info("message.retried", queue=names.queue, message_id=delivery.message_id, attempt=delivery.attempt, reason=reason)
            case Dead(reason=reason):
                await self._publish(names, names.dead, delivery, write_obituary(delivery, combine_reasons(first_reason, reason)))
                _log.warning("message.dead", queue=names.queue, message_id=delivery.message_id, attempts=delivery.attempt, reason=reason)
            case _:
                assert_never(outcome)
        async with translated("acknowledging", timeout=self._timeout):
            await message.ack()

    @asynccontextmanager
    async def _short_lived_channel(self, link: Link | None = None) -> AsyncIterator[AbstractChannel]:
        channel = await (link or self._consuming).open_channel()
        try:
            yield channel
        finally:
            with suppress(BrokerUnavailable):
                async with translated("closing a channel", timeout=self._timeout):
                    await channel.close()
