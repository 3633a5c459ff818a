"""Coroutines together: results in order, and the failure a caller can name."""

from __future__ import annotations

import asyncio

import pytest

from pratique.errors import MissingError
from pratique.runtime.concurrency import run_both, run_together


async def _answer(value: int, delay: float = 0) -> int:
    await asyncio.sleep(delay)
    return value


async def test_results_come_in_the_order_asked_for() -> None:
    assert await run_together([_answer(1, 0.02), _answer(2), _answer(3, 0.01)]) == [1, 2, 3]
    assert await run_together([]) == []


async def test_the_first_failure_is_raised_as_itself_and_the_others_are_cancelled() -> None:
    cancelled = asyncio.Event()

    async def wait() -> int:
        try:
            return await _answer(1, 60)
        finally:
            cancelled.set()

    async def fail() -> int:
        raise MissingError("gone")

    with pytest.raises(MissingError, match="gone"):
        await run_together([wait(), fail()])
    assert cancelled.is_set()


async def test_cancelling_from_outside_stays_a_cancellation() -> None:
    task = asyncio.create_task(run_together([_answer(1, 60)]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_two_of_different_kinds_run_side_by_side() -> None:
    async def spell(value: int) -> str:
        return str(await _answer(value))

    assert await run_both(_answer(1, 0.01), spell(2)) == (1, "2")
