"""`pratique advisories`: the compiled database."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pratique.advisories.compiler import EPSS, KEV, compile_database
from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import SettingsError
from pratique_services.cli.main import EXIT_OK, EXIT_UNFINISHED


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
    path = options.advisories or os.environ.get("PRATIQUE_ADVISORIES")
    if not path:
        raise SettingsError("which database? give --advisories FILE or set PRATIQUE_ADVISORIES")
    with AdvisoryDatabase.open(Path(path)) as database:
        document = {"digest": str(database.digest), "feeds": [{"name": feed.name, "updated": feed.updated} for feed in database.feeds]}
    if options.format == "json":
        print(json.dumps(document, indent=2))
        return EXIT_OK
    print(f"{document['digest']}")
    for feed in database.feeds:
        print(f"{feed.name:<16} newest advisory {feed.updated}")
    return EXIT_OK
