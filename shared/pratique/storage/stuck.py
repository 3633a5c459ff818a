"""Work that got stuck between two steps: scanned, but with no decision announced."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import and_, exists, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.messages import InventoryRecorded
from pratique.storage.models import DecisionModel, Image, Scan
from pratique.storage.outbox import enqueue
from pratique.storage.scans import ScanRow, load_scan_rows, select_scans
from pratique.storage.text import utc_now

_LOOK_BACK = dt.timedelta(days=7)
"""Keeps the search off the years of scans that are long decided; a message sent again starts the time anew."""


async def load_undecided(session: AsyncSession, *, before: dt.datetime, limit: int) -> tuple[ScanRow, ...]:
    """Load scans whose message (that their inventory is recorded) went out before a time, and that have no decision, or one that was not announced; oldest first."""
    is_decided = exists().where(DecisionModel.scan_id == Scan.id, DecisionModel.announced_at.is_not(None))
    is_artifact = exists().where(Image.digest == Scan.image_digest, Image.kind == "artifact")  # nothing is decided about those
    waits = and_(Scan.state == "scanned", Scan.announced_at < before, Scan.announced_at > before - _LOOK_BACK)
    query = select_scans().where(waits, ~is_decided, ~is_artifact)
    return await load_scan_rows(session, query.order_by(Scan.announced_at, Scan.id).limit(limit))


async def announce_undecided(session: AsyncSession, scan: ScanRow) -> None:
    """Send the message again that the scan's inventory is recorded."""
    mark = update(Scan).where(Scan.id == scan.scan_id).values(announced_at=utc_now()).execution_options(synchronize_session=False)
    await session.execute(mark)
    await enqueue(session, InventoryRecorded(scan_id=scan.scan_id, correlation_id=scan.correlation_id))
