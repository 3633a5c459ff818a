"""The outbox: messages written in the transaction that causes them, published afterwards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.messages import Message, encode_message
from pratique.storage.dialect import count_changed, insert_missing, insert_new
from pratique.storage.models import Outbox
from pratique.storage.text import in_chunks, new_id, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A message to publish."""

    id: str
    queue: str
    body: bytes
    message_id: str
    correlation_id: str


async def enqueue(session: AsyncSession, message: Message) -> str:
    """Write a message to be published once this transaction is committed; answer its id."""
    row = _describe(message)
    await insert_new(session, Outbox, row)
    return str(row["id"])


async def enqueue_all(session: AsyncSession, messages: Iterable[Message]) -> None:
    """Write many messages, to be published in this order."""
    await insert_missing(session, Outbox, (_describe(message) for message in messages))


async def load_unpublished(session: AsyncSession, limit: int) -> list[OutboxRow]:
    """Load messages to publish, oldest first. Needs `Database.transaction`: on PostgreSQL they are locked until its end, and others skip them."""
    query = (
        select(Outbox.id, Outbox.queue, Outbox.body, Outbox.correlation_id)
        .where(Outbox.published_at.is_(None))
        .order_by(Outbox.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = (await session.execute(query)).all()
    return [OutboxRow(id=row.id, queue=row.queue, body=row.body, message_id=row.id, correlation_id=row.correlation_id) for row in rows]


async def mark_published(session: AsyncSession, ids: Iterable[str]) -> None:
    """Say that the broker has taken responsibility for these."""
    for piece in in_chunks(ids):
        await session.execute(update(Outbox).where(Outbox.id.in_(piece)).values(published_at=utc_now()))


async def prune_published(session: AsyncSession, before: dt.datetime) -> int:
    """Delete messages published before a time; answer how many."""
    return await count_changed(session, delete(Outbox).where(Outbox.published_at < before))


async def count_unpublished(session: AsyncSession) -> int:
    """Count the messages that wait to be published."""
    query = select(func.count()).select_from(Outbox).where(Outbox.published_at.is_(None))
    return (await session.execute(query)).scalar_one()


def _describe(message: Message) -> dict[str, Any]:
    return {
        "id": new_id(),
        "queue": message.queue,
        "body": encode_message(message),
        "correlation_id": message.correlation_id,
        "created_at": utc_now(),
        "published_at": None,
    }
