"""Decisions, and the actions they cause."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import MissingError
from pratique.messages import DecisionTaken
from pratique.policy.verdict import Reason, Verdict, VerdictStatus
from pratique.storage.actions import (
    ActionRow,
    load_actions,
    load_open_actions,
    load_promotions,
    plan_actions,
    plan_actions_of,
    record_action,
)
from pratique.storage.dialect import count_changed, insert_into, insert_missing, is_any, is_any_pair
from pratique.storage.models import DecisionModel, Image, Registry, Repository, Scan, StandingDecision, VerdictModel
from pratique.storage.outbox import enqueue
from pratique.storage.tags import TagRow, load_previous_digest, load_tag, load_tags_pointing_to, record_tag
from pratique.storage.text import DigestLike, in_chunks, new_id, utc_now

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
    "load_promotions",
    "load_tags_pointing_to",
    "plan_actions",
    "plan_actions_of",
    "record_action",
    "record_decision",
    "record_decisions",
    "record_tag",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDecision:
    """A verdict to adopt for the scan's image. Repository, tag and correlation id are the scan's. `counts` are findings by severity word.

    `feed_snapshot`, `inventory_digest` and `waivers_digest` name, with the verdict's policy digest, all that it came from. `revision` is 0 for the scan's own decision, and
    counts those that newer advisories led to; `cause` says in JSON what they changed.
    """

    scan_id: str
    image_digest: DigestLike
    verdict: Verdict
    feed_snapshot: str | None = None
    inventory_digest: str | None = None
    waivers_digest: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    revision: int = 0
    cause: Mapping[str, Any] | None = None


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
    revision: int = 0
    cause: Mapping[str, Any] | None = None
    created: bool = False


async def record_decision(session: AsyncSession, new: NewDecision) -> DecisionRow:
    """Adopt a verdict; a second call for a scan and revision answers the first one, unchanged. Raises MissingError for an unknown scan."""
    return (await record_decisions(session, [new]))[0]


async def record_decisions(session: AsyncSession, news: Sequence[NewDecision]) -> tuple[DecisionRow, ...]:
    """Adopt verdicts, in the order given, each at most once for a scan and revision. They stand from now on. Raises MissingError for an unknown scan."""
    # The locks on the scans make rivals wait, and then find what is recorded here.
    scans = await _lock_scans(session, {new.scan_id for new in news})
    recorded = await _load_revisions(session, news)
    missing = {(new.scan_id, new.revision): new for new in news if (new.scan_id, new.revision) not in recorded}
    created = {key: _create(new, scans[new.scan_id]) for key, new in missing.items()}
    verdicts = {decision.id: new_id() for decision in created.values()}
    await insert_missing(session, VerdictModel, (_describe_verdict(verdicts[one.id], one.verdict) for one in created.values()))
    await insert_missing(session, DecisionModel, (_describe(one, verdicts[one.id]) for one in created.values()))
    decisions = tuple((recorded | created)[new.scan_id, new.revision] for new in news)
    await _stand(session, decisions)
    return decisions


class _ScanPlace(NamedTuple):
    """Where and under what a scan was asked for."""

    repository_id: str
    tag: str | None
    correlation_id: str
    host: str
    repository: str


async def _lock_scans(session: AsyncSession, scan_ids: Iterable[str]) -> Mapping[str, _ScanPlace]:
    """Lock scans; answer where they are."""
    found: dict[str, _ScanPlace] = {}
    wanted = sorted(scan_ids)
    for piece in in_chunks(wanted, 5000):
        query = (
            select(Scan.id, Scan.repository_id, Scan.tag, Scan.correlation_id, Registry.host, Repository.name)
            .join(Repository, Repository.id == Scan.repository_id)
            .join(Registry, Registry.id == Repository.registry_id)
            .where(is_any(session, Scan.id, piece))
            .order_by(Scan.id)
            .with_for_update(of=Scan)
        )
        found.update((row[0], _ScanPlace._make(row[1:])) for row in await session.execute(query))
    missing = next((number for number in wanted if number not in found), None)
    if missing is not None:
        raise MissingError(f"expected scan {missing}, found none")
    return found


async def _load_revisions(session: AsyncSession, news: Sequence[NewDecision]) -> dict[tuple[str, int], DecisionRow]:
    found: dict[tuple[str, int], DecisionRow] = {}
    for piece in in_chunks(news, 2000):
        wanted = is_any_pair(session, (DecisionModel.scan_id, DecisionModel.revision), [(new.scan_id, new.revision) for new in piece])
        found.update(((row.scan_id, row.revision), row) for row in await _load(session, _select().where(wanted)))
    return found


async def _stand(session: AsyncSession, decisions: Iterable[DecisionRow]) -> None:
    """Say which decisions stand, where no later one does."""
    newest = {(decision.repository_id, decision.image_digest): decision for decision in sorted(decisions, key=lambda one: one.id)}
    digests = sorted({digest for _, digest in newest})
    images: dict[str, int] = {}
    for piece in in_chunks(digests, 5000):
        images.update(
            (digest, number)
            for digest, number in await session.execute(select(Image.digest, Image.id).where(is_any(session, Image.digest, piece)))
        )
    rows = [
        {"image_id": images[digest], "repository_id": repository_id, "decision_id": decision.id, "status": str(decision.verdict.status)}
        for (repository_id, digest), decision in newest.items()
        if digest in images
    ]
    statement = insert_into(session, StandingDecision)
    values = {"decision_id": statement.excluded.decision_id, "status": statement.excluded.status}
    statement = statement.on_conflict_do_update(
        index_elements=["image_id", "repository_id"], set_=values, where=StandingDecision.decision_id < statement.excluded.decision_id
    )
    for part in in_chunks(sorted(rows, key=lambda row: (row["image_id"], row["repository_id"])), 1000):
        await session.execute(statement, list(part))


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
    return next(iter(await _load(session, _select().where(DecisionModel.id == decision_id))), None)


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
    return next(iter(await _load(session, query.order_by(DecisionModel.id.desc()).limit(1))), None)


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


async def _load(session: AsyncSession, query: _Selected) -> tuple[DecisionRow, ...]:
    return tuple(
        DecisionRow(
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
            revision=row.revision,
            cause=row.cause,
        )
        for row, verdict, host, repository, correlation_id in await session.execute(query)
    )


def _create(new: NewDecision, place: _ScanPlace) -> DecisionRow:
    return DecisionRow(
        id=new_id(),
        scan_id=new.scan_id,
        correlation_id=place.correlation_id,
        repository_id=place.repository_id,
        host=place.host,
        repository=place.repository,
        tag=place.tag,
        image_digest=str(new.image_digest),
        verdict=new.verdict,
        feed_snapshot=new.feed_snapshot,
        inventory_digest=new.inventory_digest,
        waivers_digest=new.waivers_digest,
        counts=dict(new.counts),
        created_at=utc_now(),
        announced_at=None,
        revision=new.revision,
        cause=new.cause,
        created=True,
    )


def _describe(decision: DecisionRow, verdict_id: str) -> dict[str, Any]:
    return {
        "id": decision.id,
        "scan_id": decision.scan_id,
        "revision": decision.revision,
        "repository_id": decision.repository_id,
        "verdict_id": verdict_id,
        "tag": decision.tag,
        "image_digest": decision.image_digest,
        "feed_snapshot": decision.feed_snapshot,
        "inventory_digest": decision.inventory_digest,
        "waivers_digest": decision.waivers_digest,
        "counts": dict(decision.counts),
        "cause": None if decision.cause is None else dict(decision.cause),
        "created_at": decision.created_at,
    }


def _describe_verdict(verdict_id: str, verdict: Verdict) -> dict[str, Any]:
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
