"""Connections and transactions, on PostgreSQL (asyncpg) and SQLite (aiosqlite)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, exc, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from pratique.errors import DatabaseUnavailable, PratiqueError, RefusedError, SettingsError

_CONNECT_TIMEOUT = 10  # seconds for a connection to come up
_COMMAND_TIMEOUT = 60  # seconds for one statement: a server that went away silently must not hold a worker for ever
_POOL_TIMEOUT = 30  # seconds to wait for a free connection; on SQLite this is also the queue of the writers of this process
# All statements are short: compiling a plan takes longer than most of them. And rows are looked up by keys, in tables that lie in memory or on solid disks.
_PLANNING = {"jit": "off", "random_page_cost": "1.1"}
_LOCK_TIMEOUT_MS = 20_000  # below the command timeout, so that the server gives up first and the connection lives on
_IDLE_TIMEOUT_MS = 300_000  # a transaction that nobody goes on with must not hold its locks for ever
_BUSY_TIMEOUT_MS = 30_000  # SQLite: writers of other processes queue up instead of failing

# Classes of SQLSTATE: connection, resources, operator intervention (restart, cancel), serialization and deadlock, system error; lock and idle timeouts.
_PASSING_STATES = ("08", "53", "57", "40", "58", "55P03", "25P03", "25P04")
_REFUSED_STATES = ("28", "42501")
_MISSING_DATABASE = "3D000"
_PASSING_SQLITE = frozenset({5, 6, 10, 13, 14, 15})  # busy, locked, input/output, full, cannot open, protocol

_POSTGRESQL = frozenset({"postgresql", "postgres", "postgresql+asyncpg"})
_SQLITE = frozenset({"sqlite", "sqlite+aiosqlite"})


class Database:
    """One database.

    `url` is `postgresql+asyncpg://…`, `postgresql://…` or `sqlite+aiosqlite:///path`. Every method may raise DatabaseUnavailable, which means: roll back
    (done already) and try the whole transaction again later; and RefusedError when the server does not accept the credentials.
    On SQLite one transaction writes at a time: one opened inside another waits for itself until it fails.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        """Raises SettingsError for a URL of another kind. Does not connect."""
        parsed = parse_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._writer = create_sqlite_engine(parsed, begin="BEGIN IMMEDIATE", pool_size=1)
            self._reader = create_sqlite_engine(parsed, begin="BEGIN", pool_size=min(pool_size, 4), is_read_only=True)
        else:
            self._writer = create_postgresql_engine(parsed, pool_size=pool_size)
            self._reader = self._writer.execution_options(postgresql_readonly=True)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Run the block in one transaction: committed at its end, rolled back when it raises. Do nothing in it but database work: others wait."""
        async with self._begin(self._writer) as session:
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Run the block in one transaction that cannot write: only for `load_`, `list_`, `count_` and `has_` functions that do not say otherwise."""
        async with self._begin(self._reader) as session:
            yield session

    async def ping(self) -> None:
        """Raise DatabaseUnavailable unless the database answers now."""
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        with translating():
            await self._writer.dispose()
            if self.is_sqlite:
                await self._reader.dispose()

    @asynccontextmanager
    async def _begin(self, engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
        with translating():
            async with AsyncSession(engine, expire_on_commit=False, autoflush=False) as session, session.begin():
                await session.connection()
                yield session


def parse_url(url: str) -> URL:
    """Parse a database URL and name the asynchronous driver in it; libpq's `sslmode` becomes asyncpg's `ssl`.

    Raises SettingsError, which never repeats the URL: it may hold a password.
    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise SettingsError("expected a database URL such as postgresql://user:password@host/name or sqlite:///path") from error
    if parsed.drivername in _POSTGRESQL:
        query = {("ssl" if key == "sslmode" else key): value for key, value in parsed.query.items()}
        return parsed.set(drivername="postgresql+asyncpg", query=query)
    if parsed.drivername in _SQLITE:
        if not parsed.database or parsed.database == ":memory:":
            raise SettingsError("expected a file after sqlite:///, got a database in memory, which every connection would see another of")
        if not Path(parsed.database).absolute().parent.is_dir():
            raise SettingsError("expected the folder of the SQLite file to be there, found none")
        return parsed.set(drivername="sqlite+aiosqlite")
    raise SettingsError(f"expected a database URL of postgresql or sqlite, got {parsed.drivername[:40]!r}")


def create_postgresql_engine(url: URL, *, pool_size: int, command_timeout: float | None = _COMMAND_TIMEOUT) -> AsyncEngine:
    """Create an engine whose connections are tried before use, so that a restart of the server costs nothing but the transactions of that moment."""
    limits = (
        {"lock_timeout": str(_LOCK_TIMEOUT_MS), "idle_in_transaction_session_timeout": str(_IDLE_TIMEOUT_MS)} if command_timeout else {}
    )
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_POOL_TIMEOUT,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "timeout": _CONNECT_TIMEOUT,
            "command_timeout": command_timeout,
            "server_settings": {"application_name": "pratique", **_PLANNING, **limits},
        },
    )


def create_sqlite_engine(
    url: URL, *, begin: str, pool_size: int, is_read_only: bool = False, checks_foreign_keys: bool = True
) -> AsyncEngine:
    """Create an engine whose transactions start with `begin`. The writers' is made with one connection: they queue up in order, which SQLite's own waiting does not."""
    engine = create_async_engine(url, pool_size=pool_size, max_overflow=0, pool_timeout=_POOL_TIMEOUT, hide_parameters=True)

    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
        connection.isolation_level = None  # the driver would start transactions itself, too late and deferred
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if checks_foreign_keys else 'OFF'}")
        # Write-ahead logging lets readers go on while one writes. Synchronous stays FULL: what was answered 202 survives a power failure.
        cursor.execute("PRAGMA query_only = ON" if is_read_only else "PRAGMA journal_mode = WAL")
        cursor.close()

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", start)
    return engine


@contextmanager
def translating() -> Iterator[None]:
    """Turn what the drivers and SQLAlchemy raise for passing trouble into DatabaseUnavailable. What is left is a bug, and stays what it is."""
    try:
        yield
    except PratiqueError:
        raise
    except Exception as error:
        translated = _translate(error)
        if translated is None:
            raise
        raise translated from error


def _translate(error: Exception) -> PratiqueError | None:
    if isinstance(error, exc.StatementError):
        # A value that a column's type refuses (storage.text) comes wrapped with the statement.
        if isinstance(error.orig, PratiqueError):
            return error.orig
        is_disconnect = isinstance(error, exc.DBAPIError) and error.connection_invalidated
        return _classify(error.orig, is_disconnect=is_disconnect)
    if isinstance(error, OSError | exc.TimeoutError):  # OSError includes TimeoutError
        return DatabaseUnavailable(f"the database did not answer: {type(error).__name__}")
    # asyncpg's own errors come through as they are while a connection is being made.
    return _classify(error, is_disconnect=False)


def _classify(error: BaseException | None, *, is_disconnect: bool) -> PratiqueError | None:
    state = str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")
    code = getattr(error, "sqlite_errorcode", None)
    reason = f"{type(error).__name__} {state or code or ''}".strip()
    if state.startswith(_REFUSED_STATES):
        return RefusedError(f"the database refused our credentials or lacks a permission: {reason}")
    if state == _MISSING_DATABASE:
        return SettingsError("the database named in the URL does not exist on its server")
    passing = state.startswith(_PASSING_STATES) or (isinstance(code, int) and code & 0xFF in _PASSING_SQLITE)
    if is_disconnect or passing:
        return DatabaseUnavailable(f"the database did not answer: {reason}")
    return None
