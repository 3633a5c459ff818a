"""Registries and their repositories."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.storage.dialect import insert_new
from pratique.storage.models import Registry, Repository
from pratique.storage.text import new_id


async def record_repository(session: AsyncSession, host: str, name: str) -> str:
    """Record a repository and its registry if they are new; answer the repository's id."""
    known = await load_repository_id(session, host, name)
    if known is not None:
        return known
    await insert_new(session, Registry, {"id": new_id(), "host": host})
    registry_id = (await session.execute(select(Registry.id).where(Registry.host == host))).scalar_one()
    await insert_new(session, Repository, {"id": new_id(), "registry_id": registry_id, "name": name})
    found = select(Repository.id).where(Repository.registry_id == registry_id, Repository.name == name)
    return (await session.execute(found)).scalar_one()


async def load_repository_id(session: AsyncSession, host: str, name: str) -> str | None:
    """Load a repository's id; None when it was never heard of."""
    query = (
        select(Repository.id).join(Registry, Registry.id == Repository.registry_id).where(Registry.host == host, Repository.name == name)
    )
    return (await session.execute(query)).scalar_one_or_none()
