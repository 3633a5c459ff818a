"""How the feeds are that the fleet's matches come from: what `/readyz` shows of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from pratique.feeds.health import FeedFailure
from pratique.storage.advisory_state import load_state


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedHealth:
    """`missing`: no advisory database has been applied yet; `stale`: `failures` says which feeds could not be brought up to date, and why."""

    status: Literal["ok", "stale", "missing"]
    digest: str = ""
    applied_at: dt.datetime | None = None
    failures: tuple[FeedFailure, ...] = ()


async def load_feed_health(session: AsyncSession) -> FeedHealth:
    """Read how the feeds are, as the advisor last recorded it."""
    state = await load_state(session)
    if state is None:
        return FeedHealth(status="missing")
    return FeedHealth(status="stale" if state.failures else "ok", digest=state.digest, applied_at=state.applied_at, failures=state.failures)
