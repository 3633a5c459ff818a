"""Brings the whole fleet to another advisory database, without fetching a layer.

1. `adopt`: in one transaction the state advances, the packages that the databases' difference is about are matched again, what became of their matches is written
   down, and the standing decisions that this may overturn are ordered to be judged again. Where the earlier database is not at hand, all packages are.
2. `settle`: what is left, in pieces that each hold by themselves: packages to match again, then decisions to judge again. A process that dies in between leaves
   nothing undone: what is ordered lies in the database.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.advisories.database import AdvisoryDatabase
from pratique.advisories.delta import Delta, compare_databases
from pratique.advisories.ecosystem_parts import wholes_of
from pratique.advisories.matching import match_singly
from pratique.deciding.decider import Decider
from pratique.deciding.relevance import relevance_of
from pratique.errors import InvalidAdvisory, SettingsError, UnavailableError
from pratique.feeds.health import FeedFailure
from pratique.inventory.package import Package
from pratique.policy.verdict import VerdictStatus
from pratique.storage.advisory_state import StateRow, advance_state, begin_state, load_state, record_failures, seize_state
from pratique.storage.engine import Database
from pratique.storage.exploitations import Exploit, Exploits, load_exploits, with_exploits
from pratique.storage.exploited_matches import record_news_of_exploits
from pratique.storage.match_changes import MatchChange, PackageMatch
from pratique.storage.matches import MatchReport, load_unplaced_packages, record_matches, unplace_packages, unplace_unmatched
from pratique.storage.packages import load_packages_named
from pratique.storage.rejudgements import order_rejudgements
from pratique_services.advisor.rejudging import Rejudge

_PACKAGES_A_PIECE = 5000
_REST_SECONDS = 5.0  # between two looks for what scanners left with another database

_log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Fleet:
    """The fleet's matches and decisions. `wake` tells the outbox relay of a commit."""

    database: Database
    decider: Decider
    wake: Callable[[], None]
    _current: AdvisoryDatabase | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Settle, now and then, what scanners recorded with another database than the fleet's, and what an earlier process left; until cancelled."""
        while True:
            await asyncio.sleep(_REST_SECONDS)
            async with self._turn:
                try:
                    await self._settle()
                except UnavailableError as error:
                    _log.warning("fleet.postponed", error=str(error))

    async def adopt(self, path: Path) -> None:
        """Bring the fleet to the compiled database at `path`, and settle all that follows from it.

        Raises what `AdvisoryDatabase.open` raises, DatabaseUnavailable.
        """
        async with self._turn:
            new = await asyncio.to_thread(AdvisoryDatabase.open, path)
            applied = path.with_name(f"{path.name}.applied")
            delta = await self._compare(applied, path)
            async with self.database.transaction() as session:
                await self._advance(session, new, delta)
            await asyncio.to_thread(_keep, path, applied)
            self._current = new
            await self._settle()

    async def record_failures(self, failures: tuple[FeedFailure, ...]) -> None:
        """Store which feeds could not be synced, for `/readyz` and the coverage of verdicts."""
        async with self.database.transaction() as session:
            await record_failures(session, failures)

    async def _compare(self, applied: Path, path: Path) -> Delta | None:
        """The difference from the database that the fleet is at; None where that one is not at hand."""
        async with self.database.reading() as session:
            state = await load_state(session)
        if state is None:
            return None
        try:
            if await asyncio.to_thread(_digest_of, applied) != state.digest:
                return None
            return await asyncio.to_thread(compare_databases, applied, path)
        except (InvalidAdvisory, SettingsError):
            return None

    async def _advance(self, session: AsyncSession, new: AdvisoryDatabase, delta: Delta | None) -> None:
        await begin_state(session, new.digest, new.feeds)
        state = await seize_state(session)
        await unplace_unmatched(session)
        if state is None or state.digest == str(new.digest):
            return
        position = await advance_state(session, new.digest, new.feeds)
        known = await load_exploits(session)
        exploits = {cve: _exploit_of(new, cve) for cve in known}
        changes: list[MatchChange] = []
        if delta is None:
            await unplace_packages(session)
        else:
            await unplace_packages(session, {whole for name in delta.ecosystems for whole in wholes_of(name)})
            packages = await load_packages_named(session, delta.packages)
            report = await self._match(session, new, packages, position)
            changes += [_exploited(change, known, exploits) for change in report.changes]
            await order_rejudgements(session, position, report.gaps, is_covered_anew=True)
        changes += await record_news_of_exploits(session, known, exploits, position=position)
        await self._order(session, changes, position)
        _log.info("fleet.advanced", position=position, digest=str(new.digest), changes=len(changes), is_whole=delta is None)

    async def _match(
        self, session: AsyncSession, database: AdvisoryDatabase, packages: Sequence[tuple[int, Package]], position: int
    ) -> MatchReport:
        found = await asyncio.to_thread(lambda: [next(match_singly(database, [package])) for _, package in packages])
        matches = [PackageMatch(package_id=row, findings=one.findings, gap=one.gap) for (row, _), one in zip(packages, found, strict=True)]
        return await record_matches(session, matches, position=position, is_published=database.publishes)

    async def _order(self, session: AsyncSession, changes: Iterable[MatchChange], position: int) -> None:
        """Order what the changes may overturn, and what people may want to hear of where a tag points to it."""
        overturned: dict[int, frozenset[VerdictStatus]] = defaultdict(frozenset)
        news: set[int] = set()
        for change in changes:
            relevance = relevance_of(self.decider.document, change)
            overturned[change.package_id] |= relevance.statuses
            if relevance.is_news:
                news.add(change.package_id)
        for statuses in sorted(set(overturned.values()) - {frozenset()}, key=sorted):
            package_ids = [package_id for package_id, found in overturned.items() if found == statuses]
            await order_rejudgements(session, position, package_ids, statuses=set(map(str, statuses)))
        await order_rejudgements(session, position, news, only_tagged=True)

    async def _settle(self) -> None:
        """Match and judge what is ordered, until nothing is."""
        if self._current is None:
            return
        while await self._match_piece(self._current):
            pass
        judged = await Rejudge(database=self.database, decider=self.decider, advisories=self._current, wake=self.wake).run()
        if judged.decided:
            _log.info("fleet.rejudged", judged=judged.judged, decided=judged.decided)

    async def _match_piece(self, database: AdvisoryDatabase) -> bool:
        """Match some packages that were matched with another database; False where there are none, or the fleet is at another one."""
        async with self.database.transaction() as session:
            state = await seize_state(session)
            if state is None or state.digest != str(database.digest):
                return False
            packages = await load_unplaced_packages(session, limit=_PACKAGES_A_PIECE)
            if not packages:
                return False
            await self._record_piece(session, database, packages, state)
        return True

    async def _record_piece(
        self, session: AsyncSession, database: AdvisoryDatabase, packages: Sequence[tuple[int, Package]], state: StateRow
    ) -> None:
        report = await self._match(session, database, packages, state.position)
        exploits = await load_exploits(session)
        await self._order(session, (_exploited(change, exploits, exploits) for change in report.changes), state.position)
        await order_rejudgements(session, state.position, report.gaps, is_covered_anew=True)
        # These packages were a gap of their own until now.
        await order_rejudgements(
            session, state.position, (number for number, _ in packages), statuses={str(VerdictStatus.INCOMPLETE)}, is_covered_anew=True
        )


def _exploit_of(database: AdvisoryDatabase, cve: str) -> Exploit:
    since, epss = database.exploit_of(cve)
    return Exploit(since or None, epss)


def _exploited(change: MatchChange, before: Exploits, after: Exploits) -> MatchChange:
    """The change with what was and is known of exploitation."""
    return MatchChange(
        package_id=change.package_id,
        kinds=change.kinds,
        before=change.before and with_exploits(change.before, before),
        after=change.after and with_exploits(change.after, after),
    )


def _digest_of(path: Path) -> str:
    with AdvisoryDatabase.open(path) as database:
        return str(database.digest)


def _keep(path: Path, applied: Path) -> None:
    """Keep the file that the fleet is at, to compare the next one with. Without it the whole fleet is matched again, which is slower and as right."""
    temporary = applied.with_name(f"{applied.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        try:
            os.link(path, temporary)
        except OSError:
            shutil.copyfile(path, temporary)
        temporary.replace(applied)
    except OSError as error:
        _log.warning("fleet.not_kept", path=str(applied), error=error.strerror or str(error))
