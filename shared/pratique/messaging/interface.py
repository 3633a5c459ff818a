"""What a broker promises, whichever it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message as a consumer gets it. `attempt` starts at 1."""

    queue: str
    message_id: str
    correlation_id: str
    body: bytes
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that was given up: from which queue, why, after how many attempts, and when (UTC)."""

    queue: str
    message_id: str
    correlation_id: str
    body: bytes
    reason: str
    attempts: int
    died_at: dt.datetime


Consumer = Callable[[Delivery], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and after how many seconds a failed message comes back: `delays[n]` before attempt n+2; the last is repeated."""

    max_attempts: int = 8
    delays: tuple[float, ...] = (1, 5, 15, 60, 300)

    def delay_before(self, attempt: int) -> float:
        """Seconds to wait before `attempt` (2 or more)."""
        return self.delays[min(attempt - 2, len(self.delays) - 1)]


class Broker(Protocol):
    """Durable queues, at least once.

    `publish` returns only when the broker has taken responsibility for the message. `consume` runs until it is cancelled, with at most `prefetch` deliveries
    at once, and reconnects by itself: when the consumer returns, the message is done; when it raises UnavailableError, the message comes back after a delay, with a
    count, until the retry policy gives it up; on any other PratiqueError, and when attempts are used up, the message goes to the dead letters with the reason; when cancelled, the message goes back at once, uncounted. An exception that is no
    PratiqueError is a bug: it is treated like UnavailableError (retried, then dead) and logged with its traceback.
    """

    async def publish(self, queue: str, body: bytes, *, message_id: str, correlation_id: str) -> None:
        """Store a message durably. Raises BrokerUnavailable."""
        ...

    async def consume(self, queue: str, consumer: Consumer, *, prefetch: int) -> None:
        """Hand messages to `consumer` until cancelled."""
        ...

    async def depth(self, queue: str) -> int:
        """Count the messages that wait in `queue`, delayed ones included. Raises BrokerUnavailable."""
        ...

    async def list_dead(self, queue: str, *, limit: int = 100) -> Sequence[DeadLetter]:
        """List dead letters of `queue`, oldest first, without removing them. Raises BrokerUnavailable."""
        ...

    async def replay_dead(self, queue: str, *, message_id: str | None = None) -> int:
        """Move one dead letter, or all, back to `queue` with a fresh count; answer how many. Raises BrokerUnavailable."""
        ...

    async def ping(self) -> None:
        """Raise BrokerUnavailable unless the broker answers now."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
