from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, inspect, text

from pratique.errors import DatabaseUnavailable, SettingsError
from pratique.storage.engine import Database
from pratique.storage.migrations import check_schema, migrate
from pratique.storage.models import Base
from tests.support.databases import DatabaseFactory


@pytest.fixture
async def empty(databases: DatabaseFactory) -> AsyncIterator[str]:
    url = await databases.create_empty()
    yield url
    await databases.drop(url)


@pytest.fixture
async def db(empty: str) -> AsyncIterator[Database]:
    database = Database(empty)
    yield database
    await database.close()


async def test_models_and_migrations_agree(empty: str, db: Database) -> None:
    await migrate(empty)

    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, Base.metadata))

    async with db.reading() as session:
        assert await (await session.connection()).run_sync(compare) == []


async def test_conditions_of_indexes_and_columns_are_those_of_the_models(empty: str, db: Database) -> None:
    """Alembic does not compare these."""
    await migrate(empty)

    def read(connection: Connection) -> tuple[set[str], set[str]]:
        inspector = inspect(connection)
        conditions, checks = set(), set()
        for table in inspector.get_table_names():
            for index in inspector.get_indexes(table):
                options = index.get("dialect_options", {})
                if options.get(f"{connection.dialect.name}_where") is not None:
                    conditions.add(str(index["name"]))
            checks |= {str(check["name"]) for check in inspector.get_check_constraints(table)}
        return conditions, checks

    async with db.reading() as session:
        conditions, checks = await (await session.connection()).run_sync(read)
    assert conditions == {
        "uq_scan_open_target",
        "ix_scan_open",
        "ix_outbox_unpublished",
        "ix_notification_due",
        "ix_package_to_match",
        "ix_coverage_incomplete",
        "ix_package_second_matching_key",
    }
    assert checks == {
        str(constraint.name)
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }


async def test_an_empty_database_is_refused_and_a_migrated_one_accepted(empty: str, db: Database) -> None:
    with pytest.raises(SettingsError, match="pratique migrate"):
        await check_schema(db)
    await migrate(empty)
    await check_schema(db)


async def test_migrating_twice_changes_nothing(empty: str, db: Database) -> None:
    await migrate(empty)
    await migrate(empty)
    await check_schema(db)


async def test_a_database_of_another_version_is_refused(empty: str, db: Database) -> None:
    await migrate(empty)
    async with db.transaction() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match="9999"):
        await check_schema(db)


async def test_several_processes_may_migrate_at_once(empty: str, db: Database) -> None:
    code = "import asyncio, sys; from pratique.storage.migrations import migrate; asyncio.run(migrate(sys.argv[1]))"
    python = sys.executable
    processes = [await asyncio.create_subprocess_exec(python, "-c", code, empty) for _ in range(3)]
    assert [await process.wait() for process in processes] == [0, 0, 0]
    await check_schema(db)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable):
        await migrate("postgresql://nobody@127.0.0.1:1/none")
