"""Layer results: computed once for a (layer digest, analyzer versions)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import InvalidMessage
from pratique.inventory.layer_result import LayerResult
from pratique.storage.dialect import upsert
from pratique.storage.models import StoredLayerResult
from pratique.storage.text import DigestLike, in_chunks, utc_now


async def load_layer_results(session: AsyncSession, digests: Iterable[DigestLike], analyzers_key: str) -> dict[str, LayerResult]:
    """Load what is known, by digest text. A stored result that cannot be read any more counts as unknown: it will be written anew."""
    found: dict[str, LayerResult] = {}
    for piece in in_chunks(str(digest) for digest in digests):
        query = select(StoredLayerResult.digest, StoredLayerResult.content).where(
            StoredLayerResult.analyzers_key == analyzers_key, StoredLayerResult.digest.in_(piece)
        )
        for digest, content in await session.execute(query):
            try:
                found[digest] = LayerResult.decode(content)
            except InvalidMessage:
                continue
    return found


async def record_layer_result(session: AsyncSession, digest: DigestLike, analyzers_key: str, result: LayerResult) -> None:
    """Store a result; the last one written stands."""
    row = {"digest": str(digest), "analyzers_key": analyzers_key, "content": result.encode(), "recorded_at": utc_now()}
    await upsert(session, StoredLayerResult, [row], key=("digest", "analyzers_key"), update=("content", "recorded_at"))
