"""Policies by digest."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.storage.dialect import insert_new
from pratique.storage.models import PolicyModel
from pratique.storage.text import utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """A policy document as it was adopted."""

    digest: str
    name: str
    document: str
    recorded_at: dt.datetime


async def record_policy(session: AsyncSession, *, digest: str, name: str, document: str) -> None:
    """Store a policy under its digest; one that is known is left as it is."""
    # Asking first: an INSERT would wait for every other transaction that has just done the same.
    if (await session.execute(select(PolicyModel.digest).where(PolicyModel.digest == digest))).first() is not None:
        return
    await insert_new(session, PolicyModel, {"digest": digest, "name": name, "document": document, "recorded_at": utc_now()})


async def load_policy(session: AsyncSession, digest: str) -> PolicyRow | None:
    """Load a policy."""
    row = (await session.execute(select(PolicyModel).where(PolicyModel.digest == digest))).scalar_one_or_none()
    return None if row is None else PolicyRow(digest=row.digest, name=row.name, document=row.document, recorded_at=row.recorded_at)
