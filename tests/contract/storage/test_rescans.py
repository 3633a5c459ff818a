from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus
from pratique.inventory.inventory import Inventory
from pratique.storage.engine import Database
from pratique.storage.images import record_image, record_inventory
from pratique.storage.intake import request_scan
from pratique.storage.rescans import PAGE, DueRescan, RescanPosition, RescanRule, count_open_rescans, load_due_rescans
from pratique.storage.scans import fail_scan
from pratique.storage.tags import forget_tag
from pratique.storage.text import utc_now
from tests.support.databases import PostgresFactory
from tests.support.stored import COMPLETE, HOST, REPOSITORY, child, digest_of, image, push, scan_image

NEW, OLD = "analyzers-new", "analyzers-old"
DAY = dt.timedelta(days=1)
MARK = "0" * 26  # rows of the width that they have outside of tests: plans depend on it
PARTIAL = Coverage(items=(CoverageItem(name="layer", version="", status=CoverageStatus.PARTIAL, reason="cannot be read"),))
UNREAD = Coverage(items=(CoverageItem(name="image", version="", status=CoverageStatus.FAILED, reason="cannot be read"),))


async def inspect(db: Database, name: str, *, key: str = NEW, coverage: Coverage = COMPLETE, days: float = 0, **more: Any) -> None:
    """Push an image called `name` under a tag of that name, scanned so many days ago."""
    async with db.transaction() as session:
        await scan_image(session, name, **{"tag": name} | more)
        await record(session, name, key=key, coverage=coverage, days=days)


async def record(session: AsyncSession, name: str, *, key: str = NEW, coverage: Coverage = COMPLETE, days: float = 0) -> None:
    await record_inventory(session, digest_of(name), Inventory(distribution=None, packages=(), coverage=coverage), key)
    then = (utc_now() - days * DAY).replace(tzinfo=None)
    at = then if session.get_bind().dialect.name == "postgresql" else then.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(at, dt.datetime):
        at = at.replace(tzinfo=dt.UTC)
    await session.execute(text("UPDATE image SET inspected_at = :at WHERE digest = :digest"), {"at": at, "digest": str(digest_of(name))})


def rule(*, key: str = NEW, hosts: tuple[str, ...] = (HOST,), pause: dt.timedelta = DAY) -> RescanRule:
    return RescanRule(analyzers_key=key, before=utc_now() - pause, hosts=hosts)


async def find(db: Database, *, limit: int = 100, after: RescanPosition | None = None, **more: Any) -> tuple[DueRescan, ...]:
    async with db.reading() as session:
        return (await load_due_rescans(session, rule(**more), limit=limit, after=after)).images


async def due(db: Database, **more: Any) -> list[str]:
    """The tags of what is due, in order."""
    return [place.tag for found in await find(db, **more) for place in found.places]


async def order(db: Database, name: str, *, tag: str | None = None, priority: str = "rescan", repository: str = REPOSITORY) -> str:
    async with db.transaction() as session:
        asked = {"priority": priority, "correlation_id": "c", "requested_by": "schedule"}
        return await request_scan(session, host=HOST, repository=repository, tag=tag or name, digest=digest_of(name), **asked)


async def test_what_other_analyzers_read_is_due_at_once(db: Database) -> None:
    await inspect(db, "current")
    assert await find(db) == ()
    await inspect(db, "outdated", key=OLD)
    (found,) = await find(db)
    (place,) = found.places
    assert (found.image_digest, found.is_outdated) == (str(digest_of("outdated")), True)
    assert (place.host, place.repository, place.tag, place.digest) == (HOST, REPOSITORY, "outdated", str(digest_of("outdated")))


@pytest.mark.parametrize("coverage", [PARTIAL, UNREAD])
async def test_what_was_not_read_completely_is_due_after_a_pause(db: Database, coverage: Coverage) -> None:
    await inspect(db, "fresh", coverage=coverage, days=0.9)
    await inspect(db, "stale", coverage=coverage, days=1.1)
    await inspect(db, "whole", days=30)
    assert [(found.is_outdated, found.places[0].tag) for found in await find(db)] == [(False, "stale")]


async def test_recording_an_inventory_is_an_inspection(db: Database) -> None:
    await inspect(db, "image", key=OLD, coverage=PARTIAL, days=5)
    async with db.transaction() as session:
        before = utc_now()
        empty = Inventory(distribution=None, packages=(), coverage=PARTIAL)
        await record_inventory(session, digest_of("image"), empty, NEW)
    assert await due(db) == []
    assert await due(db, pause=utc_now() - before - dt.timedelta(seconds=1)) == ["image"]


async def test_what_was_not_inspected_for_longest_comes_first(db: Database) -> None:
    await inspect(db, "middle", key=OLD, days=3)
    await inspect(db, "partial", coverage=PARTIAL, days=4)
    await inspect(db, "young", key=OLD)
    await inspect(db, "oldest", key=OLD, coverage=UNREAD, days=5)
    assert await due(db) == ["oldest", "partial", "middle", "young"]
    assert await due(db, limit=2) == ["oldest", "partial"]


async def test_a_search_goes_on_where_the_last_one_ended(db: Database) -> None:
    for number in range(4):
        await inspect(db, f"image-{number}", key=OLD, days=9 - number)
    async with db.reading() as session:
        first = await load_due_rescans(session, rule(), limit=3)
        second = await load_due_rescans(session, rule(), limit=3, after=first.position)
    assert [found.places[0].tag for found in first.images] == ["image-0", "image-1", "image-2"]
    assert [found.places[0].tag for found in second.images] == ["image-3"]
    assert second.position is None  # the end


async def test_only_what_a_tag_points_to_now_is_due(db: Database) -> None:
    await inspect(db, "untagged", tag=None, key=OLD)
    await inspect(db, "moved", tag="latest", key=OLD)
    await inspect(db, "deleted", tag="gone", key=OLD)
    await inspect(db, "newest", tag="latest", key=OLD)
    async with db.transaction() as session:
        repository = (await session.execute(text("SELECT id FROM repository"))).scalar_one()
        assert await forget_tag(session, repository, "gone", seen_at=utc_now())
    assert await due(db) == ["latest"]
    assert [found.image_digest for found in await find(db)] == [str(digest_of("newest"))]


async def test_an_image_is_scanned_again_once_a_repository_under_the_tag_seen_last(db: Database) -> None:
    await inspect(db, "image", tag="v1", key=OLD)
    async with db.transaction() as session:
        for repository in ("team/app", "team/copy", "team/moved-on"):
            await push(session, f"event-{repository}", tag="latest", digest=digest_of("image"), repository=repository)
        await push(session, "event", tag="latest", digest=digest_of("other"), repository="team/moved-on")
    (found,) = await find(db, limit=1)
    assert {(place.repository, place.tag) for place in found.places} == {("team/app", "latest"), ("team/copy", "latest")}


async def test_registries_that_are_not_in_the_settings_any_more_are_not_asked(db: Database) -> None:
    await inspect(db, "ours", key=OLD)
    await inspect(db, "theirs", key=OLD, host="former.example")
    assert await due(db) == ["ours"]
    assert sorted(await due(db, hosts=(HOST, "former.example"))) == ["ours", "theirs"]


async def test_an_image_that_was_just_scanned_again_in_vain_waits(db: Database) -> None:
    await inspect(db, "image", key=OLD, coverage=PARTIAL, days=9)
    await inspect(db, "next", key=OLD, days=8)
    scan_id = await order(db, "image")
    assert await due(db) == ["next"]
    async with db.transaction() as session:
        assert await fail_scan(session, scan_id, "it is gone")
    assert await due(db) == ["next"]
    assert await due(db, pause=dt.timedelta(seconds=-1)) == ["image", "next"]


async def test_scans_of_pushes_and_of_people_put_nothing_off(db: Database) -> None:
    await inspect(db, "image", key=OLD)
    await order(db, "image", priority="demand")
    assert await due(db) == ["image"]


async def test_a_platform_of_an_index_is_scanned_again_with_its_index(db: Database) -> None:
    inner, outer = digest_of("inner"), digest_of("outer")
    async with db.transaction() as session:
        await scan_image(session, "index", tag="v1")
        platforms = (child(digest_of("amd64")), child(digest_of("arm64"), architecture="arm64"))
        seal = child(digest_of("attestation"), os="unknown", architecture="unknown")
        await record_image(session, image(digest_of("index"), kind="index", platform=None, children=(*platforms, seal)))
        for name in ("amd64", "arm64", "attestation"):
            await record_image(session, image(digest_of(name)))
            await record(session, name, key=OLD)
        await scan_image(session, "outer", tag="nested", repository="team/nested")
        await record_image(session, image(inner, kind="index", platform=None, children=(child(digest_of("amd64")),)))
        await record_image(session, image(outer, kind="index", platform=None, children=(child(inner), child(outer))))
    found = await find(db)
    assert len(found) == 1
    assert {(place.digest, place.repository, place.tag) for place in found[0].places} == {
        (str(digest_of("index")), REPOSITORY, "v1"),
        (str(outer), "team/nested", "nested"),
    }


async def test_rescans_that_wait_or_run_are_counted_and_no_others(db: Database) -> None:
    for name in ("waits", "runs", "ended"):
        await order(db, name)
    await order(db, "asked", priority="demand")
    async with db.transaction() as session:
        await push(session, "event", tag="pushed", digest=digest_of("pushed"))
        await session.execute(text("UPDATE scan SET state = 'running' WHERE tag = 'runs'"))
        await session.execute(text("UPDATE scan SET state = 'failed' WHERE tag = 'ended'"))
        assert await count_open_rescans(session) == 2


async def test_thousands_that_no_tag_points_to_are_passed_over(db: Database) -> None:
    async with db.transaction() as session:
        await fill(session, 5000, tagged_from=4997)
        found = await load_due_rescans(session, rule(key="k-1"), limit=9)
    assert [place.tag for due in found.images for place in due.places] == ["v4998", "v4999", "v5000"]
    assert found.position is None


async def test_a_search_among_thousands_ends_for_the_next_one_to_go_on(db: Database) -> None:
    async with db.transaction() as session:
        await fill(session, PAGE * 52)
        nothing = await load_due_rescans(session, rule(key="k-1", hosts=()), limit=9)
        assert nothing.images == ()
        assert nothing.position is not None
        found = await load_due_rescans(session, rule(key="k-1"), limit=9, after=nothing.position)
    assert found.images[0].places[0].tag == f"v{PAGE * 50 + 1}"


async def fill(session: AsyncSession, count: int, *, tagged_from: int = 0) -> None:
    """Images of a second each, those from `tagged_from` on with a tag; one in 50 was not read completely."""
    repository_id = (await push(session, "first", tag="first", digest=digest_of("first"))).scan_id
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    at = (
        "now() - interval '30 days' + n * interval '1 second'"
        if is_postgresql
        else "strftime('%Y-%m-%d %H:%M:%f000', 'now', '-30 days', n || ' seconds')"
    )
    empty = "'{}'::jsonb, '[]'::jsonb" if is_postgresql else "'{}', '[]'"
    nothing = "'[]'::jsonb" if is_postgresql else "'[]'"
    digest = "'sha256:' || " + ("lpad(n::text, 64, '0')" if is_postgresql else "printf('%064d', n)")
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
    await session.execute(
        text(
            f"INSERT INTO image (digest, media_type, kind, size, config, layers, analyzers_key, inventory_digest, recorded_at, inspected_at) "
            f"{numbers} SELECT {digest}, '', 'image', 1, {empty}, 'k-0', 'd', {at}, {at} FROM numbers"
        )
    )
    assert repository_id
    await session.execute(
        text(
            f"INSERT INTO tag (id, repository_id, name, digest, moved_at) {numbers} "
            f"SELECT '{MARK}' || n, (SELECT id FROM repository), 'v' || n, {digest}, {at} FROM numbers WHERE n > {tagged_from}"
        )
    )
    await session.execute(
        text(
            f"INSERT INTO coverage (image_id, section, status, items, feeds) SELECT id, 'inventory', "
            f"CASE WHEN id % 50 = 0 THEN 'partial' ELSE 'complete' END, {nothing}, {nothing} FROM image"
        )
    )


@pytest.fixture
async def fleet(postgres_databases: PostgresFactory) -> AsyncIterator[Database]:
    """20,000 images on PostgreSQL, all of them read by `k-0`, and its planner told of them."""
    url = await postgres_databases.create()
    database = Database(url)
    async with database.transaction() as session:
        await fill(session, 20_000)
        await session.execute(
            text(
                "INSERT INTO scan (id, repository_id, target, subject, digest, state, priority, attempt, correlation_id, requested_by, created_at, queued_at) "
                "SELECT 'scan-' || id, repository_id, digest, digest, digest, 'scanned', 'push', 1, 'c', 'tests', moved_at, moved_at FROM tag"
            )
        )
        await session.execute(
            text(
                "INSERT INTO index_child (image_id, position, digest, media_type, size, is_attestation) "
                "SELECT id, number, digest || number, '', 1, false FROM image, generate_series(0, 3) number"
            )
        )
        await session.execute(text("ANALYZE"))
    yield database
    await database.close()
    await postgres_databases.drop(url)


@pytest.mark.parametrize("key", ["k-0", "k-1"], ids=["nothing-outdated", "all-outdated"])
async def test_a_search_reads_no_large_table_as_a_whole(fleet: Database, key: str) -> None:
    plans: list[str] = []
    async with fleet.reading() as session:
        connection = await session.connection()
        # 1. What is asked, as it is asked: statements with the parameters that they come with.
        asked: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            asked.append((statement, parameters))

        event.listen(connection.sync_connection, "before_cursor_execute", note)
        found = await load_due_rescans(session, rule(key=key), limit=50)
        await count_open_rescans(session)
        event.remove(connection.sync_connection, "before_cursor_execute", note)
        # 2. How each of them is carried out.
        for statement, parameters in asked:
            lines = (await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)).scalars()
            plans.append("\n".join(lines))
    assert len(found.images) == 50
    assert len(plans) >= 5
    large = ("image", "tag", "scan", "coverage", "index_child")
    assert [plan for plan in plans if any(f"Seq Scan on {table}" in plan for table in large)] == []
    assert any("ix_image_inspected_at_id_analyzers_key_digest" in plan for plan in plans)
    assert any("ix_tag_digest_repository_id" in plan for plan in plans)
