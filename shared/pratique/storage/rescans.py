"""Images that are due to be scanned again: their analyzers have changed since, or what was read of them is not complete.

How they are found, at a cost that does not grow with the layers and packages of the fleet:

1. a page of images, longest not inspected first, read from one index;
2. the indexes (of platforms) that name them, and the tags that point to either now;
3. less the places where a re-scan was asked for a short while ago.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.storage.models import CoverageModel, Image, IndexChild, Registry, Repository, Scan, Tag
from pratique.storage.text import in_chunks

PRIORITY = "rescan"
"""The class of these scans: it has a queue of its own."""

PAGE = 100
"""Images looked at in one statement."""

_MAX_PAGES = 50  # a fleet of images that no tag points to is passed over in steps, not in one long transaction
_MAX_DEPTH = 4  # indexes in indexes: an index that (by a mistake of a registry) names itself must end
_OPEN = ("queued", "running")
_IS_INCOMPLETE = text("coverage.section = 'inventory' AND coverage.status <> 'complete'")  # as the index says it, or it is not used


class RescanPosition(NamedTuple):
    """How far a search got, for the next one to go on from."""

    inspected_at: dt.datetime
    image_id: int


class RescanPlace(NamedTuple):
    """Where to scan: what a tag points to now, the image itself or an index of it. Of several tags it is the one that was seen last."""

    repository_id: str
    digest: str
    host: str
    repository: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RescanRule:
    """Which images are due: whose inventory is not by `analyzers_key`; or is not complete, and was last read before `before`.

    Neither is due in a place where a re-scan was asked for after `before`, however that ended, nor in a registry that is not among `hosts`.
    """

    analyzers_key: str
    before: dt.datetime
    hosts: Collection[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRescan:
    """An image with all its places: what is read anew in one of them is to be judged in each. `is_outdated`: by other analyzers; else it was not read completely."""

    image_digest: str
    is_outdated: bool
    places: tuple[RescanPlace, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRescans:
    """What a search found, longest not inspected first. `position` is None once there is nothing further on."""

    images: tuple[DueRescan, ...]
    position: RescanPosition | None


class _Candidate(NamedTuple):
    id: int
    digest: str
    inspected_at: dt.datetime
    analyzers_key: str

    @property
    def position(self) -> RescanPosition:
        return RescanPosition(self.inspected_at, self.id)


_Places = Mapping[str, Sequence[RescanPlace]]
"""Places by the digest of the image that they are of."""


async def load_due_rescans(session: AsyncSession, rule: RescanRule, *, limit: int, after: RescanPosition | None = None) -> DueRescans:
    """Load images that are due, oldest inspection first, until they make `limit` scans: the last one brings all of its places, and may exceed it.

    A platform's image that is found beside others of its index adds no scan of its own: the index is scanned as a whole.
    """
    found: list[DueRescan] = []
    taken: set[tuple[str, str]] = set()
    for _ in range(_MAX_PAGES):
        candidates = await _load_candidates(session, rule, after)
        places = await _load_places(session, rule, [candidate.digest for candidate in candidates])
        for candidate in candidates:
            fresh = tuple(place for place in places.get(candidate.digest, ()) if place[:2] not in taken)
            if not fresh:
                continue
            taken |= {place[:2] for place in fresh}
            found.append(_describe(candidate, rule, fresh))
            if len(taken) >= limit:
                return DueRescans(images=tuple(found), position=candidate.position)
        if len(candidates) < PAGE:
            return DueRescans(images=tuple(found), position=None)
        after = candidates[-1].position
    return DueRescans(images=tuple(found), position=after)


async def count_open_rescans(session: AsyncSession) -> int:
    """Count re-scans that wait or run."""
    query = select(func.count()).select_from(Scan).where(Scan.state.in_(_OPEN), Scan.priority == PRIORITY)
    return (await session.execute(query)).scalar_one()


def _describe(candidate: _Candidate, rule: RescanRule, places: tuple[RescanPlace, ...]) -> DueRescan:
    is_outdated = candidate.analyzers_key != rule.analyzers_key
    return DueRescan(image_digest=candidate.digest, is_outdated=is_outdated, places=places)


async def _load_candidates(session: AsyncSession, rule: RescanRule, after: RescanPosition | None) -> Sequence[_Candidate]:
    """A page of images that a tag or an index names, from indexes alone: most images are not due, and their rows are large.

    Subqueries with one value, for they are never turned into joins: those read tables as a whole now and then.
    """
    incomplete = select(CoverageModel.image_id).where(CoverageModel.image_id == Image.id, _IS_INCOMPLETE)
    tagged = select(Tag.digest).where(Tag.digest == Image.digest).limit(1)
    listed = select(IndexChild.digest).where(IndexChild.digest == Image.digest, IndexChild.is_attestation.is_(False)).limit(1)
    is_incomplete = and_(Image.inspected_at < rule.before, _has_value(incomplete))
    query = select(Image.id, Image.digest, Image.inspected_at, Image.analyzers_key).where(
        Image.inspected_at.is_not(None),
        Image.analyzers_key.is_not(None),
        or_(Image.analyzers_key != rule.analyzers_key, is_incomplete),
        or_(_has_value(tagged), _has_value(listed)),
    )
    if after is not None:
        query = query.where(tuple_(Image.inspected_at, Image.id) > after)
    rows = await session.execute(query.order_by(Image.inspected_at, Image.id).limit(PAGE))
    return [_Candidate(number, digest, inspected_at, key) for number, digest, inspected_at, key in rows if inspected_at and key]


def _has_value(query: Select[Any]) -> ColumnElement[bool]:
    return query.correlate(Image).scalar_subquery().is_not(None)


async def _load_places(session: AsyncSession, rule: RescanRule, digests: Iterable[str]) -> _Places:
    roots = await _load_roots(session, digests)
    tagged = await _load_tagged(session, rule, {root for found in roots.values() for root in found})
    paused = await _load_paused(session, rule, [place[:2] for found in tagged.values() for place in found])
    return {
        digest: sorted(place for root in found for place in tagged.get(root, ()) if place[:2] not in paused)
        for digest, found in roots.items()
    }


async def _load_roots(session: AsyncSession, digests: Iterable[str]) -> Mapping[str, set[str]]:
    """What a tag may point to for each image to be scanned: itself, the indexes that name it, and those that name them."""
    roots = {digest: {digest} for digest in digests}
    below = dict(roots)  # by a digest found last: the images that it leads to
    for _ in range(_MAX_DEPTH - 1):
        above: dict[str, set[str]] = defaultdict(set)
        for child, parent in await _load_parents(session, below):
            above[parent] |= below[child]
        for parent, images in above.items():
            for image in images:
                roots[image].add(parent)
        below = above
    return roots


async def _load_parents(session: AsyncSession, digests: Iterable[str]) -> list[tuple[str, str]]:
    """(digest, that of an index that names it). In two steps: joined, they are now and then taken for reason enough to read all images."""
    named: list[tuple[str, int]] = []
    for piece in in_chunks(sorted(digests)):
        children = select(IndexChild.digest, IndexChild.image_id).where(IndexChild.digest.in_(piece), IndexChild.is_attestation.is_(False))
        named += [(child, parent) for child, parent in await session.execute(children)]
    parents = await _load_digests(session, {parent for _, parent in named})
    return [(child, parents[parent]) for child, parent in named if parent in parents]


async def _load_digests(session: AsyncSession, ids: Iterable[int]) -> Mapping[int, str]:
    digests: dict[int, str] = {}
    for piece in in_chunks(sorted(ids)):
        digests.update((await session.execute(select(Image.id, Image.digest).where(Image.id.in_(piece)))).all())
    return digests


async def _load_tagged(session: AsyncSession, rule: RescanRule, digests: Iterable[str]) -> _Places:
    """Where tags point to these now, one place for each repository."""
    found: dict[tuple[str, str], RescanPlace] = {}
    for piece in in_chunks(sorted(digests)):
        query = (
            select(Tag.repository_id, Tag.digest, Registry.host, Repository.name, Tag.name)
            .join(Repository, Repository.id == Tag.repository_id)
            .join(Registry, Registry.id == Repository.registry_id)
            .where(Tag.digest.in_(piece))
            .order_by(Tag.moved_at, Tag.name)
        )
        places = (RescanPlace(*row) for row in await session.execute(query))
        found.update((place[:2], place) for place in places if place.host in rule.hosts)
    tagged: dict[str, list[RescanPlace]] = defaultdict(list)
    for place in found.values():
        tagged[place.digest].append(place)
    return tagged


async def _load_paused(session: AsyncSession, rule: RescanRule, places: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    paused: set[tuple[str, str]] = set()
    for piece in in_chunks(sorted(places)):
        query = select(Scan.repository_id, Scan.subject).where(
            tuple_(Scan.repository_id, Scan.subject).in_(piece), Scan.priority == PRIORITY, Scan.created_at > rule.before
        )
        paused |= {(repository_id, subject) for repository_id, subject in await session.execute(query)}
    return paused
