from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pratique.storage.engine import Database
from tests.support.databases import DatabaseFactory, PostgresFactory, SqliteFactory
from tests.support.servers import PostgreSQL


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteFactory:
    return SqliteFactory(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_databases(postgres: PostgreSQL) -> PostgresFactory:
    return PostgresFactory(postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> DatabaseFactory:
    factory: DatabaseFactory = request.getfixturevalue("sqlite_databases" if request.param == "sqlite" else "postgres_databases")
    return factory


@pytest.fixture
async def url(databases: DatabaseFactory) -> AsyncIterator[str]:
    created = await databases.create()
    yield created
    await databases.drop(created)


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    database = Database(url, pool_size=5)
    yield database
    await database.close()
