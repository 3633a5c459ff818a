"""Which images a digest stands for: itself, or the platforms of an index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.storage.dialect import is_any
from pratique.storage.models import Image, IndexChild
from pratique.storage.text import DigestLike, in_chunks

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


class _Known(NamedTuple):
    id: int
    kind: str


_Children = dict[str, bool]
"""Digests that an index names, and whether it names them with a platform."""


async def load_members(session: AsyncSession, image_digest: DigestLike) -> Members:
    """Load what a digest stands for. Attestations, and artifacts that an index names without a platform, are no members."""
    return (await load_members_of(session, [image_digest]))[str(image_digest)]


async def load_members_of(session: AsyncSession, digests: Iterable[DigestLike]) -> Mapping[str, Members]:
    """Load what each of some digests stands for."""
    roots = list(dict.fromkeys(map(str, digests)))
    known: dict[str, _Known] = {}
    children: dict[int, _Children] = {}
    wanted = set(roots)
    for _ in range(_MAX_DEPTH):
        found = await _load_images(session, wanted - known.keys())
        known |= found
        below = await _load_children(session, [image.id for image in found.values() if image.kind == "index"])
        children |= below
        wanted = {digest for named in below.values() for digest in named}
        if not wanted:
            break
    return {root: _collect(root, known, children) for root in roots}


def _collect(root: str, known: Mapping[str, _Known], children: Mapping[int, _Children]) -> Members:
    wanted: _Children = {root: False}
    strangers: list[str] = []
    ids: list[int] = []
    missing: list[str] = []
    for _ in range(_MAX_DEPTH):
        images = {digest: known[digest] for digest in wanted if digest in known}
        missing += sorted(wanted.keys() - images.keys())
        strangers += sorted(digest for digest, image in images.items() if image.kind == "artifact" and wanted[digest])
        ids += [image.id for image in images.values() if image.kind == "image"]
        indexes = sorted(image.id for image in images.values() if image.kind == "index")
        wanted = {}
        for index in indexes:
            for digest, has_platform in children.get(index, {}).items():
                wanted[digest] = wanted.get(digest, False) or has_platform
        if not wanted:
            break
    return Members(
        ids=tuple(dict.fromkeys(ids)),
        missing=tuple(dict.fromkeys((*missing, *wanted))),
        is_artifact=root in known and known[root].kind == "artifact",
        strangers=tuple(dict.fromkeys(strangers)),
    )


async def _load_images(session: AsyncSession, digests: Iterable[str]) -> dict[str, _Known]:
    found: dict[str, _Known] = {}
    for piece in in_chunks(sorted(digests)):
        rows = await session.execute(select(Image.digest, Image.id, Image.kind).where(is_any(session, Image.digest, piece)))
        found.update((digest, _Known(number, kind)) for digest, number, kind in rows)
    return found


async def _load_children(session: AsyncSession, indexes: Iterable[int]) -> dict[int, _Children]:
    children: dict[int, _Children] = {}
    for piece in in_chunks(sorted(indexes)):
        query = (
            select(IndexChild.image_id, IndexChild.digest, IndexChild.platform)
            .where(is_any(session, IndexChild.image_id, piece), IndexChild.is_attestation.is_(False))
            .order_by(IndexChild.image_id, IndexChild.position)
        )
        for image_id, digest, platform in await session.execute(query):
            named = children.setdefault(image_id, {})
            named[digest] = named.get(digest, False) or platform is not None
    return children
