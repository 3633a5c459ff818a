"""Composition of the enforcer: the policy and the keys are read at start-up, and a wrong one stops the process."""

from __future__ import annotations

import asyncio

from pratique.deciding.decider import Decider
from pratique.messages import InventoryRecorded
from pratique.policy.policy import PolicyDocument
from pratique.policy.verdict import VerdictStatus
from pratique.runtime.consuming import counted
from pratique.runtime.key_files import load_keys
from pratique.runtime.policy_file import load_policy
from pratique.runtime.resources import Resources
from pratique_services.enforcer.consumer import Enforcer
from pratique_services.enforcer.performing import Performer, require_keys

_PREFETCH = 4


async def run(resources: Resources) -> None:
    """Decide and perform until cancelled."""
    enforcer = await asyncio.to_thread(make_enforcer, resources)  # scrypt takes most of a second
    await resources.broker.consume(InventoryRecorded.queue, counted(enforcer.consume), prefetch=_PREFETCH)


def make_enforcer(resources: Resources) -> Enforcer:
    """Put the enforcer together.

    Raises SettingsError for a missing or wrong policy or key.
    """
    document = load_policy(resources.settings)
    keys = load_keys(resources.settings.signing)
    require_keys(keys, _kinds(document))
    return Enforcer(
        database=resources.database,
        decider=Decider(document=document, vex=resources.vex),
        performer=Performer(registries=resources.registries, keys=keys),
        wake=resources.relay.wake,
    )


def _kinds(document: PolicyDocument) -> set[str]:
    outcomes = [policy.actions.for_status(status) for policy in document.policies for status in VerdictStatus]
    return {type(action).__name__.removesuffix("Action").lower() for actions in outcomes for action in actions}
