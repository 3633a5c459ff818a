"""`pratique scan` and `pratique sbom`: the whole judgement in one process, without a server.

1. A digest that is known needs nothing but its result; what a tag names now is asked in one request where the registry answers anybody.
2. Anything else is inspected, for which many more modules are read: only then are they imported.
3. What was found is judged, rendered and written.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pratique import __version__
from pratique.errors import SettingsError
from pratique_services.cli.known_targets import KnownTargets, open_known_targets
from pratique_services.cli.main import EXIT_OK, EXIT_UNFINISHED, EXIT_VIOLATED

if TYPE_CHECKING:
    from pratique.reports.report import Report
    from pratique_services.cli.target_inventory import TargetInventory

    _Reporter = Callable[[TargetInventory], Report]


def scan(options: argparse.Namespace) -> int:
    """Scan, judge and report. Exits 0, 1 (policy or threshold violated) or 3 (could not be judged completely)."""
    with _without_collector():
        report = _report(options, _load_judge)
        _write(_render(report, options), options.output)
    codes = {"fail": EXIT_VIOLATED, "incomplete": EXIT_UNFINISHED}
    return codes.get(report.verdict.status, EXIT_OK) if report.verdict else EXIT_OK


def sbom(options: argparse.Namespace) -> int:
    """Write the inventory. Exits 3 when a part of the image could not be read: the list is there, and is not whole."""
    from pratique.reports.printable import printable

    with _without_collector():
        report = _report(options, _load_inventory)
        _write(_render(report, options), options.output)
    for gap in report.coverage.gaps:
        print(f"pratique: not covered: {printable(gap.name)}: {printable(gap.reason)}", file=sys.stderr)
    return EXIT_UNFINISHED if report.coverage.gaps else EXIT_OK


def _report(options: argparse.Namespace, load: Callable[[argparse.Namespace], _Reporter]) -> Report:
    known = open_known_targets(options)
    target = _recall(known, options) if known else None
    if target is not None:
        return load(options)(target)
    from pratique_services.cli.startup import inspect_afresh  # reads asyncio and more, a tenth of a second

    reporter, target = inspect_afresh(options, known, load)
    return reporter(target)


def _recall(known: KnownTargets, options: argparse.Namespace) -> TargetInventory | None:
    """What is known of what the target names now. A digest names the same for ever; of a tag the registry is asked, if it has answered without credentials before."""
    from pratique.oci.reference import Reference

    reference = Reference.parse(options.target)
    if reference.digest is not None:
        return known.load(reference.digest)
    if not known.is_open(reference):
        return None
    from pratique.registry.open_question import ask_openly

    named = ask_openly(reference, plain_http=options.plain_http, user_agent=f"pratique/{__version__}")
    return known.load(named.digest, named.media_type) if named else None


def _load_judge(options: argparse.Namespace) -> _Reporter:
    from pratique_services.cli.judging import Judge

    _load_renderer(options)
    return Judge.open(options).report


def _load_inventory(options: argparse.Namespace) -> _Reporter:
    from pratique_services.cli.reporting import InventoryReporter

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


def _render(report: Report, options: argparse.Namespace) -> bytes:
    """Render in one of the formats; each is imported only when it is asked for."""
    match options.format:
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
        case "openvex":
            from pratique.reports.openvex import render_openvex

            return render_openvex(report)
        case _:
            from pratique.reports.table import render_table

            is_terminal = options.output is None and sys.stdout.isatty()
            width = os.get_terminal_size().columns if is_terminal else None
            color = is_terminal and "NO_COLOR" not in os.environ
            return render_table(report, width=width, color=color, show_suppressed=options.show_suppressed)


def _write(content: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise SettingsError(f"cannot write {output}: {error.strerror}") from error
