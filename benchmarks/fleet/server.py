"""A PostgreSQL whose data stays: filled once without care for power cuts, then run as it comes, with nothing tuned."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from tests.support.servers import PostgreSQL

FILLING: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "1GB",
    "work_mem": "256MB",
    "maintenance_work_mem": "1GB",
    "max_wal_size": "3GB",
    "checkpoint_timeout": "30min",
    "autovacuum": "off",
    "jit": "off",
}
"""For making the data only."""

RUNNING: Mapping[str, str] = {}
"""For what is measured: PostgreSQL's defaults, with commits that survive a power cut."""


_WARM = """
SELECT sum(pg_prewarm(oid, 'read')) FROM pg_class WHERE relkind IN ('r', 'i', 't') AND pg_relation_filenode(oid) IS NOT NULL AND relpersistence = 'p'
"""


class KeptPostgreSQL(PostgreSQL):
    """A server on data that an earlier one may have left in the folder; `stop` it, for `close` removes the data."""

    start_seconds = 120.0  # it may have to recover

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._has_data = (folder / "data" / "PG_VERSION").exists()
        super().__init__(folder)

    async def connect(self, name: str) -> asyncpg.Connection:
        """Connect to a database."""
        return await asyncpg.connect(self.database_url(name), timeout=60)

    async def execute(self, statement: str) -> None:
        """Run a statement that is about databases."""
        connection = await self.connect("postgres")
        try:
            await connection.execute(statement, timeout=3600)
        finally:
            await connection.close()

    async def warm(self, name: str) -> None:
        """Have the kernel read all files of a database."""
        connection = await self.connect(name)
        try:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
            await connection.execute(_WARM, timeout=3600)
        finally:
            await connection.close()

    def _run(self, program: str, *arguments: object) -> None:
        if program != "initdb" or not self._has_data:
            super()._run(program, *arguments)

    def _launch(self) -> subprocess.Popen[bytes]:
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **self._settings}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [self._programs / "postgres", "-D", self.folder / "data", "-p", str(self.port), *options]
        return self._popen(command, environment=self._environment, **self._user)
