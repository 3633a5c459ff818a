"""Policies by digest, and waivers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.storage.dialect import count_changed, insert_missing, insert_new
from pratique.storage.models import PolicyModel, WaiverModel
from pratique.storage.text import new_id, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """A policy document as it was adopted."""

    digest: str
    name: str
    document: str
    recorded_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWaiver:
    """A waiver to record: the finding's id, where it holds, and who answers for it until when. `document` is the whole waiver as JSON."""

    finding: str
    owner: str
    reason: str
    expires_at: dt.datetime
    created_by: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverRow:
    """A recorded waiver."""

    id: str
    finding: str
    owner: str
    reason: str
    expires_at: dt.datetime
    created_by: str
    document: Mapping[str, Any]
    created_at: dt.datetime
    revoked_at: dt.datetime | None


async def record_policy(session: AsyncSession, *, digest: str, name: str, document: str) -> None:
    """Store a policy under its digest; one that is known is left as it is."""
    await insert_new(session, PolicyModel, {"digest": digest, "name": name, "document": document, "recorded_at": utc_now()})


async def load_policy(session: AsyncSession, digest: str) -> PolicyRow | None:
    """Load a policy."""
    row = (await session.execute(select(PolicyModel).where(PolicyModel.digest == digest))).scalar_one_or_none()
    return None if row is None else PolicyRow(digest=row.digest, name=row.name, document=row.document, recorded_at=row.recorded_at)


async def record_waiver(session: AsyncSession, waiver: NewWaiver) -> str:
    """Store a waiver; answer its id."""
    row = {
        "id": new_id(),
        "finding": waiver.finding,
        "owner": waiver.owner,
        "reason": waiver.reason,
        "expires_at": waiver.expires_at,
        "created_by": waiver.created_by,
        "document": dict(waiver.document),
        "created_at": utc_now(),
    }
    await insert_missing(session, WaiverModel, [row])
    return str(row["id"])


async def load_waivers(session: AsyncSession, *, at: dt.datetime | None = None) -> tuple[WaiverRow, ...]:
    """Load waivers, oldest first: those in force at a time, or all."""
    query = select(WaiverModel).order_by(WaiverModel.id).execution_options(populate_existing=True)
    if at is not None:
        is_standing = or_(WaiverModel.revoked_at.is_(None), WaiverModel.revoked_at > at)
        query = query.where(WaiverModel.created_at <= at, WaiverModel.expires_at > at, is_standing)
    return tuple(
        WaiverRow(
            id=row.id,
            finding=row.finding,
            owner=row.owner,
            reason=row.reason,
            expires_at=row.expires_at,
            created_by=row.created_by,
            document=row.document,
            created_at=row.created_at,
            revoked_at=row.revoked_at,
        )
        for row in (await session.execute(query)).scalars()
    )


async def revoke_waiver(session: AsyncSession, waiver_id: str) -> bool:
    """End a waiver now; False when there is none, or it is ended already."""
    revoke = update(WaiverModel).where(WaiverModel.id == waiver_id, WaiverModel.revoked_at.is_(None)).values(revoked_at=utc_now())
    return await count_changed(session, revoke) == 1
