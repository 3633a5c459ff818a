"""Counting what consumers do, by queue and outcome."""

from __future__ import annotations

from pratique.errors import UnavailableError
from pratique.messaging.interface import Consumer, Delivery
from pratique.runtime.metrics import MESSAGES


def counted(consumer: Consumer) -> Consumer:
    """The same consumer, counted: `done`, `retried` (what it needs is away) or `failed`."""

    async def consume(delivery: Delivery) -> None:
        outcome = "failed"
        try:
            await consumer(delivery)
            outcome = "done"
        except UnavailableError:
            outcome = "retried"
            raise
        finally:
            MESSAGES.labels(queue=delivery.queue, outcome=outcome).inc()

    return consume
