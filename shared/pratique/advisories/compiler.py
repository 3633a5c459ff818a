"""Compiles a mirror of OSV data into one read-only SQLite file.

1. Every record of every ecosystem in the mirror is read once: its severity is noted for the CVE it names, and
   what it affects, if the ecosystem's versions can be ordered and it was asked for.
2. Each advisory gets all ratings noted for its CVEs; which one counts depends on the package, and is said in `ratings`.
3. The rows are written in sorted order, so that the same mirror gives the same bytes (with the same SQLite), and the file replaces the old one at once.

A malformed record is skipped, counted and named. A broken zip, or a feed most of whose records are malformed, ends the run and leaves the old file in place.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pratique.advisories.advisory import Advisory, Affected
from pratique.advisories.exploitation import Forecast, KnownExploited, Skipped, read_forecast_date, read_forecasts, read_known_exploited
from pratique.advisories.mirror import MirrorLimits, MirrorRecord, list_ecosystems, read_records
from pratique.advisories.naming import normal_name
from pratique.advisories.osv import parse_advisory
from pratique.advisories.severity import Scored, rate_entries, rate_own
from pratique.advisories.sources import SOURCES, Source, SourceLimits
from pratique.advisories.sources import Problem as SourceProblem
from pratique.advisories.sources.source import MAX_REASON, printable
from pratique.advisories.staging import FeedRow, Staging
from pratique.advisories.statements import EVERYTHING_DOUBTFUL, Statement, evaluate_statements
from pratique.advisories.versions import base_ecosystem, scheme_of
from pratique.errors import DatabaseUnavailable, InvalidAdvisory
from pratique.inventory.eol_dates import load_dates
from pratique.oci.digest import Digest

VENDOR_FOLDER = "vendor"
"""The folder of a mirror with a folder for each vendor's feed."""

KEV, EPSS = "KEV", "EPSS"
"""The feeds about exploitation, in reports and in the database."""

MAX_PROBLEMS = 20  # named of one ecosystem; protects the report's size, the counts go on

Progress = Callable[[str, int, int], None]
"""Called with an ecosystem, the records of it that were read and all it has."""

_PROGRESS_STEP = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A record that was skipped, or of which a part was, and why."""

    ecosystem: str
    record: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReport:
    """What became of one feed's records: OSV's of an ecosystem, a vendor's, or those about exploitation. `ecosystems` (without release) are what it speaks about.

    `skipped` were malformed, `withdrawn` taken back. `git_ranges` counts ranges of commits, `unreadable_ranges` those with a bound that is no version.
    `is_matched` is false where only severities were taken: the order of versions is not known, or the ecosystem was not asked for.
    """

    name: str
    updated: str
    records: int
    withdrawn: int = 0
    skipped: int = 0
    git_ranges: int = 0
    unreadable_ranges: int = 0
    is_matched: bool
    ecosystems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileReport:
    """What a compilation read and wrote. `affected` counts (package, advisory) pairs, `size` bytes; `problems` names the first MAX_PROBLEMS of each feed."""

    digest: Digest
    size: int
    advisories: int
    affected: int
    feeds: tuple[FeedReport, ...]
    problems: tuple[Problem, ...]

    @property
    def not_matched_yet(self) -> tuple[str, ...]:
        """Ecosystems in the mirror whose order of versions pratique does not know."""
        return tuple(feed.name for feed in self.feeds if any(scheme_of(ecosystem) is None for ecosystem in feed.ecosystems))


def compile_database(
    mirror: Path,
    output: Path,
    *,
    ecosystems: Sequence[str] | None = None,
    progress: Progress | None = None,
    limits: MirrorLimits | None = None,
) -> CompileReport:
    """Compile a mirror (OSV's zips, vendors' feeds below `vendor/`, KEV, EPSS) into `output`, which is replaced atomically; its folder must exist. Blocking.

    `ecosystems` are names without release; None means all that can be matched. Severities come from all of OSV's zips in any case. Where a vendor's feed has
    a record of the same id for the same package as OSV, the vendor's counts.
    Raises InvalidAdvisory for a broken mirror or one without an ecosystem asked for, LimitExceeded for one beyond `limits`, DatabaseUnavailable if the
    file cannot be written.
    """
    sources = [source for source in SOURCES if (mirror / VENDOR_FOLDER / source.name).is_dir()]
    zipped = list_ecosystems(mirror)
    present = {*zipped, *(ecosystem for source in sources for ecosystem in source.ecosystems)}
    if not present:
        raise InvalidAdvisory("expected a mirror with <Ecosystem>/all.zip, found none")
    wanted = frozenset(present if ecosystems is None else ecosystems)
    if missing := sorted(wanted - present):
        raise InvalidAdvisory(f"expected {missing[0][:140]}/all.zip in the mirror, found none")
    with (
        _translated(output),
        tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder,
        Staging(Path(folder)) as staging,
    ):
        run = _Run(staging=staging, progress=progress or _say_nothing)
        for ecosystem in zipped:
            run.read(
                ecosystem,
                read_records(mirror, ecosystem, limits or MirrorLimits()),
                is_matched=ecosystem in wanted and scheme_of(ecosystem) is not None,
            )
        for source in sources:
            run.read_source(source, mirror / VENDOR_FOLDER / source.name, wanted)
        run.read_exploitation(mirror)
        advisories, affected = staging.write([_feed_row(feed) for feed in run.feeds], load_dates(mirror))
        digest, size = _publish(staging.result, output)
    return CompileReport(
        digest=digest, size=size, advisories=advisories, affected=affected, feeds=tuple(run.feeds), problems=tuple(run.problems)
    )


@dataclass(slots=True, kw_only=True)
class _Run:
    """The state of one compilation."""

    staging: Staging
    progress: Progress
    feeds: list[FeedReport] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def read(self, ecosystem: str, records: Iterator[MirrorRecord], *, is_matched: bool) -> None:
        """Read one ecosystem's records into the staging tables."""
        counts: dict[str, int] = defaultdict(int)
        updated = ""
        for position, record in enumerate(records, start=1):
            counts["records"] += 1
            if position % _PROGRESS_STEP == 0 or position == record.total:
                self.progress(ecosystem, position, record.total)
            advisory = self._parse(ecosystem, record, counts)
            if advisory is not None:
                updated = max(updated, f"{advisory.modified[:19]}Z")
                self._add(frozenset({ecosystem}) if is_matched else frozenset(), advisory, counts)
        if is_matched and 2 * counts["skipped"] > counts["records"]:
            raise InvalidAdvisory(
                f"{counts['skipped']} of {counts['records']} records of {ecosystem} are malformed: has its format changed?"
            )
        self.feeds.append(
            FeedReport(
                name=ecosystem,
                updated=updated,
                records=counts["records"],
                withdrawn=counts["withdrawn"],
                skipped=counts["skipped"],
                git_ranges=counts["git_ranges"],
                unreadable_ranges=counts["unreadable_ranges"],
                is_matched=is_matched,
                ecosystems=(ecosystem,),
            )
        )

    def read_source(self, source: Source, folder: Path, wanted: frozenset[str]) -> None:
        """Read one vendor's feed into the staging tables."""
        counts: dict[str, int] = defaultdict(int)
        updated = ""
        for found in source.read(folder, SourceLimits()):
            if isinstance(found, SourceProblem):
                counts["records"] += found.count
                counts["skipped"] += found.count if found.is_malformed else 0
                self._name_problem(source.name, found.record, found.reason)
                continue
            counts["records"] += 1
            updated = max(updated, f"{found.modified[:19]}Z")
            self._add(wanted.intersection(source.ecosystems), found, counts)
            if counts["records"] % _PROGRESS_STEP == 0:
                self.progress(source.name, counts["records"], counts["records"] + 1)
        if 2 * counts["skipped"] > counts["records"]:
            raise InvalidAdvisory(
                f"{counts['skipped']} of {counts['records']} records of {source.name} are malformed: has its format changed?"
            )
        self.progress(source.name, counts["records"], counts["records"])
        self.feeds.append(
            FeedReport(
                name=source.name,
                updated=updated,
                records=counts["records"],
                skipped=counts["skipped"],
                unreadable_ranges=counts["unreadable_ranges"],
                is_matched=not wanted.isdisjoint(source.ecosystems),
                ecosystems=source.ecosystems,
            )
        )

    def read_exploitation(self, mirror: Path) -> None:
        """Read what is known of exploitation, where the mirror has it."""
        released, entries = read_known_exploited(mirror)
        self._add_entries(KEV, released, entries)
        self._add_entries(EPSS, read_forecast_date(mirror), read_forecasts(mirror))

    def _add_entries(self, feed: str, updated: str, entries: Iterable[KnownExploited | Forecast | Skipped]) -> None:
        records = skipped = 0
        for entry in entries:
            records += 1
            match entry:
                case KnownExploited():
                    self.staging.add_known_exploited(entry)
                case Forecast():
                    self.staging.add_forecast(entry)
                case Skipped(name, reason):
                    skipped += 1
                    self._name_problem(feed, name, reason)
        if 2 * skipped > records:
            raise InvalidAdvisory(f"{skipped} of {records} entries of {feed} are malformed: has its format changed?")
        if records:
            self.feeds.append(FeedReport(name=feed, updated=updated, records=records, skipped=skipped, is_matched=False))

    def _parse(self, ecosystem: str, record: MirrorRecord, counts: dict[str, int]) -> Advisory | None:
        try:
            advisory = parse_advisory(record.content)
        except InvalidAdvisory as error:
            counts["skipped"] += 1
            self._name_problem(ecosystem, record.name, str(error))
            return None
        if advisory is None:
            counts["withdrawn"] += 1
        return advisory

    def _add(self, ecosystems: frozenset[str], advisory: Advisory, counts: dict[str, int]) -> None:
        """Note the advisory's severity, and what it says of packages of these ecosystems (without release)."""
        own = rate_own(advisory)
        self.staging.add_ratings(advisory, own)
        if not ecosystems or not advisory.is_about_a_flaw:
            return
        self.staging.add_advisory(advisory, own)
        entries: dict[str, dict[str, list[Affected]]] = defaultdict(lambda: defaultdict(list))
        for entry in advisory.affected:  # a record that affects several ecosystems is in the zip of each
            if base_ecosystem(entry.ecosystem) in ecosystems:
                counts["git_ranges"] += entry.git_ranges
                entries[entry.ecosystem][normal_name(entry.ecosystem, entry.name)].append(entry)
        for release, packages in entries.items():
            self.staging.add_release(release)
            self.staging.add_affected(advisory, release, self._evaluate(advisory, packages, counts))

    def _evaluate(
        self, advisory: Advisory, packages: dict[str, list[Affected]], counts: dict[str, int]
    ) -> dict[str, tuple[tuple[Statement, ...], tuple[Scored, ...]]]:
        rows: dict[str, tuple[tuple[Statement, ...], tuple[Scored, ...]]] = {}
        for name, entries in packages.items():
            ecosystem = base_ecosystem(entries[0].ecosystem)
            try:
                statements, unreadable = evaluate_statements(entries)
            except InvalidAdvisory as error:
                statements, unreadable = (EVERYTHING_DOUBTFUL,), 0
                counts["unreadable_ranges"] += 1
                self._name_problem(ecosystem, advisory.id, str(error))
            if unreadable:
                counts["unreadable_ranges"] += unreadable
                self._name_problem(ecosystem, advisory.id, f"{unreadable} ranges of {name} are bounded by what is no version there")
            if statements:
                rows[name] = statements, rate_entries(advisory.id, entries)
            elif not unreadable and any(entry.ranges for entry in entries):
                self._name_problem(ecosystem, advisory.id, _contradiction(name, entries))
        return rows

    def _name_problem(self, ecosystem: str, record: str, reason: str) -> None:
        if sum(problem.ecosystem == ecosystem for problem in self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(ecosystem=ecosystem, record=record[:140], reason=reason))


def _contradiction(name: str, entries: Iterable[Affected]) -> str:
    ranges = (" to ".join(event.version for event in events) for entry in entries for events in entry.ranges)
    return printable(f"no version of {name} lies in {', '.join(ranges)}", MAX_REASON)


def _say_nothing(_ecosystem: str, _done: int, _total: int) -> None:
    pass


def _feed_row(feed: FeedReport) -> FeedRow:
    return FeedRow(
        name=feed.name,
        ecosystems=feed.ecosystems,
        updated=feed.updated,
        records=feed.records,
        skipped=feed.skipped,
        matched=feed.is_matched,
    )


def _publish(compiled: Path, output: Path) -> tuple[Digest, int]:
    """Make the compiled file durable, then put it in the old one's place: after a crash one of the two is there, whole."""
    with compiled.open("rb") as file:
        os.fsync(file.fileno())
        digest = Digest("sha256", hashlib.file_digest(file, "sha256").hexdigest())
        size = file.tell()
    compiled.chmod(0o444)
    compiled.replace(output)
    folder = os.open(output.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return digest, size


@contextmanager
def _translated(output: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise DatabaseUnavailable(f"advisory database {output.name} cannot be written: {error}") from error
