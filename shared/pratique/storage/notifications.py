"""Notifications: what was told to whom, so that it is told once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import MissingError
from pratique.storage.dialect import count_changed, insert_missing, insert_new, is_any_pair
from pratique.storage.models import Delivery, Notification, NotificationKey
from pratique.storage.text import in_chunks, new_id, shorten_key, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDelivery:
    """A notification that is to be sent now. `attempts` counts the failed ones so far."""

    id: str
    decision_id: str
    channel: str
    title: str
    body: str
    payload: Mapping[str, Any]
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRow:
    """Who is told of a decision, and how far that is. `state` is `pending`, `delivered` or `failed` (given up); `detail` is what the last failed attempt met."""

    channel: str
    title: str
    state: str
    attempts: int
    detail: str
    next_attempt_at: dt.datetime | None


async def load_notifications(session: AsyncSession, decision_id: str) -> tuple[NotificationRow, ...]:
    """Load who is told of a decision, by channel."""
    query = select(Notification).where(Notification.decision_id == decision_id).order_by(Notification.channel)
    rows = (await session.execute(query.execution_options(populate_existing=True))).scalars().all()
    tried = select(Delivery.notification_id, Delivery.detail).where(Delivery.notification_id.in_([row.id for row in rows]))
    last = {
        delivery.notification_id: delivery.detail for delivery in await session.execute(tried.order_by(Delivery.attempted_at, Delivery.id))
    }
    return tuple(
        NotificationRow(
            channel=row.channel,
            title=row.title,
            state=row.state,
            attempts=row.attempts,
            detail=last.get(row.id, ""),
            next_attempt_at=row.next_attempt_at,
        )
        for row in rows
    )


async def claim_new_findings(session: AsyncSession, decision_id: str, line: str, keys: Iterable[str]) -> tuple[str, ...]:
    """Claim the findings that this line (a repository, or a repository and a branch of tags) was never told of; answer them in the order given.

    The claim is the decision's: asked again for the same decision, the answer is the same.
    """
    stored = {shorten_key(key): key for key in keys}
    of_line = {"line": shorten_key(line), "decision_id": decision_id, "claimed_at": utc_now()}
    await insert_missing(session, NotificationKey, [{"key": key, **of_line} for key in sorted(stored)])
    claimed: set[str] = set()
    for piece in in_chunks(stored):
        query = select(NotificationKey.key).where(
            NotificationKey.line == of_line["line"], NotificationKey.decision_id == decision_id, NotificationKey.key.in_(piece)
        )
        claimed.update((await session.execute(query)).scalars())
    return tuple(key for short, key in stored.items() if short in claimed)


async def load_claimed(session: AsyncSession, pairs: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Load which of some pairs of a line and a key were claimed."""
    stored = {(shorten_key(line), shorten_key(key)): (line, key) for line, key in pairs}
    claimed: set[tuple[str, str]] = set()
    for piece in in_chunks(sorted(stored), 2000):
        query = select(NotificationKey.line, NotificationKey.key).where(
            is_any_pair(session, (NotificationKey.line, NotificationKey.key), piece)
        )
        claimed.update(stored[line, key] for line, key in await session.execute(query))
    return frozenset(claimed)


async def record_notification(  # noqa: PLR0913, PLR0917
    session: AsyncSession, decision_id: str, channel: str, title: str, body: str, payload: Mapping[str, Any]
) -> str:
    """Record a notification to be delivered at once, and answer its id; the one of the same decision and channel if there is one."""
    now = utc_now()
    row = {
        "id": new_id(),
        "decision_id": decision_id,
        "channel": channel,
        "title": title,
        "body": body,
        "payload": dict(payload),
        "state": "pending",
        "attempts": 0,
        "next_attempt_at": now,
        "created_at": now,
    }
    await insert_new(session, Notification, row)
    query = select(Notification.id).where(Notification.decision_id == decision_id, Notification.channel == channel)
    return (await session.execute(query)).scalar_one()


async def load_due_deliveries(session: AsyncSession, *, now: dt.datetime, limit: int) -> tuple[DueDelivery, ...]:
    """Load notifications that are due, longest due first, without claiming them."""
    return await _load(session, _select_due(now, limit))


async def claim_due_deliveries(session: AsyncSession, *, now: dt.datetime, until: dt.datetime, limit: int) -> tuple[DueDelivery, ...]:
    """Load notifications that are due, longest due first, and keep them from others until a time by which this one has recorded how it went."""
    due = await _load(session, _select_due(now, limit).with_for_update(skip_locked=True))
    claim = update(Notification).where(Notification.id.in_([delivery.id for delivery in due])).values(next_attempt_at=until)
    await count_changed(session, claim)
    return due


async def record_delivery(
    session: AsyncSession, notification_id: str, outcome: str, detail: str, next_attempt_at: dt.datetime | None
) -> None:
    """Record an attempt, `ok` or `failed`; a failed one without `next_attempt_at` was the last. Raises MissingError."""
    if outcome == "ok":
        state, due = "delivered", None
    else:
        state, due = ("failed", None) if next_attempt_at is None else ("pending", next_attempt_at)
    values = {"state": state, "next_attempt_at": due, "attempts": Notification.attempts + 1}
    if await count_changed(session, update(Notification).where(Notification.id == notification_id).values(**values)) == 0:
        raise MissingError(f"expected notification {notification_id}, found none")
    row = {"id": new_id(), "notification_id": notification_id, "outcome": outcome, "detail": detail, "attempted_at": utc_now()}
    await insert_missing(session, Delivery, [row])


def _select_due(now: dt.datetime, limit: int) -> Select[Notification]:
    return (
        select(Notification)
        .where(Notification.state == "pending", Notification.next_attempt_at <= now)
        .order_by(Notification.next_attempt_at, Notification.id)
        .limit(limit)
        .execution_options(populate_existing=True)
    )


async def _load(session: AsyncSession, query: Select[Notification]) -> tuple[DueDelivery, ...]:
    return tuple(
        DueDelivery(
            id=row.id,
            decision_id=row.decision_id,
            channel=row.channel,
            title=row.title,
            body=row.body,
            payload=row.payload,
            attempts=row.attempts,
        )
        for row in (await session.execute(query)).scalars()
    )
