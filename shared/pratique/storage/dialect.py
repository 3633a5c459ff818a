"""The few things that the two databases spell differently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnDefault,
    ColumnElement,
    CursorResult,
    Delete,
    Table,
    Text,
    TypeDecorator,
    Update,
    any_,
    cast,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from pratique.storage.models import Base
from pratique.storage.models.base import CleanJson
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


def is_any_pair(
    session: AsyncSession, columns: tuple[InstrumentedAttribute[Any], InstrumentedAttribute[Any]], pairs: Sequence[tuple[Any, Any]]
) -> ColumnElement[bool]:
    """The condition that two columns are one of some pairs, as `is_any`."""
    if not is_postgresql(session):
        return tuple_(*columns).in_(pairs)
    kinds = [Text() if pairs and isinstance(value, str) else BigInteger() for value in (pairs[0] if pairs else (0, 0))]
    arrays = [literal([pair[number] for pair in pairs], postgresql.ARRAY(kind)) for number, kind in enumerate(kinds)]
    given = func.unnest(*arrays).table_valued("first", "second").render_derived(name="given")
    return tuple_(*columns).in_(select(given.c.first, given.c.second))


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
    """Insert many rows of the same columns, passing over those that exist. Sort the rows by their key: transactions that insert in different order can deadlock."""
    for piece in in_chunks(rows, 1000):
        statement, parameters = _insert_rows(session, model, piece)
        await session.execute(statement.on_conflict_do_nothing(), parameters)


async def upsert(
    session: AsyncSession, model: type[Base], rows: Iterable[Mapping[str, Any]], *, key: Sequence[str], update: Sequence[str]
) -> None:
    """Insert many rows of the same columns; of those whose `key` exists, replace the columns in `update`. Sort the rows by their key, each once."""
    for piece in in_chunks(rows, 1000):
        statement, parameters = _insert_rows(session, model, piece)
        changed = {name: statement.excluded[name] for name in update}
        await session.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed), parameters)


def _insert_rows(session: AsyncSession, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> tuple[Insert, list[dict[str, Any]] | None]:
    """An INSERT of rows, and its parameters. On PostgreSQL each column is one parameter, an array: a third of the time that a statement a row takes."""
    if not is_postgresql(session):
        return insert_into(session, model), [dict(row) for row in rows]
    columns = [column for column in table_of(model).columns if column.name in rows[0] or _constant(column) is not None]
    arrays = [literal(_bound_values(session, column, rows), postgresql.ARRAY(_kind_in_array(column))) for column in columns]
    names = [column.name for column in columns]
    found = func.unnest(*arrays).table_valued(*names).render_derived(name="given")
    values = [cast(found.c[column.name], postgresql.JSONB) if _is_json(column) else found.c[column.name] for column in columns]
    return postgresql.insert(table_of(model)).from_select(names, select(*values), include_defaults=False), None


def _bound_values(session: AsyncSession, column: Column[Any], rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    dialect = session.get_bind().dialect
    default = _constant(column)
    values = [row.get(column.name, default) for row in rows]
    process = column.type.dialect_impl(dialect).bind_processor(dialect)
    return values if process is None else [process(value) for value in values]


def _constant(column: Column[Any]) -> Any:  # noqa: ANN401 - a column's value
    """The value of a column where a row gives none; None where there is no such constant."""
    default = column.default
    return default.arg if isinstance(default, ColumnDefault) and default.is_scalar else None


def _is_json(column: Column[Any]) -> bool:
    return isinstance(column.type, CleanJson)


def _kind_in_array(column: Column[Any]) -> TypeEngine[Any]:
    if _is_json(column):
        return Text()
    return column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type.dialect_impl(postgresql.dialect())  # type: ignore[no-untyped-call]


async def count_changed(session: AsyncSession, statement: Update | Delete) -> int:
    """Run an UPDATE or DELETE and answer how many rows it met."""
    result = await session.execute(statement.execution_options(synchronize_session=False))
    return result.rowcount if isinstance(result, CursorResult) else 0
