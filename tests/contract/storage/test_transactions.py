from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from pratique.errors import DatabaseUnavailable, RefusedError, SettingsError
from pratique.storage.audit import load_audit, record_audit
from pratique.storage.engine import Database
from pratique.storage.outbox import count_unpublished
from tests.support.databases import PostgresFactory
from tests.support.servers import PostgreSQL
from tests.support.stored import count, digest_of, push


async def test_an_exception_leaves_nothing_behind(db: Database) -> None:
    async def work() -> None:
        async with db.transaction() as session:
            await push(session, "1", digest=digest_of("a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    async with db.reading() as session:
        for table in ("event", "scan", "outbox", "tag", "repository", "registry"):
            assert await count(session, table) == 0


async def test_a_cancelled_transaction_leaves_nothing_behind(db: Database) -> None:
    async def work() -> None:
        async with db.transaction() as session:
            await push(session, "1", digest=digest_of("a"))
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with db.transaction() as session:
        assert not (await push(session, "1", digest=digest_of("a"))).duplicate


async def test_a_reading_transaction_cannot_write(db: Database) -> None:
    with pytest.raises(DBAPIError):
        async with db.reading() as session:
            await push(session, "1", digest=digest_of("a"))
    async with db.transaction() as session:
        assert await count(session, "event") == 0
        await push(session, "1", digest=digest_of("a"))


async def test_readers_do_not_wait_for_a_writer(db: Database) -> None:
    async with db.transaction() as writing:
        await push(writing, "1", digest=digest_of("a"))
        async with asyncio.timeout(5), db.reading() as session:
            assert await count_unpublished(session) == 0


async def test_writers_queue_up(db: Database) -> None:
    async def write(number: int) -> None:
        async with db.transaction() as session:
            await push(session, str(number), tag=None, digest=digest_of(str(number)))

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(write(number))
    async with db.reading() as session:
        assert await count(session, "scan") == 20


async def test_writers_of_two_processes_queue_up(db: Database, url: str) -> None:
    other = Database(url)

    async def write(database: Database, number: int) -> None:
        async with database.transaction() as session:
            await push(session, str(number), tag=None, digest=digest_of(str(number)))

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(write(other if number % 2 else db, number))
    finally:
        await other.close()
    async with db.reading() as session:
        assert await count(session, "scan") == 20


async def test_a_bug_is_not_called_unavailable(db: Database) -> None:
    with pytest.raises(IntegrityError):
        async with db.transaction() as session:
            await session.execute(text("INSERT INTO repository (id, registry_id, name) VALUES ('1', 'none', 'x')"))


async def test_names_may_hold_nul_and_lone_surrogates(db: Database) -> None:
    async with db.transaction() as session:
        detail = {"na\0me": ["\ud800x", {"deep": "\udfff"}], "number": float("inf")}
        await record_audit(session, actor="a\0b", verb="tested", subject="\udc80", detail=detail, correlation_id="c")
    async with db.reading() as session:
        (row,) = await load_audit(session)
    assert (row.actor, row.subject) == ("a\ufffdb", "\ufffd")
    assert row.detail == {"na\ufffdme": ["\ufffdx", {"deep": "\ufffd"}], "number": None}


async def test_times_are_in_utc_on_the_way_out(db: Database) -> None:
    before = dt.datetime.now(dt.UTC)
    async with db.transaction() as session:
        await record_audit(session, actor="a", verb="tested", subject="s", detail={}, correlation_id="c")
    async with db.reading() as session:
        (row,) = await load_audit(session)
    assert row.at.tzinfo is dt.UTC
    assert before <= row.at <= dt.datetime.now(dt.UTC)


async def test_ping_answers(db: Database) -> None:
    await db.ping()


async def test_a_sqlite_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}")
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    await database.close()
    await asyncio.sleep(0.2)  # aiosqlite's thread answers this loop once more after it failed to open


def test_a_sqlite_file_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        Database(f"sqlite+aiosqlite:///{tmp_path}/none/file.db")


@pytest.mark.parametrize(
    "url", ["mysql://u:secret@host/name", "sqlite://", "sqlite:///:memory:", "secret", "postgresql://u:secret@host:port/name"]
)
def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Database(url)
    assert "secret" not in str(caught.value)


async def test_a_missing_database_and_a_wrong_user_are_no_passing_trouble(postgres: PostgreSQL) -> None:
    missing = Database(postgres.database_url("nowhere"))
    with pytest.raises(SettingsError):
        await missing.ping()
    await missing.close()
    stranger = Database(postgres.url.replace("//test@", "//stranger@"))
    with pytest.raises(RefusedError):
        await stranger.ping()
    await stranger.close()


async def test_a_statement_whose_connection_is_cut_is_unavailable_and_the_next_works(postgres_databases: PostgresFactory) -> None:
    url = await postgres_databases.create()
    database = Database(url, pool_size=2)
    cut = text("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction() as session:
            await session.execute(cut)
    await database.ping()
    # A connection that died in the pool is noticed before it is used.
    async with database.reading() as session:
        process = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    other = Database(url, pool_size=1)
    async with other.transaction() as session:
        await session.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})
    await other.close()
    await database.ping()
    await database.close()
    await postgres_databases.drop(url)


async def test_a_restart_of_the_server_is_survived(servers_folder: Path) -> None:
    folder = servers_folder / "postgresql-restarted"
    with PostgreSQL(folder) as server:
        database = Database(server.url)
        await database.ping()
        server.stop()
        with pytest.raises(DatabaseUnavailable):
            await database.ping()
        server.start()
        await database.ping()
        await database.close()


async def test_a_deadlock_is_passing_trouble(postgres_databases: PostgresFactory) -> None:
    url = await postgres_databases.create()
    database = Database(url)
    async with database.transaction() as session:
        await push(session, "1", tag=None, digest=digest_of("a"))
        await push(session, "2", tag=None, digest=digest_of("b"))
    barrier = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> None:
        async with database.transaction() as session:
            await session.execute(text("UPDATE scan SET worker = 'x' WHERE digest = :digest"), {"digest": str(digest_of(first))})
            await barrier.wait()
            await session.execute(text("UPDATE scan SET worker = 'x' WHERE digest = :digest"), {"digest": str(digest_of(second))})

    results = await asyncio.gather(lock("a", "b"), lock("b", "a"), return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [DatabaseUnavailable]
    await database.close()
    await postgres_databases.drop(url)
