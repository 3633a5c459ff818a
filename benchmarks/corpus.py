"""Compile a mirror of advisories and show that no record of it is lost: `python -m benchmarks.corpus MIRROR`.

1. The mirror is compiled as `pratique advisories build` does it.
2. Every zip of OSV's is read again with the standard library, and what each record says of a package is looked up in the compiled file. A record is compiled, or withdrawn,
   or about no flaw, or skipped; which are skipped, wholly or of some packages, or compiled with ranges that cannot be compared, is named with the reason.
3. Printed are the counts of each ecosystem. A record that is none of these, or counts that the compiler gives otherwise, end the program with 1.

With `--write` the table in docs/matching-data.md is renewed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import resource
import sqlite3
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pratique.advisories.compiler import CompileReport, compile_database
from pratique.advisories.naming import normal_name
from pratique.advisories.osv import parse_advisory
from pratique.errors import InvalidAdvisory
from tests.support.servers import CHECKOUT

_DOCUMENT = CHECKOUT / "docs" / "matching-data.md"
_BEGIN, _END = "<!-- written by `make corpus` -->", "<!-- until here -->"
_PAIRS = """
SELECT a.name, e.name, s.name FROM affected AS s JOIN advisory AS a ON a.id = s.advisory JOIN ecosystem AS e ON e.id = s.ecosystem
WHERE e.name = ?1 OR e.name LIKE ?1 || ':%'
"""
_SHOWN = 200  # characters of a reason
_NAMED = 6  # updates that are about no flaw, in the document; all of them are printed
_OTHER_UPDATE = re.compile(r"(?:AL|RH|RL|RX)[BE]A-")  # of bugs and features, as Red Hat and its rebuilds call them

Record = Mapping[str, Any]
Package = tuple[str, str]
"""Ecosystem with release, and normal name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What the compiled file has of one ecosystem: packages by record, and the compiler's reasons by record."""

    ecosystem: str
    packages: Mapping[str, set[Package]]
    reasons: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of one ecosystem's records. `packages` counts pairs of a record and a package; `skipped`, `partly` and `doubtful` say which records, and why;
    `no_flaw` names updates that fix bugs or add features.
    """

    title: str
    records: int = 0
    compiled: int = 0
    withdrawn: int = 0
    malformed: int = 0
    lost: int = 0
    packages: int = 0
    newest: str = ""
    no_flaw: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)

    def add(self, name: str, content: bytes, found: Compiled) -> None:
        """Count a record."""
        self.records += 1
        record = _decode(content)
        if record.get("withdrawn"):
            self.withdrawn += 1
        elif reason := _refusal(content):
            self.malformed += 1
            self.skipped.append(f"`{name}`: {reason[:_SHOWN]}")
        else:
            self._add_readable(record, found)

    def _add_readable(self, record: Record, found: Compiled) -> None:
        stated, compiled = _packages(record, found.ecosystem), found.packages.get(record["id"], set())
        missing = stated.keys() - compiled
        self.packages += len(compiled)
        if compiled:
            self.compiled += 1
            self.newest = max(self.newest, record["modified"][:10])
        if compiled and not missing:
            if reason := found.reasons.get(record["id"]):
                self.doubtful.append(f"`{record['id']}`: {reason}")
            return
        if not compiled and _is_about_no_flaw(record):
            self.no_flaw.append(record["id"])
        elif reason := found.reasons.get(record["id"]) or _why([entry for package in sorted(missing) for entry in stated[package]]):
            (self.partly if compiled else self.skipped).append(f"`{record['id']}`: {reason}")
        else:
            self.lost += 1

    def row(self) -> str:
        counts = (self.records, self.compiled, self.withdrawn, len(self.no_flaw), len(self.skipped), self.lost, self.packages)
        return f"| {self.title} | {' | '.join(f'{count:,}' for count in counts)} | {self.newest} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corpus", description=__doc__.partition("\n")[0])
    parser.add_argument("mirror", type=Path, help="a folder with <Ecosystem>/all.zip, as `pratique advisories update` makes it")
    parser.add_argument("--write", action="store_true", help="renew the table in docs/matching-data.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "advisories.sqlite"
        report = _compile(options.mirror, path)
        with contextlib.closing(sqlite3.connect(path)) as database:
            tallies = list(_tally(options.mirror, database, report))
    print("\n".join(_report(tallies, report, sys.maxsize)))
    if options.write:
        text = "\n".join(_report(tallies, report, _NAMED))
        before, _, rest = _DOCUMENT.read_text().partition(_BEGIN)
        _DOCUMENT.write_text(f"{before}{_BEGIN}\n\n{text}\n\n{_END}{rest.partition(_END)[2]}")
    if problems := list(_disagreements(tallies, report)):
        sys.exit("\n".join(["", *problems]))


def _compile(mirror: Path, path: Path) -> CompileReport:
    started = time.monotonic()
    report = compile_database(mirror, path)
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{report.advisories / seconds:,.0f} advisories/s, {seconds:.1f} s, at most {peak} MiB of memory\n", file=sys.stderr, flush=True)
    return report


def _tally(mirror: Path, database: sqlite3.Connection, report: CompileReport) -> Iterator[Tally]:
    for path in sorted(mirror.glob("*/all.zip")):
        tally = Tally(title=path.parent.name)
        packages: dict[str, set[Package]] = defaultdict(set)
        for record, release, name in database.execute(_PAIRS, (tally.title,)):
            packages[record].add((release, name))
        reasons = {problem.record: problem.reason for problem in report.problems if problem.ecosystem == tally.title}
        found = Compiled(ecosystem=tally.title, packages=packages, reasons=reasons)
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".json"):
                    tally.add(name, archive.read(name), found)
        yield tally


def _decode(content: bytes) -> Record:
    try:
        record = json.loads(content)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _refusal(content: bytes) -> str:
    """Why the reader takes a record for malformed."""
    try:
        parse_advisory(content)
    except InvalidAdvisory as error:
        return str(error)
    return ""


def _is_about_no_flaw(record: Record) -> bool:
    names = [name for key in ("aliases", "upstream", "related") for name in record.get(key) or ()]
    return _OTHER_UPDATE.match(record["id"]) is not None and not any(name.startswith("CVE-") for name in names)


def _packages(record: Record, ecosystem: str) -> dict[Package, list[Record]]:
    """The entries of a record about packages of an ecosystem, whatever its release."""
    packages: dict[Package, list[Record]] = defaultdict(list)
    for entry in record.get("affected") or ():
        release = entry.get("package", {}).get("ecosystem", "")
        if release.partition(":")[0] == ecosystem:
            packages[release, normal_name(release, entry["package"]["name"])].append(entry)
    return packages


def _why(entries: Sequence[Record]) -> str:
    """What can be seen in entries of a record that affect no version in the compiled file; empty if nothing."""
    ranges = [range_ for entry in entries for range_ in entry.get("ranges") or ()]
    if not entries:
        return "it names no package"
    if any(entry.get("versions") for entry in entries):
        return ""
    if all(range_["type"] == "GIT" for range_ in ranges):
        return "ranges of commits only" if ranges else "it names no version"
    bounds = (
        " to ".join(version for event in range_["events"] for version in event.values()) for range_ in ranges if range_["type"] != "GIT"
    )
    names = dict.fromkeys(entry["package"]["name"] for entry in entries)
    return f"no version of {', '.join(names)} lies in {', '.join(bounds)}"[:_SHOWN]


def _report(tallies: Sequence[Tally], report: CompileReport, named: int) -> Iterator[str]:
    yield "| ecosystem | records | compiled | withdrawn | no flaw | skipped | lost | packages | newest |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|---|"
    yield from (tally.row() for tally in tallies)
    yield _total(tallies).row()
    zipped = {tally.title for tally in tallies}
    for feed in report.feeds:
        if feed.name not in zipped:  # a vendor's, or KEV or EPSS: the compiler's own counts
            yield f"| {feed.name} | {feed.records:,} | {feed.records - feed.skipped:,} | | | {feed.skipped:,} | | | {feed.updated[:10]} |"
    no_flaw = [(tally.title, tally.no_flaw) for tally in tallies if tally.no_flaw]
    for title, lines in (
        ("Updates that fix bugs or add features, and no flaw", [f"- {name}: {_named(records, named)}" for name, records in no_flaw]),
        ("Skipped", [f"- {tally.title} {line}" for tally in tallies for line in tally.skipped]),
        ("Compiled with ranges that cannot be compared", [f"- {tally.title} {line}" for tally in tallies for line in tally.doubtful]),
        ("Compiled without some of their packages", [f"- {tally.title} {line}" for tally in tallies for line in tally.partly]),
        (
            "Ranges of commits, which say nothing of versions",
            [f"- {feed.name}: {feed.git_ranges:,}" for feed in report.feeds if feed.git_ranges],
        ),
    ):
        yield from ["", f"{title}:{'' if lines else ' none'}", *([""] if lines else []), *lines]


def _named(records: Sequence[str], most: int) -> str:
    names = ", ".join(f"`{name}`" for name in records[:most])
    return names if len(records) <= most else f"{names} and {len(records) - most:,} more"


def _total(tallies: Sequence[Tally]) -> Tally:
    total = Tally(title="**all**")
    for tally in tallies:
        total.records += tally.records
        total.compiled += tally.compiled
        total.withdrawn += tally.withdrawn
        total.lost += tally.lost
        total.packages += tally.packages
        total.no_flaw += tally.no_flaw
        total.skipped += tally.skipped
    return total


def _disagreements(tallies: Sequence[Tally], report: CompileReport) -> Iterator[str]:
    feeds = {feed.name: feed for feed in report.feeds}
    for tally in tallies:
        if tally.lost:
            yield f"{tally.title}: {tally.lost} records have packages that are not compiled, for no reason that can be seen"
        if tally.records != tally.compiled + tally.withdrawn + len(tally.no_flaw) + len(tally.skipped):
            yield f"{tally.title}: {tally.row()} does not add up"
        feed = feeds[tally.title]
        theirs, ours = (feed.records, feed.withdrawn, feed.skipped), (tally.records, tally.withdrawn, tally.malformed)
        if theirs != ours:
            yield f"{tally.title}: the compiler counts {theirs} records, withdrawn and malformed ones; there are {ours}"


if __name__ == "__main__":
    main()
