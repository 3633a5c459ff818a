"""Composition of the advisor: the policy is read at start-up, and a wrong one stops the process."""

from __future__ import annotations

from pratique.deciding.decider import Decider
from pratique.runtime.concurrency import run_together
from pratique.runtime.policy_file import load_policy
from pratique.runtime.resources import Resources
from pratique_services.advisor.fleet import Fleet
from pratique_services.advisor.reconciling import Reconciler
from pratique_services.advisor.rescanning import Rescanner
from pratique_services.advisor.syncing import Syncer


async def run(resources: Resources) -> None:
    """Keep things going, and advisories current, until cancelled."""
    settings = resources.settings
    fleet = Fleet(
        database=resources.database, decider=Decider(document=load_policy(settings), vex=resources.vex), wake=resources.relay.wake
    )
    await run_together(
        [
            Reconciler(database=resources.database, broker=resources.broker, settings=settings.reconcile).run(),
            Rescanner(
                database=resources.database,
                settings=settings.rescans,
                hosts=[registry.host for registry in settings.registries],
                wake=resources.relay.wake,
            ).run(),
            Syncer(settings=settings, on_new=fleet.adopt, on_failures=fleet.record_failures).run(),
            fleet.run(),
        ]
    )
