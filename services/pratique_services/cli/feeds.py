"""`pratique advisories update`, and what `pratique advisories status --mirror` says of feeds."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pratique.errors import SettingsError
from pratique.feeds.catalogue import restriction_of
from pratique.feeds.configured import plan_of
from pratique.feeds.plan import OSV, FeedOutcome, FeedPlan, UpdateReport
from pratique.feeds.state import FeedState
from pratique.feeds.update import status_of, update_mirror
from pratique.reports.printable import printable
from pratique.runtime.settings import load_settings
from pratique_services.cli.advisories import compile_and_print
from pratique_services.cli.main import EXIT_OK, EXIT_UNFINISHED

_PROGRESS_SECONDS = 0.1  # between two lines on the terminal
_MAX_NAME = 28
_ERROR_LINES = 4
_KILO, _DAY, _HOUR, _MINUTE = 1000, 86400, 3600, 60


def update(options: argparse.Namespace) -> int:
    """Sync feeds into the mirror and, if asked to, compile what changed. Exits 3 when a feed failed: the others are up to date, and it keeps what it had."""
    settings = load_settings().feeds
    mirror = options.mirror or settings.mirror
    if mirror is None:
        raise SettingsError("which folder? give MIRROR or set feeds.mirror")
    plan = _with_options(plan_of(settings), options)
    for name in [*(plan.feeds or ()), *plan.ecosystems]:
        if restriction := restriction_of(name):
            print(f"pratique: {name}: {restriction}", file=sys.stderr)
    with_progress = _Progress() if sys.stderr.isatty() else None
    report = asyncio.run(update_mirror(mirror, plan, progress=with_progress))
    if with_progress is not None:
        with_progress.clear()
    _print_report(report)
    compiled = EXIT_OK if options.output is None else _compile(mirror, options.output, report)
    return EXIT_UNFINISHED if report.failed else compiled


def print_status(mirror: Path, output_format: str) -> int:
    """Print what is known of a mirror's feeds."""
    states = status_of(mirror)
    if output_format == "json":
        print(json.dumps({"mirror": str(mirror), "feeds": msgspec.to_builtins(states)}, indent=2))
        return EXIT_OK
    for line in status_lines(states, width=shutil.get_terminal_size().columns, now=datetime.now(UTC)):
        print(line)
    return EXIT_OK


def status_lines(states: Mapping[str, FeedState], *, width: int, now: datetime) -> Iterator[str]:
    """A line a feed, and below it, what its last sync failed for."""
    name_width = min(_MAX_NAME, max(len(name) for name in states))
    yield f"{'feed':<{name_width}} {'synced':>8} {'newest':>10} {'records':>8} {'size':>9}"
    for name, state in states.items():
        records = str(state.records) if state.records else "-"
        newest = printable(state.modified)[:10] or "-"
        size = _size(state.bytes) if state.bytes else "-"
        yield f"{name:<{name_width}} {_age(state.last_success, now):>8} {newest:>10} {records:>8} {size:>9}".rstrip()
        if state.skipped:
            yield f"  {state.skipped} records could not be read, and were left out"
        if state.error:
            tries = f"failed {state.consecutive_failures} times, " if state.consecutive_failures > 1 else "failed "
            text = f"! {tries}{_age(state.last_attempt, now)} ago: {printable(state.error)}"
            yield from textwrap.wrap(
                text, width=max(width, 40), initial_indent="  ", subsequent_indent="    ", max_lines=_ERROR_LINES, placeholder=" ..."
            )


def _with_options(plan: FeedPlan, options: argparse.Namespace) -> FeedPlan:
    return replace(
        plan,
        feeds=tuple(options.feed) if options.feed else plan.feeds,
        ecosystems=tuple(options.ecosystem or plan.ecosystems),
        urls={**plan.urls, OSV: options.osv} if options.osv else plan.urls,
        accept_shrink=frozenset(options.accept_shrink or ()),
    )


def _print_report(report: UpdateReport) -> None:
    for feed in report.feeds:
        done = "updated" if feed.is_changed else "unchanged"
        if not feed.state.error:
            records = f"{feed.state.records} records" if feed.state.records else ""
            print(f"{feed.name:<20} {records:>16} {_size(feed.state.bytes):>10}  {done}{_skipped(feed)}")
        else:
            print(f"pratique: {feed.name}: {printable(feed.state.error)}", file=sys.stderr)
    if report.left_out:
        print(f"left out: {', '.join(report.left_out)} ({restriction_of(report.left_out[0])}; --ecosystem NAME takes them)")
    changed = sum(feed.is_changed for feed in report.feeds)
    print(f"{len(report.feeds)} feeds: {changed} updated, {len(report.failed)} failed")


def _skipped(feed: FeedOutcome) -> str:
    return f", {feed.state.skipped} records left out" if feed.state.skipped else ""


def _compile(mirror: Path, output: Path, report: UpdateReport) -> int:
    newest = max(state.last_change for state in status_of(mirror).values())
    compiled = datetime.fromtimestamp(output.stat().st_mtime, UTC).isoformat() if output.exists() else ""
    if not report.is_changed and compiled > newest:  # ISO times in UTC sort as text
        print(f"{output} is up to date")
        return EXIT_OK
    return compile_and_print(mirror, output, None)


class _Progress:
    """Shows the file that moves, on one line of the terminal."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, feed: str, done: int, total: int) -> None:
        if time.monotonic() - self._last < _PROGRESS_SECONDS:
            return
        self._last = time.monotonic()
        of = f" of {_size(total)}" if total else ""
        print(f"\r\x1b[K{feed[:_MAX_NAME]:<{_MAX_NAME}} {_size(done)}{of}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _age(moment: str, now: datetime) -> str:
    if not moment:
        return "never"
    seconds = max(0, int((now - datetime.fromisoformat(moment)).total_seconds()))
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def _size(size: int) -> str:
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < _KILO:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _KILO
    return f"{value:.1f} GB"
