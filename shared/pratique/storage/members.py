"""Which images a digest stands for: itself, or the platforms of an index."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.storage.models import Image, IndexChild
from pratique.storage.text import DigestLike

_MAX_DEPTH = 4  # indexes in indexes: an index that (by a mistake of a registry) names itself must end


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The images behind a digest: their keys, and the digests of those that are named but not recorded.

    `strangers`: what an index names with a platform, as an image, and is recorded as an artifact.
    `is_artifact`: the digest is no image at all, but a chart, a signature or the like.
    """

    ids: tuple[int, ...]
    missing: tuple[str, ...]
    is_artifact: bool = False
    strangers: tuple[str, ...] = ()


async def load_members(session: AsyncSession, image_digest: DigestLike) -> Members:
    """Load what a digest stands for. Attestations, and artifacts that an index names without a platform, are no members."""
    wanted = {str(image_digest): False}
    strangers: list[str] = []
    ids: list[int] = []
    missing: list[str] = []
    is_artifact = False
    for depth in range(_MAX_DEPTH):
        found = (await session.execute(select(Image.digest, Image.id, Image.kind).where(Image.digest.in_(list(wanted))))).all()
        missing += sorted(wanted.keys() - {row.digest for row in found})
        strangers += sorted(row.digest for row in found if row.kind == "artifact" and wanted[row.digest])
        ids += [row.id for row in found if row.kind == "image"]
        is_artifact = is_artifact or (depth == 0 and any(row.kind == "artifact" for row in found))
        wanted = await _load_children(session, [row.id for row in found if row.kind == "index"])
        if not wanted:
            break
    return Members(
        ids=tuple(dict.fromkeys(ids)),
        missing=tuple(dict.fromkeys((*missing, *wanted))),
        is_artifact=is_artifact,
        strangers=tuple(dict.fromkeys(strangers)),
    )


async def _load_children(session: AsyncSession, indexes: list[int]) -> dict[str, bool]:
    """The digests that indexes name, and whether any of them names it with a platform."""
    if not indexes:
        return {}
    query = (
        select(IndexChild.digest, IndexChild.platform)
        .where(IndexChild.image_id.in_(indexes), IndexChild.is_attestation.is_(False))
        .order_by(IndexChild.image_id, IndexChild.position)
    )
    children: dict[str, bool] = {}
    for row in await session.execute(query):
        children[row.digest] = children.get(row.digest, False) or row.platform is not None
    return children
