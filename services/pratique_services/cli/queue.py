"""`pratique queue`: what waits and what was given up, straight from the broker that the settings name."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

from pratique.errors import SettingsError
from pratique.messages import QUEUES
from pratique.messaging.factory import open_broker
from pratique.messaging.interface import Broker, RetryPolicy
from pratique.reports.printable import printable
from pratique.runtime.settings import load_settings
from pratique_services.cli.main import EXIT_OK


def list_queues(options: argparse.Namespace) -> int:
    """Print the depth of every queue and its dead letters."""
    queues = asyncio.run(_read())
    if options.format == "json":
        print(json.dumps(queues, indent=2))
        return EXIT_OK
    for queue in queues:
        print(f"{queue['queue']:<14} {queue['depth']:>6} waiting {len(queue['dead']):>6} dead")
        for letter in queue["dead"]:
            print(f"  {letter['message_id']}  {letter['died_at']}  after {letter['attempts']} attempts: {printable(letter['reason'])}")
    return EXIT_OK


def replay(options: argparse.Namespace) -> int:
    """Put dead letters back to work."""
    if options.queue not in QUEUES:
        raise SettingsError(f"there is no queue {options.queue!r}; there are {', '.join(QUEUES)}")
    count = asyncio.run(_replay(options.queue, options.message))
    print(f"{count} message{'s' if count != 1 else ''} put back into {options.queue}")
    return EXIT_OK


async def _read() -> list[dict[str, Any]]:
    broker = await _open_broker()
    try:
        return [
            {
                "queue": queue,
                "depth": await broker.depth(queue),
                "dead": [
                    {
                        "message_id": letter.message_id,
                        "correlation_id": letter.correlation_id,
                        "reason": letter.reason,
                        "attempts": letter.attempts,
                        "died_at": letter.died_at.isoformat(timespec="seconds"),
                    }
                    for letter in await broker.list_dead(queue)
                ],
            }
            for queue in QUEUES
        ]
    finally:
        await broker.close()


async def _replay(queue: str, message_id: str | None) -> int:
    broker = await _open_broker()
    try:
        return await broker.replay_dead(queue, message_id=message_id)
    finally:
        await broker.close()


async def _open_broker() -> Broker:
    settings = load_settings()
    retry = RetryPolicy(max_attempts=settings.retry.max_attempts, delays=settings.retry.delays)
    return await open_broker(settings.effective_broker_url, retry=retry)
