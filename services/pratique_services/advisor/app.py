"""Composition of the advisor."""

from __future__ import annotations

from pratique.runtime.resources import Resources
from pratique_services.advisor.reconciling import Reconciler


async def run(resources: Resources) -> None:
    """Keep things going until cancelled."""
    await Reconciler(database=resources.database, broker=resources.broker, settings=resources.settings.reconcile).run()
