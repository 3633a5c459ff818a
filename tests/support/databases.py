"""Databases for tests: one of its own for each test, migrated, as a SQLite file and on a real PostgreSQL.

Migrating is done once, and each test gets a copy.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from uuid import uuid4

import asyncpg

from pratique.storage.migrations import migrate
from tests.support.servers import PostgreSQL


class SqliteFactory:
    """Copies of one migrated SQLite file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.db"
        asyncio.run(migrate(f"sqlite+aiosqlite:///{self._template}"))

    async def create(self) -> str:
        """Make a migrated database and answer its URL."""
        path = self._folder / f"{uuid4().hex}.db"
        await asyncio.to_thread(shutil.copyfile, self._template, path)
        return f"sqlite+aiosqlite:///{path}"

    async def create_empty(self) -> str:
        """Name a database that is not there yet."""
        return f"sqlite+aiosqlite:///{self._folder / uuid4().hex}.db"

    async def drop(self, url: str) -> None:
        """Remove a database made here."""
        for path in self._folder.glob(f"{Path(url).stem}.db*"):
            path.unlink()


class PostgresFactory:
    """Copies of one migrated database on a server."""

    def __init__(self, server: PostgreSQL) -> None:
        self._server = server
        self._template = f"template_{uuid4().hex}"
        asyncio.run(self._prepare())

    async def create(self) -> str:
        """Make a migrated database and answer its URL."""
        return await self._create(f'TEMPLATE "{self._template}"')

    async def create_empty(self) -> str:
        """Make a database without tables and answer its URL."""
        return await self._create("")

    async def drop(self, url: str) -> None:
        """Remove a database made here."""
        await self._run(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')

    async def _prepare(self) -> None:
        await self._run(f'CREATE DATABASE "{self._template}"')
        await migrate(self._server.database_url(self._template))

    async def _create(self, options: str) -> str:
        name = f"test_{uuid4().hex}"
        # FILE_COPY would make a checkpoint each time; the log is not synced here.
        await self._run(f'CREATE DATABASE "{name}" {options} STRATEGY wal_log')
        return self._server.database_url(name)

    async def _run(self, statement: str) -> None:
        connection = await asyncpg.connect(self._server.url, timeout=10)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


DatabaseFactory = SqliteFactory | PostgresFactory
