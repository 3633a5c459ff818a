"""The advisory database that the fleet's matches hold for, and how its feeds are.

There is one row. Whoever records matches, or decides by them, holds it shared; the advisor holds it alone while it brings the fleet to another database. So nobody meets a
fleet that is half at one and half at the other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.feeds.health import FeedFailure
from pratique.inventory.coverage import FeedState
from pratique.storage.dialect import insert_new
from pratique.storage.models import AdvisoryState
from pratique.storage.text import DigestLike, utc_now

UNPLACED = 0
"""The position of matches with another database than the state's: the advisor makes them again."""

_ONE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRow:
    """Where the fleet is: the `position` counts the databases from 1. `failures` are the feeds that could not be synced since."""

    position: int
    digest: str
    feeds: tuple[FeedState, ...]
    failures: tuple[FeedFailure, ...]
    applied_at: dt.datetime


async def load_state(session: AsyncSession) -> StateRow | None:
    """Load the state; None before the first database."""
    return await _load(session, select(AdvisoryState))


async def hold_state(session: AsyncSession) -> StateRow | None:
    """Load the state and keep it as it is until the end of the transaction; others may hold it too."""
    return await _load(session, select(AdvisoryState).with_for_update(read=True))


async def seize_state(session: AsyncSession) -> StateRow | None:
    """Load the state and keep others from holding it until the end of the transaction."""
    return await _load(session, select(AdvisoryState).with_for_update())


async def begin_state(session: AsyncSession, digest: DigestLike, feeds: Iterable[FeedState]) -> StateRow:
    """Adopt the first database ever, unless another has come before, and hold the state."""
    row = {"id": _ONE, "position": 1, "digest": str(digest), "feeds": msgspec.to_builtins(tuple(feeds)), "failures": []}
    await insert_new(session, AdvisoryState, {**row, "applied_at": utc_now()})
    state = await hold_state(session)
    if state is None:
        raise AssertionError("the state that was just recorded is not there")
    return state


async def advance_state(session: AsyncSession, digest: DigestLike, feeds: Iterable[FeedState]) -> int:
    """Adopt another database, under `seize_state`; answer its position."""
    values = {
        "position": AdvisoryState.position + 1,
        "digest": str(digest),
        "feeds": msgspec.to_builtins(tuple(feeds)),
        "applied_at": utc_now(),
    }
    query = update(AdvisoryState).where(AdvisoryState.id == _ONE).values(**values).returning(AdvisoryState.position)
    return (await session.execute(query.execution_options(synchronize_session=False))).scalar_one()


async def record_failures(session: AsyncSession, failures: Iterable[FeedFailure]) -> None:
    """Store which feeds could not be synced, in place of what was stored before. Nothing happens before the first database."""
    query = update(AdvisoryState).where(AdvisoryState.id == _ONE).values(failures=msgspec.to_builtins(tuple(failures)))
    await session.execute(query.execution_options(synchronize_session=False))


async def _load(session: AsyncSession, query: Select[AdvisoryState]) -> StateRow | None:
    row = (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if row is None:
        return None
    return StateRow(
        position=row.position,
        digest=row.digest,
        feeds=msgspec.convert(row.feeds, tuple[FeedState, ...]),
        failures=msgspec.convert(row.failures, tuple[FeedFailure, ...]),
        applied_at=row.applied_at,
    )
