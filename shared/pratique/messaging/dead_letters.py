"""Dead letters on RabbitMQ: how they are written and read."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, HeadersType

from pratique.messaging.interface import DeadLetter, Delivery
from pratique.messaging.link import translated
from pratique.messaging.topology import QueueNames, declare_queues

ATTEMPT = "pratique-attempt"
FIRST_REASON = "pratique-first-reason"
_REASON = "pratique-reason"
_DIED_AT = "pratique-died-at"
_QUEUE = "pratique-queue"


async def take_dead(channel: AbstractChannel, names: QueueNames, *, timeout: float) -> AsyncGenerator[AbstractIncomingMessage, None]:  # noqa: ASYNC109 - of each exchange
    """Yield dead letters until there are none; those not acknowledged go back, in any order, when `channel` is closed.

    RabbitMQ shows a message only by handing it out. Its count of messages lags behind what it hands out, so that is not asked. Raises BrokerUnavailable.
    """
    async with translated("reading dead letters", timeout=timeout):
        await declare_queues(channel, names)
        queue = await channel.get_queue(names.dead, ensure=False)
    while True:
        async with translated("reading dead letters", timeout=timeout):
            message = await queue.get(fail=False)
        if message is None:
            return
        yield message


def read_delivery(message: AbstractIncomingMessage, queue: str) -> Delivery:
    """Read what `RabbitBroker` has published to a work queue or to the dead letters."""
    attempt = message.headers.get(ATTEMPT)
    return Delivery(
        queue=queue,
        message_id=message.message_id or "",
        correlation_id=message.correlation_id or "",
        body=message.body,
        attempt=attempt if isinstance(attempt, int) else 1,
    )


def write_obituary(delivery: Delivery, reason: str) -> HeadersType:
    """Say in headers why, when, where and after how many attempts a message died."""
    return {ATTEMPT: delivery.attempt, _REASON: reason, _DIED_AT: dt.datetime.now(dt.UTC).isoformat(), _QUEUE: delivery.queue}


def read_dead_letter(message: AbstractIncomingMessage, queue: str) -> DeadLetter:
    """Read what `write_obituary` wrote, or what RabbitMQ writes when it gives a message up at the delivery limit."""
    delivery = read_delivery(message, queue)
    return DeadLetter(
        queue=queue,
        message_id=delivery.message_id,
        correlation_id=delivery.correlation_id,
        body=delivery.body,
        reason=read_text(message.headers, _REASON) or f"RabbitMQ gave it up: {read_text(message.headers, 'x-first-death-reason')}",
        attempts=delivery.attempt,
        died_at=_read_death(message),
    )


def read_text(headers: Mapping[str, object], name: str) -> str | None:
    """Read a header that should be text; None when it is missing or is not."""
    value = headers.get(name)
    return value if isinstance(value, str) else None


def _read_death(message: AbstractIncomingMessage) -> dt.datetime:
    with suppress(ValueError):
        return dt.datetime.fromisoformat(read_text(message.headers, _DIED_AT) or "")
    deaths: Any = message.headers.get("x-death")  # https://www.rabbitmq.com/docs/dlx#effects
    with suppress(LookupError, TypeError, AttributeError):
        when: dt.datetime = deaths[0]["time"]
        return when.astimezone(dt.UTC)
    return message.timestamp or dt.datetime.fromtimestamp(0, dt.UTC)
