"""The advisor's schedule of re-scans, on a real ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import DatabaseUnavailable
from pratique.inventory.analyzers import ANALYZERS_KEY
from pratique.messages import parse_message
from pratique.runtime.settings import RescanSettings
from pratique.storage.engine import Database
from pratique.storage.images import record_inventory
from pratique.storage.outbox import load_unpublished, mark_published
from pratique.storage.scans import fail_scan
from pratique_services.advisor.rescanning import Rescanner
from tests.support.databases import SqliteFactory
from tests.support.stored import HOST, REPOSITORY, digest_of, inventory, package, push, scan_image


@pytest.fixture
async def url(sqlite_databases: SqliteFactory) -> AsyncIterator[str]:
    created = await sqlite_databases.create()
    yield created
    await sqlite_databases.drop(created)


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    await database.close()


Make = Callable[..., Rescanner]


@pytest.fixture
def make(db: Database) -> Make:
    def make(wakes: list[None] | None = None, **settings: Any) -> Rescanner:
        told: list[None] = [] if wakes is None else wakes
        chosen = RescanSettings(**settings)
        return Rescanner(database=db, settings=chosen, hosts=frozenset({HOST}), wake=lambda: told.append(None), top_up=0.01)

    return make


async def record_images(db: Database, *names: str, key: str = "former analyzers") -> None:
    """Images under tags of their names, in the order in which they were inspected."""
    for name in names:
        async with db.transaction() as session:
            await scan_image(session, name, tag=name)
            await record_inventory(session, digest_of(name), inventory([package("zlib1g")]), key)
            await mark_published(session, [row.id for row in await load_unpublished(session, 10)])


async def rescans(db: Database, state: str = "queued") -> list[str]:
    """The tags of re-scans in a state, in the order in which they were asked for."""
    async with db.reading() as session:
        query = text("SELECT tag FROM scan WHERE priority = 'rescan' AND state = :state ORDER BY created_at, id")
        return list((await session.execute(query, {"state": state})).scalars())


async def fail_open(db: Database) -> None:
    async with db.transaction() as session:
        for scan_id in (await session.execute(text("SELECT id FROM scan WHERE state = 'queued'"))).scalars().all():
            assert await fail_scan(session, scan_id, "the registry has not got it")


async def test_nothing_is_asked_for_where_nothing_has_changed(db: Database, make: Make) -> None:
    wakes: list[None] = []
    await record_images(db, "a", key=ANALYZERS_KEY)
    assert await make(wakes).order() == 0
    assert (await rescans(db), wakes) == ([], [])


async def test_a_rescan_waits_in_the_queue_of_rescans_and_says_why(db: Database, make: Make) -> None:
    wakes: list[None] = []
    await record_images(db, "a")
    assert await make(wakes).order() == 1
    async with db.reading() as session:
        (sent,) = await load_unpublished(session, 10)
        scan = (await session.execute(text("SELECT * FROM scan WHERE state = 'queued'"))).mappings().one()
    assert (sent.queue, parse_message(sent.body).queue) == ("scan.rescan", "scan.rescan")
    assert (scan["tag"], scan["digest"], scan["requested_by"]) == ("a", str(digest_of("a")), "schedule: analyzers have changed")
    assert scan["correlation_id"]
    assert wakes == [None]


async def test_no_more_are_under_way_than_may_be_oldest_first(db: Database, make: Make) -> None:
    await record_images(db, *"abcde")
    rescanner = make(max_in_flight=2)
    assert [await rescanner.order() for _ in range(3)] == [2, 0, 0]
    assert await rescans(db) == ["a", "b"]
    async with db.transaction() as session:
        await session.execute(text("UPDATE scan SET state = 'running' WHERE tag = 'b' AND state = 'queued'"))
        await session.execute(text("UPDATE scan SET state = 'failed' WHERE tag = 'a' AND state = 'queued'"))
    assert await rescanner.order() == 1
    assert await rescans(db) == ["c"]


async def test_pushes_that_wait_take_no_rescans_place_nor_does_a_rescan_take_theirs(db: Database, make: Make) -> None:
    await record_images(db, "a", "b")
    async with db.transaction() as session:
        for number in range(9):
            await push(session, f"event-{number}", tag=f"pushed-{number}", digest=digest_of(f"pushed-{number}"))
        open_push = await push(session, "event-b", tag="b", digest=digest_of("b"))
    assert await make().order() == 2
    assert await rescans(db) == ["a"]  # b is about to be scanned anyway
    async with db.reading() as session:
        priority = await session.execute(text("SELECT priority FROM scan WHERE id = :id"), {"id": open_push.scan_id})
        assert priority.scalar_one() == "push"


async def test_all_places_of_an_image_are_asked_for_together(db: Database, make: Make) -> None:
    await record_images(db, "a", "b")
    async with db.transaction() as session:
        for repository in ("copy/one", "copy/two"):
            await push(session, f"event-{repository}", tag="c", digest=digest_of("a"), repository=repository)
        await session.execute(text("UPDATE scan SET state = 'failed' WHERE state = 'queued'"))
    assert await make(max_in_flight=1).order() == 3
    async with db.reading() as session:
        query = text("SELECT name FROM repository JOIN scan ON repository.id = repository_id WHERE state = 'queued'")
        assert sorted((await session.execute(query)).scalars()) == ["copy/one", "copy/two", REPOSITORY]


async def test_what_fails_again_and_again_does_not_keep_the_others_waiting(db: Database, make: Make) -> None:
    await record_images(db, *"abc")
    rescanner = make(max_in_flight=1, retry_after=0.001)
    for expected in (1, 1, 1, 0, 1):  # the sweep is at its end; then the next one begins
        assert await rescanner.order() == expected
        await fail_open(db)
        await asyncio.sleep(0.01)
    assert await rescans(db, "failed") == ["a", "b", "c", "a"]


async def test_what_was_scanned_again_in_vain_is_left_alone_for_a_while(db: Database, make: Make) -> None:
    await record_images(db, "a")
    assert await make().order() == 1
    await fail_open(db)
    assert await make().order() == 0


async def test_the_schedule_works_itself_through_the_fleet_before_its_next_interval(db: Database, make: Make) -> None:
    await record_images(db, *"abc")
    task = asyncio.create_task(make(max_in_flight=1, interval=3600).run())
    async with asyncio.timeout(20):
        while len(await rescans(db, "failed")) < 3:
            await fail_open(db)
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await rescans(db, "failed") == ["a", "b", "c"]


class Faltering(Database):
    """Does not answer the first questions."""

    outages = 3

    def reading(self) -> AbstractAsyncContextManager[AsyncSession]:
        if self.outages:
            self.outages -= 1
            raise DatabaseUnavailable("it is starting")
        return super().reading()


async def test_the_schedule_outlives_a_database_that_does_not_answer(db: Database, url: str) -> None:
    await record_images(db, "a")
    faltering = Faltering(url)
    woken = asyncio.Event()
    rescanner = Rescanner(database=faltering, settings=RescanSettings(interval=0.01), hosts={HOST}, wake=woken.set)
    task = asyncio.create_task(rescanner.run())
    async with asyncio.timeout(20):
        await woken.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await faltering.close()
    assert faltering.outages == 0
    assert await rescans(db) == ["a"]


async def test_what_is_switched_off_does_nothing(db: Database, make: Make) -> None:
    await record_images(db, "a")
    await make(enabled=False).run()
    assert await rescans(db) == []
