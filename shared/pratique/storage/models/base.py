"""What all tables share: names of constraints, and types that mean the same on both databases."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, MetaData, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

from pratique.storage.text import clean_json, clean_text

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class CleanText(TypeDecorator[str]):
    """Text without what PostgreSQL refuses."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Clean on the way in."""
        return None if value is None else clean_text(value)


class CleanJson(TypeDecorator[Any]):
    """JSON without what PostgreSQL refuses; JSONB there."""

    impl = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - JSON
        """Clean on the way in."""
        return clean_json(value)


class UtcDateTime(TypeDecorator[dt.datetime]):
    """A time in UTC, aware on the way in and out. SQLite stores it as text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        """Refuse naive times: they would be stored as whatever the machine's zone is."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("expected a time with its zone")
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        """Say that it is UTC."""
        return value and (value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC))


Serial = BigInteger().with_variant(Integer(), "sqlite")
"""The keys of the large tables. A row of image_package has three of them, in two indexes, 40 million times: 8 bytes each where a text id has 33. They never leave `storage`, but for package ids."""


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's way
        str: CleanText(),
        dt.datetime: UtcDateTime(),
        dict[str, Any]: CleanJson(),
        list[Any]: CleanJson(),
    }
