"""A process runs until a signal or a failure, and then ends in time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import aiohttp
import pytest
from aiohttp import web

from pratique.errors import DatabaseUnavailable
from pratique.runtime.service import add_operations_routes, listening, run_until_stopped

_PROCESS = """
import asyncio
from pratique.runtime.service import run_until_stopped

async def work():
    print("up", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.05)
        print("tidied", flush=True)

asyncio.run(run_until_stopped(work(), work()))
print("ended", flush=True)
"""


async def _sleep_on() -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_work_tidy_up_and_ends_the_process_well(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", _PROCESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() + process.stdout.readline() == "up\nup\n"
        begin = time.monotonic()
        process.send_signal(number)
        output, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert time.monotonic() - begin < 5
    assert output == "tidied\ntidied\nended\n"
    assert errors == ""


async def test_a_failure_ends_the_others_and_is_raised() -> None:
    tidied = asyncio.Event()

    async def other() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            tidied.set()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise DatabaseUnavailable("away")

    with pytest.raises(DatabaseUnavailable, match="away"):
        await run_until_stopped(other(), fail())
    assert tidied.is_set()


async def test_the_failure_that_ended_it_all_is_raised_and_not_one_that_followed() -> None:
    async def follow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise RuntimeError("broker link is closed")

    async def fail() -> None:
        await asyncio.sleep(0)
        raise DatabaseUnavailable("the cause")

    with pytest.raises(DatabaseUnavailable, match="the cause"):
        await run_until_stopped(follow(), fail())


async def test_a_task_that_ends_by_itself_ends_the_service() -> None:
    async with asyncio.timeout(5):
        await run_until_stopped(_sleep_on(), asyncio.sleep(0))


async def test_work_that_does_not_end_is_abandoned_after_the_grace_period() -> None:
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    begin = time.monotonic()
    await run_until_stopped(stubborn(), asyncio.sleep(0), grace=0.1)
    assert 0.1 <= time.monotonic() - begin < 3
    release.set()


async def test_a_signal_in_this_process_is_ours_only_while_we_run() -> None:
    async def signal_self() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)

    before = signal.getsignal(signal.SIGTERM)
    async with asyncio.timeout(5):
        await run_until_stopped(signal_self())
    assert signal.getsignal(signal.SIGTERM) == before


async def test_health_readiness_and_metrics_are_answered() -> None:
    is_away = False

    async def check() -> None:
        if is_away:
            raise DatabaseUnavailable("the database did not answer")

    app = web.Application()
    add_operations_routes(app, {"database": check})
    async with listening(app, "127.0.0.1", 0) as (host, port), aiohttp.ClientSession(f"http://{host}:{port}") as session:
        async with session.get("/healthz") as answer:
            assert answer.status == 200
        async with session.get("/readyz") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok", "checks": {"database": "ok"}})
        is_away = True
        async with session.get("/readyz") as answer:
            body = await answer.json()
            assert (answer.status, body["status"]) == (503, "unavailable")
            assert body["checks"]["database"] == "the database did not answer"
        async with session.get("/healthz") as answer:
            assert answer.status == 200  # a restart would not bring the database back
        async with session.get("/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert "pratique_webhooks_total" in await answer.text()
