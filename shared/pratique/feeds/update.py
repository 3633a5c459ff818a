"""Brings a mirror folder up to date.

1. One update at a time holds the folder's lock.
2. OSV's list of ecosystems is read; each ecosystem is a feed of its own (`osv/Debian`), besides those of the catalogue.
3. Some feeds at once are synced, each within its time. One that fails keeps what it has, and says why in `feeds.json`; the others go on.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp

from pratique import __version__
from pratique.errors import MissingError, PratiqueError
from pratique.feeds.catalogue import CATALOGUE, DEFAULT_FEEDS, RESTRICTED_ECOSYSTEMS, Feed, check_names
from pratique.feeds.folder import open_mirror
from pratique.feeds.osv import check_ecosystem, list_ecosystems, sync_ecosystem
from pratique.feeds.plan import OSV, OSV_BUCKET, FeedOutcome, FeedPlan, Progress, UpdateReport
from pratique.feeds.sources import Source, open_source
from pratique.feeds.state import FeedState, load_states, store_states
from pratique.feeds.taking import Desk, Synced, sync_feed
from pratique.feeds.transport import Budget, FeedTransport
from pratique.runtime.concurrency import run_together

_CHECKING_THREADS = 2  # decoding takes memory as well as time
_MAX_CONNECTIONS = 32

Work = Callable[[Desk], Awaitable[Synced]]


async def update_mirror(mirror: Path, plan: FeedPlan, *, progress: Progress | None = None) -> UpdateReport:
    """Bring a mirror folder up to date as `plan` says; it is made where there is none.

    A feed that fails is no error: the report and the folder's `feeds.json` say so. Raises SettingsError for a plan that cannot be meant, FeedUnavailable if
    another update of the folder is under way or the folder cannot be written, InvalidAdvisory for a `feeds.json` that is none.
    """
    _check(plan)
    async with AsyncExitStack() as stack:
        staging = stack.enter_context(open_mirror(mirror))
        states = load_states(mirror)
        executor = ThreadPoolExecutor(_CHECKING_THREADS, thread_name_prefix="feeds")
        stack.push_async_callback(asyncio.to_thread, executor.shutdown, cancel_futures=True)
        session = await stack.enter_async_context(_open_session())
        update = _Update(
            mirror=mirror, staging=staging, plan=plan, executor=executor, session=session, states=states, progress=progress,
            end=asyncio.get_running_loop().time() + plan.limits.total_seconds, slots=asyncio.Semaphore(plan.concurrency),
            budget=Budget(plan.limits.total_bytes),
        )  # fmt: skip
        return await update.run()


def _open_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        auto_decompress=False,
        connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"pratique/{__version__}"},
    )


def _check(plan: FeedPlan) -> None:
    check_names(plan.feeds or (), "feeds")
    check_names(tuple(plan.urls), "feeds.urls")
    for name in plan.ecosystems:
        check_ecosystem(name)
    check_names([name for name in plan.accept_shrink if not name.startswith(f"{OSV}/")], "--accept-shrink")


@dataclass(slots=True, kw_only=True)
class _Update:
    """One run. `states` are those of `feeds.json`; `end` is the loop's time at which no feed goes on."""

    mirror: Path
    staging: Path
    plan: FeedPlan
    executor: ThreadPoolExecutor
    session: aiohttp.ClientSession
    states: dict[str, FeedState]
    progress: Progress | None
    end: float
    slots: asyncio.Semaphore
    budget: Budget
    storing: asyncio.Lock = field(default_factory=asyncio.Lock)
    outcomes: dict[str, FeedOutcome] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    async def run(self) -> UpdateReport:
        names = DEFAULT_FEEDS if self.plan.feeds is None else self.plan.feeds
        feeds = [(feed, self._open(feed)) for feed in CATALOGUE if feed.name in names]  # first: a wrong address is a mistake of settings
        osv = open_source(self.plan.urls.get(OSV, OSV_BUCKET), self._transport(), f"feeds.urls.{OSV}") if OSV in names else None
        work = [self._sync(feed.name, source, _whole_files(feed)) for feed, source in feeds]
        await run_together([*work, self._sync_osv(osv)] if osv is not None else work)
        return UpdateReport(feeds=tuple(self.outcomes[name] for name in sorted(self.outcomes)), left_out=self.left_out)

    async def _sync_osv(self, source: Source) -> None:
        ecosystems = await self._ecosystems(source)
        await run_together(self._sync(f"{OSV}/{ecosystem}", source, _records_of(ecosystem)) for ecosystem in ecosystems)

    def _open(self, feed: Feed) -> Source:
        return open_source(self.plan.urls.get(feed.name, feed.base), self._transport(feed.redirect_hosts), f"feeds.urls.{feed.name}")

    def _transport(self, hosts: frozenset[str] = frozenset()) -> FeedTransport:
        return FeedTransport(self.session, self.plan.limits, self.plan.redirect_hosts | hosts, self.budget)

    async def _ecosystems(self, source: Source) -> tuple[str, ...]:
        """The ecosystems to sync: those asked for, or all of the bucket's list, or, if that cannot be had, those that the mirror has."""
        listed: list[str] = []

        async def read(desk: Desk) -> Synced:
            try:
                names, synced = await list_ecosystems(desk)
            except MissingError:
                if self.plan.ecosystems:
                    return Synced(files=desk.old.files)  # a copy of some ecosystems need not list them
                raise
            listed.extend(names)
            return synced

        await self._sync(OSV, source, read)
        if self.plan.ecosystems:
            return tuple(dict.fromkeys(self.plan.ecosystems))
        self.left_out = tuple(name for name in listed if name in RESTRICTED_ECOSYSTEMS)
        known = [name.removeprefix(f"{OSV}/") for name in self.states if name.startswith(f"{OSV}/")]
        return tuple(name for name in listed if name not in RESTRICTED_ECOSYSTEMS) if listed else tuple(known)

    async def _sync(self, name: str, source: Source, work: Work) -> None:
        """Sync one feed and record what became of it."""
        old = self.states.get(name, FeedState())
        async with self.slots:
            staging = self.staging / name.replace("/", "-")
            desk = Desk(
                name=name, mirror=self.mirror, staging=staging, source=source, plan=self.plan, executor=self.executor, old=old,
                progress=self.progress,
            )  # fmt: skip
            synced = await self._attempt(desk, work)
            await desk.run(_remove, staging)
        state = old.after(synced.files, errors=synced.errors, skipped=synced.skipped, is_changed=synced.is_changed)
        self.outcomes[name] = FeedOutcome(name=name, is_changed=synced.is_changed, state=state)
        async with self.storing:
            self.states[name] = state
            await desk.run(store_states, self.mirror, dict(self.states))

    async def _attempt(self, desk: Desk, work: Work) -> Synced:
        limits = self.plan.limits
        until = min(asyncio.get_running_loop().time() + limits.feed_seconds, self.end)
        failed = Synced(files=desk.old.files, skipped=desk.old.skipped)
        try:
            async with asyncio.timeout_at(until):
                return await work(desk)
        except TimeoutError:
            return replace(
                failed, errors=(f"not done within its time ({limits.feed_seconds:g} s a feed, {limits.total_seconds:g} s in all)",)
            )
        except PratiqueError as error:
            return replace(failed, errors=(str(error),))
        except OSError as error:
            return replace(failed, errors=(f"the mirror cannot be written: {error.strerror or error}",))


def _whole_files(feed: Feed) -> Work:
    return lambda desk: sync_feed(desk, feed)


def _records_of(ecosystem: str) -> Work:
    return lambda desk: sync_ecosystem(desk, ecosystem)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def status_of(mirror: Path) -> Mapping[str, FeedState]:
    """Read what is known of a mirror's feeds, by name. Blocking.

    Raises MissingError if nothing was ever synced there, InvalidAdvisory for a `feeds.json` that is none.
    """
    states = load_states(mirror)
    if not states:
        raise MissingError(f"{mirror} has no feeds.json: run `pratique advisories update {mirror}` first")
    return dict(sorted(states.items()))
