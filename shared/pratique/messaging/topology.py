"""The queues that pratique uses on RabbitMQ, and how they are declared.

Each work queue `<prefix>.<queue>` has

- one delay queue `<prefix>.<queue>.retry.<milliseconds>` for each delay of the retry policy: nobody consumes it; what has waited there for its
  time to live is dead-lettered back into the work queue;
- one queue of dead letters `<prefix>.<queue>.dead`.

All are durable quorum queues on the default exchange, so there are no exchanges and bindings that could be missing. Dead-lettering is `at-least-once`
(https://www.rabbitmq.com/docs/quorum-queues#dead-lettering), which demands `reject-publish` on overflow.
RabbitMQ 3.10 does not bring back a quorum queue that was declared within the last second before its node was killed: the queue then confirms nothing and
has to be deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel

from pratique.errors import BrokerUnavailable
from pratique.messages import QUEUES
from pratique.messaging.interface import RetryPolicy
from pratique.messaging.settlement import DELIVERY_LIMIT

_NEVER = 1_000_000
"""A delivery limit for queues that are only looked at: RabbitMQ 4 would drop a dead letter after it was listed 20 times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueNames:
    """What one work queue consists of; `retries` maps a delay in seconds to the queue that waits for so long."""

    queue: str
    work: str
    dead: str
    retries: Mapping[float, str]


def require_known(queue: str) -> str:
    """Answer `queue`.

    Raises BrokerUnavailable when it is none of `pratique.messages.QUEUES`: nobody would ever consume it.
    """
    if queue not in QUEUES:
        raise BrokerUnavailable(f"expected one of the queues {', '.join(QUEUES)}, got {queue!r}")
    return queue


def name_queues(queue: str, *, prefix: str, retry: RetryPolicy) -> QueueNames:
    """Name the queues behind one work queue.

    Raises BrokerUnavailable when there is no such queue.
    """
    work = f"{prefix}.{require_known(queue)}"
    return QueueNames(
        queue=queue,
        work=work,
        dead=f"{work}.dead",
        retries={delay: f"{work}.retry.{_milliseconds(delay)}" for delay in retry.delays},
    )


async def declare_queues(channel: AbstractChannel, names: QueueNames) -> Mapping[str, int]:
    """Declare the queues of `names` where they are missing; answer how many messages are ready in each.

    A queue that exists with other arguments makes RabbitMQ close the channel (406 PRECONDITION_FAILED).
    """
    arguments: dict[str, dict[str, str | int]] = {
        names.dead: {"x-delivery-limit": _NEVER},
        names.work: {"x-delivery-limit": DELIVERY_LIMIT, **_dead_lettering_to(names.dead)},
    }
    for delay, name in names.retries.items():
        arguments[name] = {"x-message-ttl": _milliseconds(delay), **_dead_lettering_to(names.work)}
    ready = {}
    for name, more in arguments.items():
        queue = await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum", **more})
        ready[name] = queue.declaration_result.message_count or 0
    return ready


def _dead_lettering_to(name: str) -> dict[str, str | int]:
    return {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": name,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _milliseconds(delay: float) -> int:
    return max(1, round(delay * 1000))
