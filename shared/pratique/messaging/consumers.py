"""The running consumers of a broker."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class RunningConsumers:
    """Runs consumers so that each ends when its caller is cancelled, and all end, quietly, when the broker closes."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, consuming: Coroutine[None, None, None]) -> None:
        """Run until cancelled or stopped; an exception of `consuming` is raised."""
        task = asyncio.create_task(consuming)
        self._tasks.add(task)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            await asyncio.wait({task})
            self._tasks.discard(task)
        if not task.cancelled():
            task.result()

    async def stop(self) -> None:
        """Cancel every consumer and wait until all have let go of their deliveries."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
