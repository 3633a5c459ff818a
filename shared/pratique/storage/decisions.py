"""Decisions, and the actions they cause."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from pratique.policy.verdict import Verdict
from pratique.storage.tags import TagRow, load_previous_digest, load_tags_pointing_to, record_tag
from pratique.storage.text import DigestLike

__all__ = [
    "ActionRow",
    "DecisionRow",
    "NewDecision",
    "TagRow",
    "finish_decision",
    "load_actions",
    "load_decision",
    "load_latest_decision",
    "load_open_actions",
    "load_previous_digest",
    "load_tags_pointing_to",
    "plan_actions",
    "record_action",
    "record_decision",
    "record_tag",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDecision:
    """A verdict to adopt for the scan's image. Repository, tag and correlation id are the scan's. `counts` are findings by severity word.

    `feed_snapshot`, `inventory_digest` and `waivers_digest` name, with the verdict's policy digest, all that it came from.
    """

    scan_id: str
    image_digest: DigestLike
    verdict: Verdict
    feed_snapshot: str | None = None
    inventory_digest: str | None = None
    waivers_digest: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """A stored decision. `created` tells whether this call stored it."""

    id: str
    scan_id: str
    correlation_id: str
    repository_id: str
    host: str
    repository: str
    tag: str | None
    image_digest: str
    verdict: Verdict
    feed_snapshot: str | None
    inventory_digest: str | None
    waivers_digest: str | None
    counts: Mapping[str, int]
    created_at: dt.datetime
    announced_at: dt.datetime | None
    created: bool = False


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


async def record_decision(session: AsyncSession, new: NewDecision) -> DecisionRow:
    """Adopt a verdict. There is one decision a scan: a second call answers the first one, unchanged. Raises MissingError for an unknown scan."""
    raise NotImplementedError


async def plan_actions(session: AsyncSession, decision_id: str, actions: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Plan actions as (kind, JSON parameters), in this order; one that is planned already is left as it is."""
    raise NotImplementedError


async def load_open_actions(session: AsyncSession, decision_id: str) -> tuple[ActionRow, ...]:
    """Load the actions that are planned, or failed and to be tried again, in the order planned."""
    raise NotImplementedError


async def load_actions(session: AsyncSession, decision_id: str) -> tuple[ActionRow, ...]:
    """Load all actions in the order planned."""
    raise NotImplementedError


async def record_action(session: AsyncSession, action_id: str, *, outcome: str, detail: str, attempt: int) -> None:
    """Record how an action went: `done`, `failed`, `refused` or `skipped`. Raises MissingError."""
    raise NotImplementedError


async def finish_decision(session: AsyncSession, decision_id: str) -> bool:
    """Announce a decision, exactly once; False when it was announced before. Raises MissingError."""
    raise NotImplementedError


async def load_decision(session: AsyncSession, decision_id: str) -> DecisionRow | None:
    """Load a decision."""
    raise NotImplementedError


async def load_latest_decision(
    session: AsyncSession, host: str, repository: str, *, digest: DigestLike | None = None, tag: str | None = None
) -> DecisionRow | None:
    """Load the newest decision on a digest in a repository, or on the digest that the tag points to now."""
    raise NotImplementedError
