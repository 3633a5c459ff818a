"""What becomes of a delivery, without any broker."""

from __future__ import annotations

import asyncio

import pytest

from pratique.errors import BrokerUnavailable, InputError, RegistryUnavailable
from pratique.messaging.interface import Delivery, RetryPolicy
from pratique.messaging.settlement import Dead, Handled, Outcome, Retry, combine_reasons, hand_over, pause_after, settle_until_accepted
from tests.support.brokers import failing, hang

POLICY = RetryPolicy(max_attempts=3, delays=(1, 5, 15))


def delivery(attempt: int = 1) -> Delivery:
    return Delivery(queue="scan.push", message_id="m", correlation_id="c", body=b"", attempt=attempt)


async def outcome_of(error: Exception, attempt: int = 1) -> Outcome:
    return await hand_over(failing(error), delivery(attempt), POLICY)


async def test_a_consumer_that_returns_has_handled_the_message() -> None:
    async def consume(_delivery: Delivery) -> None:
        return None

    assert await hand_over(consume, delivery(), POLICY) == Handled()


@pytest.mark.parametrize(
    ("retry_after", "delay"),
    [(None, 1), (0.0, 1), (-7.0, 1), (1.0, 1), (2.0, 5), (15.0, 15), (1e9, 15), (float("inf"), 15), (float("nan"), 1)],
)
async def test_the_delay_is_one_of_the_policy_whatever_a_server_asks_for(retry_after: float | None, delay: float) -> None:
    outcome = await outcome_of(RegistryUnavailable("busy", retry_after=retry_after))
    assert outcome == Retry(delay=delay, reason="RegistryUnavailable: busy")


async def test_the_last_attempt_is_not_retried() -> None:
    assert isinstance(await outcome_of(RegistryUnavailable("away"), attempt=2), Retry)
    assert isinstance(await outcome_of(RegistryUnavailable("away"), attempt=3), Dead)
    assert isinstance(await outcome_of(KeyError("bug"), attempt=3), Dead)


async def test_wrong_bytes_are_given_up_at_once() -> None:
    assert await outcome_of(InputError("no JSON")) == Dead(reason="InputError: no JSON")


async def test_cancelling_passes_through() -> None:
    task = asyncio.create_task(hand_over(hang, delivery(), POLICY))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_settling_is_repeated_until_the_broker_accepts() -> None:
    answers = [BrokerUnavailable("away"), BrokerUnavailable("away"), None]

    async def settle() -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    await asyncio.wait_for(settle_until_accepted(settle), 5)
    assert answers == []


async def test_settling_ends_when_the_delivery_is_lost() -> None:
    tries = 0

    async def settle() -> None:
        nonlocal tries
        tries += 1
        raise BrokerUnavailable("away")

    await asyncio.wait_for(settle_until_accepted(settle, is_lost=lambda: tries >= 2), 5)
    assert tries == 2


def test_the_first_reason_is_told_where_it_differs() -> None:
    assert combine_reasons(None, "b") == "b"
    assert combine_reasons("b", "b") == "b"
    assert combine_reasons("a", "b") == "b (first failure: a)"


def test_pauses_grow_to_the_cap_and_never_vanish() -> None:
    assert all(0.05 <= pause_after(failures, cap=5) <= 5 for failures in (0, 1, 10, 10_000))
    assert pause_after(10_000, cap=5) >= 2.5
