"""The few things that the two databases spell differently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, CursorResult, Delete, Table, Text, Update, any_, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from pratique.storage.models import Base
from pratique.storage.text import in_chunks

Insert = postgresql.Insert | sqlite.Insert


def is_postgresql(session: AsyncSession) -> bool:
    """Tell whether this is PostgreSQL."""
    return session.get_bind().dialect.name == "postgresql"


def is_any(
    session: AsyncSession, column: ColumnElement[Any] | InstrumentedAttribute[Any], values: Sequence[int] | Sequence[str]
) -> ColumnElement[bool]:
    """The condition that a column is one of some values. On PostgreSQL they are one parameter, so that the statement is the same for any number of them; SQLite has no arrays."""
    if not is_postgresql(session):
        return column.in_(values)
    kind = Text() if values and isinstance(values[0], str) else BigInteger()
    return column == any_(literal(list(values), postgresql.ARRAY(kind)))


def table_of(model: type[Base]) -> Table:
    """Return a model's table."""
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is not mapped to a table")
    return table


def insert_into(session: AsyncSession, model: type[Base]) -> Insert:
    """Start an INSERT that can say ON CONFLICT."""
    return (postgresql.insert if is_postgresql(session) else sqlite.insert)(table_of(model))


async def insert_new(session: AsyncSession, model: type[Base], row: Mapping[str, Any]) -> bool:
    """Insert a row unless it breaks any unique constraint; tell whether it was inserted. A rival's uncommitted row is waited for."""
    table = table_of(model)
    statement = insert_into(session, model).values(**row).on_conflict_do_nothing().returning(*table.primary_key.columns)
    return (await session.execute(statement)).first() is not None


async def insert_missing(session: AsyncSession, model: type[Base], rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert many rows, passing over those that exist. Sort the rows by their key: transactions that insert in different order can deadlock."""
    statement = insert_into(session, model).on_conflict_do_nothing()
    for piece in in_chunks(rows, 1000):
        await session.execute(statement, [dict(row) for row in piece])


async def upsert(
    session: AsyncSession, model: type[Base], rows: Sequence[Mapping[str, Any]], *, key: Sequence[str], update: Sequence[str]
) -> None:
    """Insert many rows; of those whose `key` exists, replace the columns in `update`. Sort the rows by their key."""
    statement = insert_into(session, model)
    statement = statement.on_conflict_do_update(index_elements=list(key), set_={name: statement.excluded[name] for name in update})
    for piece in in_chunks(rows, 1000):
        await session.execute(statement, [dict(row) for row in piece])


async def count_changed(session: AsyncSession, statement: Update | Delete) -> int:
    """Run an UPDATE or DELETE and answer how many rows it met."""
    result = await session.execute(statement.execution_options(synchronize_session=False))
    return result.rowcount if isinstance(result, CursorResult) else 0
