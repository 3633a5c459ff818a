"""The deliveries of one RabbitMQ queue, over as many channels as it takes."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import ChannelInvalidStateError

from pratique.errors import BrokerUnavailable
from pratique.messaging.link import Link, translated
from pratique.messaging.settlement import describe, pause_after
from pratique.messaging.topology import QueueNames, declare_queues

_log = structlog.get_logger(__name__)

_Inbox = asyncio.Queue[AbstractIncomingMessage | None]
"""Deliveries as they come, then None when there will be no more."""


def is_lost(message: AbstractIncomingMessage) -> bool:
    """Tell whether the message can no longer be acknowledged because its channel is closed: it comes back by itself."""
    try:
        return message.channel.is_closed
    except ChannelInvalidStateError:
        return True


class Subscription:
    """Subscribes when first asked for a message, and again whenever the connection, the channel or the consumer is lost."""

    def __init__(self, link: Link, names: QueueNames, *, prefetch: int, timeout: float) -> None:
        self._link = link
        self._names = names
        self._prefetch = prefetch
        self._timeout = timeout
        self._channel: AbstractChannel | None = None
        self._inbox: _Inbox | None = None
        self._failures = 0

    async def next_message(self) -> AbstractIncomingMessage:
        """Wait for the next delivery, as long as it takes."""
        while True:
            try:
                inbox = self._inbox or await self._subscribe()
            except BrokerUnavailable as error:
                await self._pause(describe(error))
                continue
            message = await inbox.get()
            if message is None:
                await self._pause("the channel was closed or the consumer cancelled")
            elif not is_lost(message):
                self._failures = 0
                return message

    async def close(self) -> None:
        """Close the channel: what was delivered and not acknowledged goes back to the queue."""
        self._inbox = None
        channel, self._channel = self._channel, None
        if channel is not None and not channel.is_closed:
            with suppress(BrokerUnavailable):
                async with translated("closing a channel", timeout=self._timeout):
                    await channel.close()

    async def _subscribe(self) -> _Inbox:
        await self.close()
        inbox: _Inbox = asyncio.Queue()
        self._channel = await self._link.open_channel()
        async with translated("subscribing", timeout=self._timeout):
            await declare_queues(self._channel, self._names)
            await self._channel.set_qos(prefetch_count=self._prefetch)
            self._channel.close_callbacks.add(lambda *_: inbox.put_nowait(None))
            # RabbitMQ cancels a consumer without closing its channel, for one when the queue is deleted.
            underlay = await self._channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(lambda _: inbox.put_nowait(None))
            queue = await self._channel.get_queue(self._names.work, ensure=False)
            await queue.consume(inbox.put)
        self._inbox = inbox
        return inbox

    async def _pause(self, reason: str) -> None:
        self._inbox = None
        self._failures += 1
        _log.warning("broker.lost", queue=self._names.queue, reason=reason)
        await asyncio.sleep(pause_after(self._failures, cap=5))
