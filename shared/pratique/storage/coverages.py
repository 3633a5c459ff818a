"""Coverage rows: what each stage read of an image."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.inventory.coverage import Coverage, CoverageItem, FeedState
from pratique.storage.dialect import upsert
from pratique.storage.models import CoverageModel


async def record_section(session: AsyncSession, image_id: int, section: str, coverage: Coverage) -> None:
    """Store what a stage covered of an image, in place of what it said before."""
    row = {
        "image_id": image_id,
        "section": section,
        "status": str(coverage.status),
        "items": msgspec.to_builtins(coverage.items),
        "feeds": msgspec.to_builtins(coverage.feeds),
    }
    await upsert(session, CoverageModel, [row], key=("image_id", "section"), update=("status", "items", "feeds"))


async def load_section(session: AsyncSession, image_id: int, section: str) -> Coverage:
    """Load what one stage covered; an empty coverage, which counts as failed, where it has not been recorded."""
    query = select(CoverageModel.items, CoverageModel.feeds).where(CoverageModel.image_id == image_id, CoverageModel.section == section)
    row = (await session.execute(query)).one_or_none()
    return Coverage(items=()) if row is None else _read(*row)


async def load_sections(session: AsyncSession, image_ids: Iterable[int]) -> Coverage:
    """Load what all stages covered of some images, each item and feed once."""
    query = (
        select(CoverageModel.items, CoverageModel.feeds)
        .where(CoverageModel.image_id.in_(list(image_ids)))
        .order_by(CoverageModel.image_id, CoverageModel.section)
    )
    parts = [_read(items, feeds) for items, feeds in (await session.execute(query))]
    items = dict.fromkeys(item for part in parts for item in part.items)
    feeds = dict.fromkeys(feed for part in parts for feed in part.feeds)
    return Coverage(items=tuple(items), feeds=tuple(feeds))


def _read(items: list[object], feeds: list[object]) -> Coverage:
    return Coverage(items=msgspec.convert(items, tuple[CoverageItem, ...]), feeds=msgspec.convert(feeds, tuple[FeedState, ...]))
