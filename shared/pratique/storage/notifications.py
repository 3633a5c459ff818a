"""Notifications: what was told to whom, so that it is told once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession


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


async def claim_new_findings(session: AsyncSession, decision_id: str, line: str, keys: Iterable[str]) -> tuple[str, ...]:
    """Claim the findings that this line (a repository, or a repository and a branch of tags) was never told of; answer them in the order given.

    The claim is the decision's: asked again for the same decision, the answer is the same.
    """
    raise NotImplementedError


async def record_notification(  # noqa: PLR0913, PLR0917
    session: AsyncSession, decision_id: str, channel: str, title: str, body: str, payload: Mapping[str, Any]
) -> str:
    """Record a notification to be delivered at once, and answer its id; the one of the same decision and channel if there is one."""
    raise NotImplementedError


async def load_due_deliveries(session: AsyncSession, *, now: dt.datetime, limit: int) -> tuple[DueDelivery, ...]:
    """Load notifications that are due, longest due first. In a writing transaction they are locked on PostgreSQL, and others skip them."""
    raise NotImplementedError


async def record_delivery(
    session: AsyncSession, notification_id: str, outcome: str, detail: str, next_attempt_at: dt.datetime | None
) -> None:
    """Record an attempt, `ok` or `failed`; a failed one without `next_attempt_at` was the last. Raises MissingError."""
    raise NotImplementedError
