"""Coverage rows: what each stage read of an image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec
from sqlalchemy import Text, cast, select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.inventory.coverage import Coverage, CoverageItem, FeedState
from pratique.storage.dialect import is_any, upsert
from pratique.storage.models import CoverageModel
from pratique.storage.text import in_chunks

_ITEMS = msgspec.json.Decoder(tuple[CoverageItem, ...])
_FEEDS = msgspec.json.Decoder(tuple[FeedState, ...])


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


async def load_sections_of(session: AsyncSession, image_ids: Iterable[int]) -> Mapping[int, Sequence[Coverage]]:
    """Load what all stages covered of some images, by image. Images of which the same is said share the values."""
    found: dict[int, list[Coverage]] = defaultdict(list)
    for piece in in_chunks(image_ids):
        query = (
            select(CoverageModel.image_id, cast(CoverageModel.items, Text), cast(CoverageModel.feeds, Text))
            .where(is_any(session, CoverageModel.image_id, piece))
            .order_by(CoverageModel.image_id, CoverageModel.section)
        )
        for image_id, items, feeds in await session.execute(query):
            found[image_id].append(_decode(items, feeds))
    return found


@lru_cache(maxsize=512)  # some 10 KB each; thousands of images that were read by the same analyzers say the same
def _decode(items: str, feeds: str) -> Coverage:
    return Coverage(items=_ITEMS.decode(items), feeds=_FEEDS.decode(feeds))


def _read(items: list[object], feeds: list[object]) -> Coverage:
    return Coverage(items=msgspec.convert(items, tuple[CoverageItem, ...]), feeds=msgspec.convert(feeds, tuple[FeedState, ...]))
