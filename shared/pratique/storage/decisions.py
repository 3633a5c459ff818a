"""Decisions, and the actions they cause."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec
from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import MissingError
from pratique.messages import DecisionTaken
from pratique.policy.verdict import Reason, Verdict, VerdictStatus
from pratique.storage.actions import ActionRow, load_actions, load_open_actions, load_promoted_repositories, plan_actions, record_action
from pratique.storage.dialect import count_changed, insert_missing
from pratique.storage.models import DecisionModel, Registry, Repository, Scan, VerdictModel
from pratique.storage.outbox import enqueue
from pratique.storage.tags import TagRow, load_previous_digest, load_tag, load_tags_pointing_to, record_tag
from pratique.storage.text import DigestLike, new_id, utc_now

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
    "load_promoted_repositories",
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


async def record_decision(session: AsyncSession, new: NewDecision) -> DecisionRow:
    """Adopt a verdict. There is one decision a scan: a second call answers the first one, unchanged. Raises MissingError for an unknown scan."""
    # The lock on the scan makes rivals wait, and then find what is recorded here.
    scan = (
        await session.execute(select(Scan.id, Scan.repository_id, Scan.tag).where(Scan.id == new.scan_id).with_for_update())
    ).one_or_none()
    if scan is None:
        raise MissingError(f"expected scan {new.scan_id}, found none")
    known = await _load_one(session, _select().where(DecisionModel.scan_id == new.scan_id))
    if known is not None:
        return known
    verdict_id, decision_id = new_id(), new_id()
    await insert_missing(session, VerdictModel, [_describe_verdict(verdict_id, new.verdict)])
    row = {
        "id": decision_id,
        "scan_id": new.scan_id,
        "repository_id": scan.repository_id,
        "verdict_id": verdict_id,
        "tag": scan.tag,
        "image_digest": str(new.image_digest),
        "feed_snapshot": new.feed_snapshot,
        "inventory_digest": new.inventory_digest,
        "waivers_digest": new.waivers_digest,
        "counts": dict(new.counts),
        "created_at": utc_now(),
    }
    await insert_missing(session, DecisionModel, [row])
    recorded = await load_decision(session, decision_id)
    if recorded is None:
        raise MissingError(f"expected decision {decision_id} that was just recorded, found none")
    return replace(recorded, created=True)


async def finish_decision(session: AsyncSession, decision_id: str) -> bool:
    """Announce a decision, exactly once; False when it was announced before. Raises MissingError."""
    mark = update(DecisionModel).where(DecisionModel.id == decision_id, DecisionModel.announced_at.is_(None)).values(announced_at=utc_now())
    is_first = await count_changed(session, mark) == 1
    decision = await load_decision(session, decision_id)
    if decision is None:
        raise MissingError(f"expected decision {decision_id}, found none")
    if is_first:
        await enqueue(session, DecisionTaken(decision_id=decision_id, correlation_id=decision.correlation_id))
    return is_first


async def load_decision(session: AsyncSession, decision_id: str) -> DecisionRow | None:
    """Load a decision."""
    return await _load_one(session, _select().where(DecisionModel.id == decision_id))


async def load_latest_decision(
    session: AsyncSession, host: str, repository: str, *, digest: DigestLike | None = None, tag: str | None = None
) -> DecisionRow | None:
    """Load the newest decision on a digest in a repository, or on the digest that the tag points to now."""
    if digest is None and tag is not None:
        pointer = await load_tag(session, host, repository, tag)
        digest = None if pointer is None else pointer.digest
    if digest is None:
        return None
    query = _select().where(Registry.host == host, Repository.name == repository, DecisionModel.image_digest == str(digest))
    return await _load_one(session, query.order_by(DecisionModel.id.desc()).limit(1))


_Selected = Select[DecisionModel, VerdictModel, str, str, str]


def _select() -> _Selected:
    return (
        select(DecisionModel, VerdictModel, Registry.host, Repository.name, Scan.correlation_id)
        .join(VerdictModel, VerdictModel.id == DecisionModel.verdict_id)
        .join(Repository, Repository.id == DecisionModel.repository_id)
        .join(Registry, Registry.id == Repository.registry_id)
        .join(Scan, Scan.id == DecisionModel.scan_id)
        .execution_options(populate_existing=True)
    )


async def _load_one(session: AsyncSession, query: _Selected) -> DecisionRow | None:
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    row, verdict, host, repository, correlation_id = found
    return DecisionRow(
        id=row.id,
        scan_id=row.scan_id,
        correlation_id=correlation_id,
        repository_id=row.repository_id,
        host=host,
        repository=repository,
        tag=row.tag,
        image_digest=row.image_digest,
        verdict=_read_verdict(verdict),
        feed_snapshot=row.feed_snapshot,
        inventory_digest=row.inventory_digest,
        waivers_digest=row.waivers_digest,
        counts=row.counts,
        created_at=row.created_at,
        announced_at=row.announced_at,
    )


def _describe_verdict(verdict_id: str, verdict: Verdict) -> dict[str, object]:
    return {
        "id": verdict_id,
        "status": str(verdict.status),
        "reasons": msgspec.to_builtins(verdict.reasons),
        "policy": verdict.policy,
        "policy_digest": verdict.policy_digest,
        "waived": verdict.waived,
    }


def _read_verdict(row: VerdictModel) -> Verdict:
    return Verdict(
        status=VerdictStatus(row.status),
        reasons=msgspec.convert(row.reasons, tuple[Reason, ...]),
        policy=row.policy,
        policy_digest=row.policy_digest,
        waived=row.waived,
    )
