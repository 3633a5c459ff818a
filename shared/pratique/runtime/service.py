"""The life of a process: start, run until a signal or a failure, stop within a grace period."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any

import structlog
from aiohttp import web

from pratique.errors import PratiqueError, SettingsError
from pratique.runtime.metrics import CONTENT_TYPE, render_metrics

GRACE_SECONDS = 25.0  # below the 30 s that Docker and Kubernetes wait before SIGKILL
_CHECK_SECONDS = 5.0

Check = Callable[[], Awaitable[None]]
"""Raises a PratiqueError while something that the service needs is away."""

Note = Callable[[], Awaitable[Mapping[str, object]]]
"""Says how something is without which the service works worse, in a document with `status`: `ok`, or what it is instead. May raise a PratiqueError."""

_log = structlog.get_logger()


async def run_until_stopped(*tasks: Coroutine[Any, Any, None], grace: float = GRACE_SECONDS) -> None:
    """Run all coroutines until SIGTERM or SIGINT, or until one of them ends or fails; then cancel the others.

    Consumers give unfinished messages back when cancelled. Work that does not end within `grace` seconds is abandoned. Re-raises the first failure.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    running = [asyncio.create_task(task) for task in tasks]
    waiter = asyncio.create_task(stop.wait())
    ended: set[asyncio.Task[Any]] = set()
    try:
        ended, _ = await asyncio.wait([waiter, *running], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        await _cancel([waiter, *running], grace)
    for task in sorted(running, key=lambda task: task not in ended):  # what ended by itself comes before what failed while it was cancelled
        if task.done() and not task.cancelled():
            task.result()


async def _cancel(tasks: list[asyncio.Task[Any]], grace: float) -> None:
    for task in tasks:
        task.cancel()
    _, late = await asyncio.wait(tasks, timeout=grace)
    if late:
        _log.error("service.abandoned", tasks=sorted(map(_place_of, late)), grace_s=grace)


def _place_of(task: asyncio.Task[Any]) -> str:
    """What a task runs, and where it waits."""
    frames = task.get_stack(limit=1)
    where = f" at {frames[-1].f_code.co_name}:{frames[-1].f_lineno}" if frames else ""
    return f"{getattr(task.get_coro(), '__qualname__', task.get_name())}{where}"


@contextlib.asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
    """Serve `app` while the block runs; yields the address bound (a port of 0 picks a free one).

    Raises SettingsError when the address cannot be bound.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except (OSError, OverflowError) as error:  # asyncio words the first, and the second is a port that does not exist
            raise SettingsError(f"cannot listen on {host}:{port}: {error}") from error
        bound = runner.addresses[0]
        yield bound[0], bound[1]
    finally:
        await runner.cleanup()


def add_operations_routes(app: web.Application, checks: Mapping[str, Check], notes: Mapping[str, Note] | None = None) -> None:
    """Add `/healthz` (the process lives), `/readyz` (what it needs answers) and `/metrics`.

    `/readyz` decides whether requests come here at all, so only a failed check makes it answer 503. Notes whose status is not `ok` make it `degraded`, with 200.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        results = {name: await _run_check(check) for name, check in checks.items()}
        noted = {name: await _load_note(note) for name, note in (notes or {}).items()}
        if any(result != "ok" for result in results.values()):
            return web.json_response({"status": "unavailable", "checks": results, **noted}, status=503)
        is_whole = all(note["status"] == "ok" for note in noted.values())
        return web.json_response({"status": "ok" if is_whole else "degraded", "checks": results, **noted})

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=render_metrics(), headers={"Content-Type": CONTENT_TYPE})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)


async def _run_check(check: Check) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except PratiqueError as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {_CHECK_SECONDS:g} s"
    return "ok"


async def _load_note(note: Note) -> Mapping[str, object]:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return await note()
    except PratiqueError as error:
        return {"status": "unknown", "reason": str(error)}
    except TimeoutError:
        return {"status": "unknown", "reason": f"no answer within {_CHECK_SECONDS:g} s"}
