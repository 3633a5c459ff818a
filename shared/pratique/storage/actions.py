"""Actions: what decisions cause, and how each went."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import MissingError
from pratique.storage.dialect import count_changed, insert_missing, is_any
from pratique.storage.models import ActionModel, DecisionModel
from pratique.storage.text import DigestLike, clean_json, hash_json, in_chunks, new_id, utc_now

_OPEN = ("planned", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRow:
    """An action. `outcome` is `planned`, `done`, `failed` (to be tried again), `refused` or `skipped`."""

    id: str
    decision_id: str
    kind: str
    parameters: Mapping[str, Any]
    outcome: str
    detail: str
    attempts: int
    updated_at: dt.datetime


Plan = tuple[str, Mapping[str, Any]]
"""An action to plan: its kind and its JSON parameters."""


async def plan_actions(session: AsyncSession, decision_id: str, actions: Iterable[Plan]) -> None:
    """Plan actions in this order; one that is planned already is left as it is."""
    await plan_actions_of(session, [(decision_id, actions)])


async def plan_actions_of(session: AsyncSession, plans: Iterable[tuple[str, Iterable[Plan]]]) -> None:
    """Plan the actions of many decisions, given by id, each in its order."""
    await insert_missing(session, ActionModel, (_describe(decision_id, *action) for decision_id, actions in plans for action in actions))


async def load_open_actions(session: AsyncSession, decision_id: str) -> tuple[ActionRow, ...]:
    """Load the actions that are planned, or failed and to be tried again, in the order planned."""
    return tuple(action for action in await load_actions(session, decision_id) if action.outcome in _OPEN)


async def load_actions(session: AsyncSession, decision_id: str) -> tuple[ActionRow, ...]:
    """Load all actions in the order planned."""
    query = select(ActionModel).where(ActionModel.decision_id == decision_id).order_by(ActionModel.id)
    rows = (await session.execute(query.execution_options(populate_existing=True))).scalars()
    return tuple(
        ActionRow(
            id=row.id,
            decision_id=row.decision_id,
            kind=row.kind,
            parameters=row.parameters,
            outcome=row.outcome,
            detail=row.detail,
            attempts=row.attempts,
            updated_at=row.updated_at,
        )
        for row in rows
    )


async def load_promotions(session: AsyncSession, digests: Iterable[DigestLike]) -> Mapping[tuple[str, str], frozenset[str]]:
    """Load the names of the repositories that digests were ever promoted to, by whatever policy, by (repository id, digest) that they were promoted from."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for piece in in_chunks(sorted(set(map(str, digests))), 2000):
        query = (
            select(DecisionModel.repository_id, DecisionModel.image_digest, ActionModel.parameters)
            .join(DecisionModel, DecisionModel.id == ActionModel.decision_id)
            .where(is_any(session, DecisionModel.image_digest, piece), ActionModel.kind == "promote", ActionModel.outcome == "done")
        )
        for repository_id, digest, parameters in await session.execute(query):
            found[repository_id, digest].add(str(parameters["repository"]))
    return {place: frozenset(repositories) for place, repositories in found.items()}


async def record_action(session: AsyncSession, action_id: str, *, outcome: str, detail: str, attempt: int) -> None:
    """Record how an action went: `done`, `failed`, `refused` or `skipped`. Raises MissingError."""
    values = {"outcome": outcome, "detail": detail, "attempts": attempt, "updated_at": utc_now()}
    if await count_changed(session, update(ActionModel).where(ActionModel.id == action_id).values(**values)) == 0:
        raise MissingError(f"expected action {action_id}, found none")


def _describe(decision_id: str, kind: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    cleaned = clean_json(parameters)
    return {
        "id": new_id(),
        "decision_id": decision_id,
        "kind": kind,
        "key": hash_json(cleaned),
        "parameters": cleaned,
        "outcome": "planned",
        "detail": "",
        "attempts": 0,
        "updated_at": utc_now(),
    }
