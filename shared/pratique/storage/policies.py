"""Policies by digest, and waivers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession


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
    raise NotImplementedError


async def load_policy(session: AsyncSession, digest: str) -> PolicyRow | None:
    """Load a policy."""
    raise NotImplementedError


async def record_waiver(session: AsyncSession, waiver: NewWaiver) -> str:
    """Store a waiver; answer its id."""
    raise NotImplementedError


async def load_waivers(session: AsyncSession, *, at: dt.datetime | None = None) -> tuple[WaiverRow, ...]:
    """Load waivers, oldest first: those in force at a time, or all."""
    raise NotImplementedError


async def revoke_waiver(session: AsyncSession, waiver_id: str) -> bool:
    """End a waiver now; False when there is none, or it is ended already."""
    raise NotImplementedError
