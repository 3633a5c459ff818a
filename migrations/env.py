"""How Alembic reaches the database: over the connection that `pratique.storage.migrations` hands it, or one of its own for the `alembic` command.

The command is for developers who write a migration:

    alembic -c migrations/alembic.ini -x url=sqlite:///dev.db revision --autogenerate -m "what it does"
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection

from pratique.storage.migrations import running
from pratique.storage.models import Base


def run(connection: Connection) -> None:
    """Run the migrations in the transaction that the connection is in."""
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True, include_name=_is_ours)
    with context.begin_transaction():
        context.run_migrations()


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """The embedded queue keeps tables of its own in the same file."""
    return kind != "table" or not (name or "").startswith("embedded_")


async def run_alone(url: str) -> None:
    """Connect and run."""
    async with running(url) as connection:
        await connection.run_sync(run)


def main() -> None:
    """Take the connection that is given, or make one."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        run(connection)
    else:
        asyncio.run(run_alone(context.get_x_argument(as_dictionary=True)["url"]))


main()
