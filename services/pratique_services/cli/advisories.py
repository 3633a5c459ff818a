"""`pratique advisories`: the compiled database."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from pratique.advisories.compiler import EPSS, KEV, compile_database
from pratique.advisories.contents import DatabaseContents, read_contents
from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import SettingsError
from pratique.reports.durations import duration
from pratique.reports.printable import printable
from pratique_services.cli.main import EXIT_OK, EXIT_UNFINISHED

_NAME = 16  # columns: no feed of ours has a longer name


def build(options: argparse.Namespace) -> int:
    """Compile the database and print what went into it, and what did not. Exits 3 when records had to be skipped: the database is there, and not whole."""
    return compile_and_print(options.mirror, options.output, options.ecosystem)


def compile_and_print(mirror: Path, output: Path, ecosystems: Sequence[str] | None) -> int:
    """Compile `mirror` into `output`, as `build` says."""
    report = compile_database(mirror, output, ecosystems=ecosystems, progress=_print_progress)
    for feed in report.feeds:
        kind = "matched" if feed.is_matched else "exploitation" if feed.name in {KEV, EPSS} else "severities only"
        print(
            f"{feed.name:<16} {feed.records:>7} records, {feed.withdrawn} withdrawn, {feed.skipped} skipped, newest {feed.updated} ({kind})"
        )
    for problem in report.problems:
        print(f"pratique: {problem.ecosystem} {problem.record}: {problem.reason}", file=sys.stderr)
    print(f"{output}: {report.advisories} advisories, {report.affected} affected packages, {report.size} bytes, {report.digest}")
    return EXIT_UNFINISHED if any(feed.skipped for feed in report.feeds) else EXIT_OK


def _print_progress(ecosystem: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{ecosystem:<16} {done:>7} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def status(options: argparse.Namespace) -> int:
    """Print digest and feeds of the database, or, with --mirror, what the last sync of each feed did."""
    if options.mirror is not None:
        from pratique_services.cli.feeds import print_status

        return print_status(options.mirror, options.format)
    path = options.file or os.environ.get("PRATIQUE_ADVISORIES")
    if not path:
        raise SettingsError("which database? give FILE or set PRATIQUE_ADVISORIES")
    with AdvisoryDatabase.open(Path(path)) as database:
        digest = database.digest
    contents = read_contents(Path(path))
    if options.format == "json":
        print(json.dumps({"digest": str(digest), **asdict(contents)}, indent=2))
        return EXIT_OK
    print(digest)
    for line in contents_lines(contents, now=datetime.now(UTC)):
        print(line)
    return EXIT_OK


def contents_lines(contents: DatabaseContents, *, now: datetime) -> Iterator[str]:
    """How much a database has, and a line a feed, of 80 columns at most."""
    yield f"{contents.advisories} advisories, {contents.affected} affected packages"
    yield f"{'feed':<{_NAME}} {'newest':<16} {'age':>8} {'records':>9}"
    for feed in contents.feeds:
        newest = printable(feed.updated)[:16].replace("T", " ") or "-"
        kind = "" if feed.is_matched else _kind(feed.name)
        notes = ", ".join(note for note in (kind, f"{feed.skipped} skipped" if feed.skipped else "") if note)
        yield f"{printable(feed.name)[:_NAME]:<{_NAME}} {newest:<16} {_age(feed.updated, now):>8} {feed.records:>9}  {notes}".rstrip()


def _kind(feed: str) -> str:
    return "exploitation" if feed in {KEV, EPSS} else "severities"


def _age(moment: str, now: datetime) -> str:
    try:
        time = datetime.fromisoformat(moment)
    except ValueError:
        return "-"
    return duration((now - (time if time.tzinfo else time.replace(tzinfo=UTC))).total_seconds())
