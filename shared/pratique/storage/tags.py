"""Tags: where they point, and where they pointed before."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.storage.dialect import insert_new, is_any
from pratique.storage.models import Tag, TagHistory
from pratique.storage.repositories import load_repository_id
from pratique.storage.text import DigestLike, in_chunks, new_id, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRow:
    """A tag and the digest it is last known to point to."""

    repository_id: str
    name: str
    digest: str
    moved_at: dt.datetime


async def record_tag(
    session: AsyncSession, repository_id: str, name: str, digest: DigestLike, *, seen_at: dt.datetime | None = None
) -> bool:
    """Record that a tag points to a digest as of `seen_at` (now, where not given); False when newer word is there.

    A move is kept in the history. A time in the future counts as now: it would shut out all later word.
    """
    seen = min(seen_at or utc_now(), utc_now())
    tag_id = new_id()
    if not await insert_new(
        session, Tag, {"id": tag_id, "repository_id": repository_id, "name": name, "digest": str(digest), "moved_at": seen}
    ):
        query = select(Tag.id, Tag.digest, Tag.moved_at).where(Tag.repository_id == repository_id, Tag.name == name).with_for_update()
        tag_id, before, moved_at = (await session.execute(query)).one()
        if seen < moved_at:
            return False
        await session.execute(update(Tag).where(Tag.id == tag_id).values(digest=str(digest), moved_at=seen))
        if before == str(digest):
            return True
    await insert_new(session, TagHistory, {"id": new_id(), "tag_id": tag_id, "digest": str(digest), "moved_at": seen})
    return True


async def forget_tag(session: AsyncSession, repository_id: str, name: str, *, seen_at: dt.datetime) -> bool:
    """Remove a tag, with its history, that the registry did not have as of `seen_at`; False when it is unknown or newer word is there."""
    query = select(Tag.id).where(Tag.repository_id == repository_id, Tag.name == name, Tag.moved_at <= seen_at).with_for_update()
    tag_id = (await session.execute(query)).scalar_one_or_none()
    if tag_id is None:
        return False
    await session.execute(delete(TagHistory).where(TagHistory.tag_id == tag_id))
    await session.execute(delete(Tag).where(Tag.id == tag_id))
    return True


async def load_tag(session: AsyncSession, host: str, repository: str, name: str) -> TagRow | None:
    """Load a tag."""
    repository_id = await load_repository_id(session, host, repository)
    query = select(Tag.repository_id, Tag.name, Tag.digest, Tag.moved_at).where(Tag.repository_id == repository_id, Tag.name == name)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else TagRow(repository_id=row.repository_id, name=row.name, digest=row.digest, moved_at=row.moved_at)


async def load_tags_pointing_to(session: AsyncSession, repository_id: str, digest: DigestLike) -> tuple[str, ...]:
    """Load the names of the tags that point to a digest, sorted."""
    query = select(Tag.name).where(Tag.repository_id == repository_id, Tag.digest == str(digest))
    return tuple(sorted((await session.execute(query)).scalars()))


async def load_tags_of(session: AsyncSession, places: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Load the names of the tags, sorted, that point to digests, by (repository id, digest); places without tags are left out."""
    found: dict[tuple[str, str], tuple[str, ...]] = defaultdict(tuple)
    wanted = set(places)
    for piece in in_chunks(sorted({digest for _, digest in wanted}), 2000):
        query = select(Tag.repository_id, Tag.digest, Tag.name).where(is_any(session, Tag.digest, piece)).order_by(Tag.name)
        for repository_id, digest, name in await session.execute(query):
            if (repository_id, digest) in wanted:
                found[repository_id, digest] += (name,)
    return dict(found)


async def load_previous_digest(session: AsyncSession, repository_id: str, name: str, digest: DigestLike) -> str | None:
    """Load the digest that a tag pointed to before it last came to point to `digest`; None when it is the first."""
    history = (
        select(TagHistory.id, TagHistory.digest)
        .join(Tag, Tag.id == TagHistory.tag_id)
        .where(Tag.repository_id == repository_id, Tag.name == name)
        .order_by(TagHistory.id.desc())
    )
    arrived = (await session.execute(history.where(TagHistory.digest == str(digest)).limit(1))).first()
    if arrived is None:
        return None
    before = (await session.execute(history.where(TagHistory.id < arrived.id).limit(1))).first()
    return None if before is None else before.digest
