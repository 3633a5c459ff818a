"""The process that is measured: it adopts a newer advisory database, as the advisor does, and says in JSON what that took.

    python -m benchmarks.fleet.adopting URL NEW_DATABASE [--explain] [--profile FILE]

The older one lies beside it with the ending `.applied`, as the advisor keeps it.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.fleet.policy import fleet_policy
from benchmarks.fleet.statements import Watch
from pratique.advisories.database import AdvisoryDatabase
from pratique.advisories.delta import Delta
from pratique.deciding.decider import Decider
from pratique.inventory.package import Package
from pratique.storage.engine import Database
from pratique.storage.match_changes import MatchChange
from pratique.storage.matches import MatchReport
from pratique_services.advisor.fleet import Fleet

COMPARE, MATCH, ORDER, JUDGE, REST = "compare", "match and write", "order", "judge", "rest"
_SHOWN = 12
_SETTINGS = (
    "SELECT name, setting FROM pg_settings WHERE source = 'client' AND name IN ('jit', 'random_page_cost', 'work_mem', 'plan_cache_mode')"
)
_COUNTS = {
    "changes": "SELECT count(*) FROM (SELECT DISTINCT package_id, advisory_id FROM match_event) AS changed",
    "events": "SELECT count(*) FROM match_event",
    "decisions": "SELECT count(*) FROM decision WHERE revision > 0",
    "actions": "SELECT count(*) FROM action WHERE outcome = 'planned'",
    "outbox": "SELECT count(*) FROM outbox",
    "left": "SELECT count(*) FROM rejudgement",
}


@dataclass(slots=True, kw_only=True)
class WatchedFleet(Fleet):
    """The advisor's fleet, with a clock. It does nothing but what that does."""

    watch: Watch = field(default_factory=Watch)
    matched: int = 0
    written: int = 0
    ordered: int = 0
    touched: int = 0

    async def _compare(self, applied: Path, path: Path) -> Delta | None:
        with self.watch.in_phase(COMPARE):
            delta = await super(WatchedFleet, self)._compare(applied, path)
        self.touched = -1 if delta is None else len(delta.packages)
        return delta

    async def _match(
        self, session: AsyncSession, database: AdvisoryDatabase, packages: Sequence[tuple[int, Package]], position: int
    ) -> MatchReport:
        with self.watch.in_phase(MATCH):
            report = await super(WatchedFleet, self)._match(session, database, packages, position)
        self.matched += len(packages)
        self.written += len(report.changes)
        return report

    async def _order(self, session: AsyncSession, changes: Iterable[MatchChange], position: int) -> None:
        with self.watch.in_phase(ORDER):
            await super(WatchedFleet, self)._order(session, changes, position)
        self.ordered = (await session.execute(text("SELECT count(*) FROM rejudgement"))).scalar_one()

    async def _settle(self) -> None:
        with self.watch.in_phase(JUDGE):
            await super(WatchedFleet, self)._settle()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet.adopting", description=__doc__.partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("new", type=Path)
    parser.add_argument("--explain", action="store_true")
    parser.add_argument("--profile", type=Path)
    options = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    profile = cProfile.Profile() if options.profile else None
    result = asyncio.run(_adopt(options.url, options.new, Watch(explains=options.explain), profile))
    if profile is not None:
        profile.dump_stats(options.profile)
    print(json.dumps(result))


async def _adopt(url: str, new: Path, watch: Watch, profile: cProfile.Profile | None) -> dict[str, Any]:
    database = Database(url)
    try:
        fleet = WatchedFleet(database=database, decider=Decider(document=fleet_policy()), wake=lambda: None, watch=watch)
        await database.ping()  # the advisor has been running for a while: it has a connection
        used = _cpu_seconds()
        started = time.perf_counter()
        with watch.watching():
            if profile is not None:
                profile.enable()
            with watch.in_phase(REST):
                await fleet.adopt(new)
            if profile is not None:
                profile.disable()
        seconds, cpu = time.perf_counter() - started, _cpu_seconds() - used
        async with database.reading() as session:
            settings = [f"{name}={value}" for name, value in await session.execute(text(_SETTINGS))]
            counts = {name: (await session.execute(text(query))).scalar_one() for name, query in _COUNTS.items()}
    finally:
        with suppress(OSError):
            await database.close()
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "asked_seconds": watch.asked,
        "phases": dict(watch.phases),
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "touched": fleet.touched,
        "matched": fleet.matched,
        "written": fleet.written,
        "ordered": fleet.ordered,
        **counts,
        "settings": settings,
        "statements": _describe(watch),
    }


def _describe(watch: Watch) -> list[dict[str, Any]]:
    """All statements that were explained, or else the most expensive ones."""
    ordered = sorted(watch.statements.values(), key=lambda one: -one.seconds)
    return [
        {
            "text": one.text,
            "phase": one.phase,
            "calls": one.calls,
            "seconds": one.seconds,
            "steps": one.steps,
            "sequential": sorted(one.sequential),
            "plan": list(one.plans[-1]) if one.plans else [],
        }
        for one in (ordered if watch.explains else ordered[:_SHOWN])
    ]


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
