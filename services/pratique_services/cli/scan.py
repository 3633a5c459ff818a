"""`pratique scan` and `pratique sbom`: the whole judgement in one process, without a server.

Half of what a small image takes is Python reading modules. So the first child process starts before this one reads what inspects, and what judges and
renders is read while the layers stream.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pratique.errors import SettingsError
from pratique.runtime.concurrency import run_both
from pratique.runtime.layer_pool import LayerPool
from pratique_services.cli.main import EXIT_OK, EXIT_UNFINISHED, EXIT_VIOLATED

_MAX_WORKERS = 4  # each keeps up to two cores busy and takes some 45 MB: more would break the promise of 400 MB on large machines

if TYPE_CHECKING:
    from pratique.reports.report import Report
    from pratique.scanning import Inspection

    _Reporter = Callable[[Inspection], Report]


def scan(options: argparse.Namespace) -> int:
    """Scan, judge and report. Exits 0, 1 (policy or threshold violated) or 3 (could not be judged completely)."""
    with _without_collector():
        report = asyncio.run(_report(options, _load_judge))
        _write(_render(report, options.format, options.output), options.output)
    codes = {"fail": EXIT_VIOLATED, "incomplete": EXIT_UNFINISHED}
    return codes.get(report.verdict.status, EXIT_OK) if report.verdict else EXIT_OK


def sbom(options: argparse.Namespace) -> int:
    """Write the inventory. Exits 3 when a part of the image could not be read: the list is there, and is not whole."""
    from pratique.reports.gap_lines import gap_lines

    with _without_collector():
        report = asyncio.run(_report(options, _load_inventory))
        _write(_render(report, options.format, options.output), options.output)
    for line in gap_lines(report.coverage):
        print(f"pratique: not covered: {line}", file=sys.stderr)
    return EXIT_UNFINISHED if report.coverage.gaps else EXIT_OK


async def _report(options: argparse.Namespace, load: Callable[[argparse.Namespace], _Reporter]) -> Report:
    """Inspect the target, and make the report with what `load`, which runs in a thread meanwhile, has read.

    The modules read there resolve no msgspec type that the inspection resolves too: two threads that do so at once crash the interpreter.
    """
    async with LayerPool(workers=min(os.cpu_count() or 1, _MAX_WORKERS)) as pool:
        await pool.prepare()
        from pratique_services.cli.inspecting import inspect_target

        reporter, inspection = await run_both(asyncio.to_thread(load, options), inspect_target(pool, options))
    return reporter(inspection)


def _load_judge(options: argparse.Namespace) -> _Reporter:
    from pratique_services.cli.judging import Judge

    _load_renderer(options)
    return Judge.open(options).report


def _load_inventory(options: argparse.Namespace) -> _Reporter:
    from pratique_services.cli.judging import InventoryReporter

    _load_renderer(options)
    return InventoryReporter(options.target).report


def _load_renderer(options: argparse.Namespace) -> None:
    importlib.import_module(f"pratique.reports.{options.format}")


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the garbage collector from looking through a million live objects again and again: a twentieth of the time, and the process ends soon."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _render(report: Report, form: str, output: Path | None) -> bytes:
    """Render in one of the formats; each is imported only when it is asked for."""
    match form:
        case "json":
            from pratique.reports.json import render_json

            return render_json(report)
        case "cyclonedx":
            from pratique.reports.cyclonedx import render_cyclonedx

            return render_cyclonedx(report)
        case "spdx":
            from pratique.reports.spdx import render_spdx

            return render_spdx(report)
        case "spdx3":
            from pratique.reports.spdx3 import render_spdx3

            return render_spdx3(report)
        case _:
            from pratique.reports.table import render_table

            is_terminal = output is None and sys.stdout.isatty()
            width = os.get_terminal_size().columns if is_terminal else None
            return render_table(report, width=width, color=is_terminal and "NO_COLOR" not in os.environ)


def _write(content: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise SettingsError(f"cannot write {output}: {error.strerror}") from error
