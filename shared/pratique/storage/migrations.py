"""Bring a database to the schema that this version of pratique expects.

The migrations lie in `migrations/` of a checkout, and beside this module in an installed wheel.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from pratique.errors import SettingsError
from pratique.storage.engine import Database, create_postgresql_engine, create_sqlite_engine, parse_url, translating

_ADVISORY_LOCK = 0x7072617469717565  # "pratique": a number that no other user of the same server is likely to lock


async def migrate(url: str) -> None:
    """Run all migrations that are missing, in one transaction: all of them hold, or none does.

    Safe when several processes start at once: they queue up, and those that come later find nothing to do.
    Raises DatabaseUnavailable, RefusedError, SettingsError.
    """
    async with running(url) as connection:
        await connection.run_sync(_upgrade)


async def check_schema(db: Database) -> None:
    """Raise SettingsError unless the database is at this version's schema."""
    async with db.reading() as session:
        found = await _load_revision(session)
    expected = ScriptDirectory.from_config(_configure()).get_current_head()
    if found != expected:
        raise SettingsError(f"expected the database at revision {expected}, found {found or 'none'}: run `pratique migrate`")


@asynccontextmanager
async def running(url: str) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that no other process runs migrations beside."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        # A table is altered by writing it anew and dropping the old one, to which others refer: the keys are checked at the end.
        engine = create_sqlite_engine(parsed, begin="BEGIN IMMEDIATE", pool_size=1, checks_foreign_keys=False)
    else:
        # A migration of a large table may take hours: no command timeout.
        engine = create_postgresql_engine(parsed, pool_size=1, command_timeout=None)
    with translating():
        try:
            async with engine.begin() as connection:
                if engine.dialect.name == "postgresql":
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
                yield connection
                if engine.dialect.name == "sqlite" and (await connection.execute(text("PRAGMA foreign_key_check"))).first() is not None:
                    raise SettingsError("the database holds rows that refer to missing ones: restore a backup, and migrate that")
        finally:
            await engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = _configure()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def _load_revision(session: AsyncSession) -> str | None:
    connection = await session.connection()
    return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


def _configure() -> Config:
    beside = Path(__file__).with_name("migrations")
    place = beside if beside.is_dir() else Path(__file__).parents[3] / "migrations"
    if not (place / "env.py").is_file():
        raise SettingsError("expected the migrations beside this module or in the checkout, found neither: the installation is broken")
    config = Config()
    config.set_main_option("script_location", str(place).replace("%", "%%"))
    return config
