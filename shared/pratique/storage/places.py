"""Where digests are: repositories in which they have a decision."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, exists, select, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from pratique.storage.models import DecisionModel, Image, IndexChild, Registry, Repository, Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlace:
    """A digest in a repository that has a decision. `is_tagged`: some tag there points to it now."""

    repository_id: str
    host: str
    repository: str
    digest: str
    is_tagged: bool


_Selected = Select[str, str, str, str, bool]


def select_places(holders: Select[str]) -> _Selected:
    """Select where digests, and the indexes that name them, have a decision, for `load_places`."""
    index = aliased(Image)
    indexes = select(index.digest).join(IndexChild, IndexChild.image_id == index.id).where(IndexChild.digest.in_(holders))
    is_tagged = exists().where(Tag.repository_id == DecisionModel.repository_id, Tag.digest == DecisionModel.image_digest)
    return (
        select(DecisionModel.repository_id, DecisionModel.image_digest, Registry.host, Repository.name, is_tagged)
        .join(Repository, Repository.id == DecisionModel.repository_id)
        .join(Registry, Registry.id == Repository.registry_id)
        .where(DecisionModel.image_digest.in_(union(holders, indexes)))
        .group_by(DecisionModel.repository_id, DecisionModel.image_digest, Registry.host, Repository.name)
    )


async def load_places(session: AsyncSession, query: _Selected) -> tuple[ImagePlace, ...]:
    """Load what a query made by `select_places` finds, in its order."""
    return tuple(
        ImagePlace(repository_id=repository_id, host=host, repository=name, digest=digest, is_tagged=bool(is_tagged))
        for repository_id, digest, host, name, is_tagged in await session.execute(query)
    )
