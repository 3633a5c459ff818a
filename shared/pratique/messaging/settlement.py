"""What becomes of a delivery, decided alike for every broker."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from pratique.errors import BrokerUnavailable, PratiqueError, UnavailableError
from pratique.messaging.interface import Consumer, Delivery, RetryPolicy

_log = structlog.get_logger(__name__)

DELIVERY_LIMIT = 100
"""How often one attempt may be delivered and neither settled nor failed: a message that kills its consumer's process each time must not do so for ever."""

_REASON_CHARS = 500
"""Reasons quote foreign text: this keeps them from filling headers and tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """The consumer returned: the message is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The message comes back after `delay` seconds, one of the policy's delays."""

    delay: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """The message is given up."""

    reason: str


Outcome = Handled | Retry | Dead


async def hand_over(consumer: Consumer, delivery: Delivery, retry: RetryPolicy) -> Outcome:
    """Let `consumer` work on `delivery` and tell what has to become of the message.

    Raises CancelledError when the surrounding task is cancelled, and nothing else: an exception that is no PratiqueError is logged with its traceback
    and retried.
    """
    with structlog.contextvars.bound_contextvars(
        queue=delivery.queue, message_id=delivery.message_id, correlation_id=delivery.correlation_id
    ):
        try:
            await consumer(delivery)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody cancelled this task: something the consumer awaited was cancelled, which is a bug of the consumer.
            return _judge_crash(error, delivery, retry)
        except UnavailableError as error:
            return _retry_or_give_up(error, delivery, retry)
        except PratiqueError as error:
            return Dead(reason=describe(error))
        except Exception as error:  # noqa: BLE001 - here the process meets the outside: a bug in one message must not stop the others
            return _judge_crash(error, delivery, retry)
    return Handled()


async def settle_until_accepted(settle: Callable[[], Awaitable[None]], *, is_lost: Callable[[], bool] = lambda: False) -> None:
    """Repeat `settle` until the broker accepts it, or the delivery `is_lost` and will come back anyway.

    Keeping the delivery meanwhile bounds the work that a failing broker can cause.
    """
    failures = 0
    while not is_lost():
        try:
            await settle()
        except BrokerUnavailable as error:
            _log.warning("message.unsettled", reason=describe(error))
        else:
            return
        failures += 1
        await asyncio.sleep(pause_after(failures, cap=10))


def describe(error: BaseException) -> str:
    """Name the error in one printable line of bounded length."""
    text = f"{type(error).__name__}: {error}"[:_REASON_CHARS]
    return "".join(char if char.isprintable() else " " for char in text)


def combine_reasons(first: str | None, last: str) -> str:
    """Tell the last failure, and the first one where it differs: it is often the cause."""
    return last if first in (None, last) else f"{last} (first failure: {first})"


def pause_after(failures: int, *, cap: float) -> float:
    """Seconds to wait after so many failures in a row: doubling from 0.1 to `cap`, with jitter so that many clients do not return at once."""
    pause: float = min(cap, 0.1 * 2.0 ** min(failures, 20))
    return pause * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing


def _judge_crash(error: BaseException, delivery: Delivery, retry: RetryPolicy) -> Outcome:
    _log.error("consumer.crashed", attempt=delivery.attempt, exc_info=error)
    return _retry_or_give_up(error, delivery, retry)


def _retry_or_give_up(error: BaseException, delivery: Delivery, retry: RetryPolicy) -> Outcome:
    if delivery.attempt >= retry.max_attempts:
        return Dead(reason=f"gave up after {delivery.attempt} attempts: {describe(error)}")
    wanted = retry.delay_before(delivery.attempt + 1)
    if isinstance(error, UnavailableError) and error.retry_after is not None:
        wanted = max(wanted, error.retry_after)
    # Brokers keep one queue for each delay of the policy; the longest bounds what a foreign `retry_after` can ask for.
    return Retry(delay=min((delay for delay in retry.delays if delay >= wanted), default=max(retry.delays)), reason=describe(error))
