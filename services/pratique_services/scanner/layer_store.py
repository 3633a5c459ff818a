"""Layer results in the database: what makes each layer be read once, whichever image brings it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pratique.inventory.analyzers import results_key
from pratique.inventory.layer_result import LayerResult
from pratique.runtime.metrics import LAYER_BYTES, LAYERS
from pratique.storage.engine import Database
from pratique.storage.layers import load_layer_results, record_layer_result


class DatabaseLayerStore:
    """Keeps layer results under (layer digest, analyzer versions)."""

    def __init__(self, database: Database, *, compares_contents: bool = False) -> None:
        self._database = database
        self._key = results_key(compares_contents=compares_contents)

    async def load(self, digests: Sequence[str]) -> Mapping[str, LayerResult]:
        """Load what is known of these layers."""
        async with self._database.reading() as session:
            known = await load_layer_results(session, digests, self._key)
        LAYERS.labels(outcome="known").inc(len(known))
        return known

    async def record(self, digest: str, result: LayerResult) -> None:
        """Keep a result for ever after."""
        async with self._database.transaction() as session:
            await record_layer_result(session, digest, self._key, result)
        LAYERS.labels(outcome="read").inc()
        LAYER_BYTES.inc(result.bytes_compressed)
