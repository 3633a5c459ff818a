"""How a target is inspected in a process that has read none of the modules for it yet.

Half of what a small image takes is Python reading modules. So the first child process starts before this one reads what inspects, and what judges and
renders is read while the layers stream.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pratique.runtime.concurrency import run_both
from pratique.runtime.layer_pool import LayerPool

if TYPE_CHECKING:
    from pratique_services.cli.known_targets import KnownTargets
    from pratique_services.cli.target_inventory import TargetInventory

_MAX_WORKERS = 4  # each keeps up to two cores busy and takes some 45 MB: more would break the promise of 400 MB on large machines
_T = TypeVar("_T")


def inspect_afresh(
    options: argparse.Namespace, known: KnownTargets | None, load: Callable[[argparse.Namespace], _T]
) -> tuple[_T, TargetInventory]:
    """Inspect the target, and answer that with what `load`, which runs in a thread meanwhile, has read.

    The modules read there resolve no msgspec type that the inspection resolves too: two threads that do so at once crash the interpreter.
    Raises what `inspect_target` raises.
    """
    answers: list[tuple[_T, TargetInventory]] = []

    async def run() -> None:  # returns nothing: on its way out asyncio.run writes down what was returned, all of it
        async with LayerPool(workers=min(os.cpu_count() or 1, _MAX_WORKERS)) as pool:
            await pool.prepare()
            from pratique_services.cli.inspecting import inspect_target

            answers.append(await run_both(asyncio.to_thread(load, options), inspect_target(pool, options, known)))

    asyncio.run(run())
    return answers[0]
