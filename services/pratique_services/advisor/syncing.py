"""Keeps the compiled advisory database current, on a schedule.

1. With `feeds.mirror` set, all feeds are synced at start and then every `feeds.interval`. A feed that fails keeps what it has in the mirror; the others go on.
2. If the compiled file is older than the mirror, missing, or of another release, the mirror is compiled anew and takes its place at once. What cannot be
   compiled leaves the old file in force.
3. Whatever puts another file in its place (this, another advisor, `pratique advisories build` or `pull`), `on_new` is told of it, and of the file that is
   there at start.
4. What fails is told to `on_failures`, and again when that changes. Nothing of it ends the process.

Advisors that share a mirror take turns by its lock: one that comes second waits, and finds nothing left to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import InvalidAdvisory, PratiqueError, RefusedError, SettingsError, UnavailableError
from pratique.feeds.configured import plan_of
from pratique.feeds.folder import open_mirror
from pratique.feeds.health import COMPILATION, DATABASE, MIRROR, FeedFailure, failures_of
from pratique.feeds.plan import FeedPlan, UpdateReport
from pratique.feeds.state import load_states
from pratique.feeds.update import update_mirror
from pratique.runtime.concurrency import run_together
from pratique.runtime.metrics import COMPILATIONS, FEED_FAILURES, FEED_SYNCS, LAST_SYNC
from pratique.runtime.settings import Settings
from pratique_services.advisor.compiling import CompileLimits, compile_mirror
from pratique_services.advisor.failing import Failing

WATCH_SECONDS = 5.0  # between two looks at the compiled file; a look is one system call
_JITTER = 0.1  # of the interval, either way: advisors that were started together do not ask their publishers together
_CLOCK_SECONDS = 1.0  # `last_change` is cut to seconds: what was compiled in the same second may be older

_Identity = tuple[int, int, int]

_log = structlog.get_logger()


async def _tell_nobody(_failures: tuple[FeedFailure, ...]) -> None:
    pass


@dataclass(slots=True, kw_only=True)
class Syncer:
    """Keeps `settings.advisories` current. `on_new` brings everything to the file at its path, `on_failures` stores what fails; both are called one at a time.

    Either is called again after WATCH_SECONDS when it raises UnavailableError or RefusedError. `plan` replaces the one that the settings mean.
    """

    settings: Settings
    on_new: Callable[[Path], Awaitable[None]]
    on_failures: Callable[[tuple[FeedFailure, ...]], Awaitable[None]] = _tell_nobody
    plan: FeedPlan | None = None
    limits: CompileLimits = field(default_factory=CompileLimits)
    watch_seconds: float = WATCH_SECONDS
    failing: Failing = field(default_factory=Failing)
    _has_synced: bool = False
    _is_postponed: bool = False
    _ended_round: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Sync and watch until cancelled; without `advisories` there is nothing to do.

        Raises SettingsError at start, for settings that do not fit together.
        """
        await asyncio.to_thread(check_settings, self.settings)
        advisories, mirror = self.settings.advisories, self.settings.feeds.mirror
        if advisories is None:
            await asyncio.get_running_loop().create_future()  # never done: the other work of the process goes on
        elif mirror is None:
            self._has_synced = True  # there is nothing to wait for before telling that nothing fails
            await self._watch(advisories)
        else:
            await run_together([self._watch(advisories), self._sync_on(mirror, advisories)])

    async def _sync_on(self, mirror: Path, advisories: Path) -> None:
        while True:
            started = time.monotonic()
            pause = await self.sync(mirror, advisories)
            self._ended_round.set()
            await asyncio.sleep(max(0.0, started + pause - time.monotonic()))

    async def sync(self, mirror: Path, advisories: Path) -> float:
        """Sync and compile once; answer how many seconds after its start the next time is due.

        Raises SettingsError the first time, for feeds that cannot be meant.
        """
        interval = self.settings.feeds.interval * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
        try:
            report = await update_mirror(mirror, self.plan or plan_of(self.settings.feeds))
            self._note(report)
            await self._compile(mirror, advisories)
        except PratiqueError as error:
            if isinstance(error, SettingsError) and not self._has_synced:
                raise
            if isinstance(error, UnavailableError) and error.retry_after is not None:  # another process holds the mirror
                FEED_SYNCS.labels(outcome="busy").inc()
                return min(interval, error.retry_after)
            FEED_SYNCS.labels(outcome="failed").inc()
            self.failing.begin(MIRROR, str(error))
        else:
            self.failing.end(MIRROR)
        self._has_synced = True
        return interval

    def _note(self, report: UpdateReport) -> None:
        """Take over what became of each feed."""
        for outcome in report.failed:
            FEED_FAILURES.labels(feed=outcome.name).inc()
        FEED_SYNCS.labels(outcome="partial" if report.failed else "ok").inc()
        if not report.failed:
            LAST_SYNC.set_to_current_time()
        self._has_synced = True
        self.failing.take_feeds(failures_of({outcome.name: outcome.state for outcome in report.feeds}))
        changed = [outcome.name for outcome in report.feeds if outcome.is_changed]
        _log.info("feeds.synced", feeds=len(report.feeds), changed=len(changed), failed=len(report.failed))

    async def _compile(self, mirror: Path, advisories: Path) -> None:
        """Compile the mirror if there is something to; what it holds stays as it is meanwhile.

        Raises FeedUnavailable if another process holds the mirror.
        """
        with open_mirror(mirror):
            if not await asyncio.to_thread(is_behind, advisories, mirror):
                self.failing.end(COMPILATION)
                return
            started = time.monotonic()
            try:
                answer = await compile_mirror(mirror, advisories, limits=self.limits)
            except PratiqueError as error:
                COMPILATIONS.labels(outcome="failed").inc()
                self.failing.begin(COMPILATION, f"the mirror cannot be compiled, the old database stays in force: {error}")
                return
        COMPILATIONS.labels(outcome="ok").inc()
        self.failing.end(COMPILATION)
        _log.info(
            "advisories.compiled",
            digest=answer.digest,
            advisories=answer.advisories,
            skipped=answer.skipped,
            file_bytes=answer.bytes,
            compile_ms=round((time.monotonic() - started) * 1000),
        )

    async def _watch(self, advisories: Path) -> None:
        applied: _Identity | None = None
        told: tuple[FeedFailure, ...] | None = None
        while True:
            identity = _identify(advisories)
            if identity is None:
                self._miss(advisories)
            elif identity != applied and await self._apply(advisories):
                applied, told = identity, None  # a state that is begun anew knows of no failure yet
            failures = self.failing.current
            if self._has_synced and failures != told and await self._tell(failures):
                told = failures
            await self._wait()

    def _miss(self, advisories: Path) -> None:
        if self.settings.feeds.mirror is None:
            self.failing.begin(DATABASE, f"{advisories} is not there: build or pull it, or set feeds.mirror to have it synced")

    async def _apply(self, advisories: Path) -> bool:
        """Tell of a file; False if it is to be told of again."""
        try:
            await self.on_new(advisories)
        except (UnavailableError, RefusedError) as error:
            self.failing.begin(DATABASE, str(error))
            return False
        except PratiqueError as error:  # the same file would be no better
            self.failing.begin(DATABASE, str(error))
        else:
            self.failing.end(DATABASE)
        return True

    async def _tell(self, failures: tuple[FeedFailure, ...]) -> bool:
        try:
            await self.on_failures(failures)
        except (UnavailableError, RefusedError) as error:
            if not self._is_postponed:
                _log.warning("failures.postponed", error=str(error))
            self._is_postponed = True
        else:
            self._is_postponed = False
        return not self._is_postponed

    async def _wait(self) -> None:
        """Wait until it is time to look again, or a sync has ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.watch_seconds):
                await self._ended_round.wait()
        self._ended_round.clear()


def check_settings(settings: Settings) -> None:
    """Make sure that what the settings say of advisories fits together. Blocking.

    Raises SettingsError.
    """
    advisories, mirror = settings.advisories, settings.feeds.mirror
    if mirror is None:
        return
    if advisories is None:
        raise SettingsError(
            "feeds.mirror: feeds are synced to be compiled; set advisories (or PRATIQUE_ADVISORIES) to the file that is to be compiled, or leave feeds.mirror out"
        )
    if advisories.is_dir():
        raise SettingsError(f"advisories: expected the path of a file, {advisories} is a folder")
    if not advisories.parent.is_dir() or not os.access(advisories.parent, os.W_OK | os.X_OK):
        raise SettingsError(
            f"advisories: the compiled file is replaced in {advisories.parent}; make that a folder that this process may write, or leave feeds.mirror out"
        )
    if mirror.exists() and not mirror.is_dir():
        raise SettingsError(f"feeds.mirror: expected a folder, {mirror} is a file")


def is_behind(advisories: Path, mirror: Path) -> bool:
    """Tell whether the compiled file is missing, older than the newest change of the mirror, or no database of this release. Blocking.

    Raises InvalidAdvisory for a mirror whose `feeds.json` is none.
    """
    identity = _identify(advisories)
    if identity is None:
        return True
    newest = max((state.last_change for state in load_states(mirror).values()), default="")
    try:
        if newest and identity[2] < (datetime.fromisoformat(newest).timestamp() + _CLOCK_SECONDS) * 1e9:
            return True
        AdvisoryDatabase.open(advisories).close()
    except (InvalidAdvisory, SettingsError, ValueError):
        return True
    return False


def _identify(path: Path) -> _Identity | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
