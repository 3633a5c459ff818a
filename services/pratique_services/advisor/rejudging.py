"""Judges again what a change of advisories may have overturned, piece by piece: a decision is taken where the verdict is another one, or something is news."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from pratique.advisories.coverage import matching_coverage
from pratique.advisories.database import AdvisoryDatabase
from pratique.deciding.decider import Case, Decider, Judgement
from pratique.deciding.glance import Glance
from pratique.deciding.relevance import NEWS_OF_CRITICALS
from pratique.findings import Severity
from pratique.messages import DecisionRecorded
from pratique.oci.digest import Digest
from pratique.policy.evaluate import standing_findings
from pratique.policy.verdict import VerdictStatus
from pratique.runtime.concurrency import run_together
from pratique.storage.advisory_state import StateRow, hold_state
from pratique.storage.coverages import record_section
from pratique.storage.decisions import DecisionRow
from pratique.storage.engine import Database
from pratique.storage.holdings import Holding, PackageFindings, load_holdings
from pratique.storage.match_changes import ChangeKind
from pratique.storage.members import load_members_of
from pratique.storage.notifications import load_claimed
from pratique.storage.outbox import enqueue_all
from pratique.storage.packages import load_image_packages
from pratique.storage.rejudgements import (
    EventRow,
    RejudgedImage,
    claim_rejudgements,
    finish_rejudgements,
    load_changed_packages,
    load_events,
)
from pratique.vex.trust import NOBODY

_IMAGES_A_PIECE = 250
_TOLD_CHANGES = 20  # in a decision's cause: the rest is counted
_MAX_KNOWN = 100_000  # packages with their findings, some 2 KB each
_MATCHING = "matching"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudged:
    """How many images were judged again, and of how many the decision is another one."""

    judged: int
    decided: int


@dataclass(slots=True, kw_only=True)
class Rejudge:
    """One run through all that is ordered. `advisories` is the database that the fleet is at."""

    database: Database
    decider: Decider
    advisories: AdvisoryDatabase
    wake: Callable[[], None]
    glance: Glance = field(default_factory=lambda: Glance(known=PackageFindings()))
    events: dict[int, Mapping[int, Sequence[EventRow]]] = field(default_factory=dict)

    async def run(self) -> Rejudged:
        """Judge until nothing is ordered, or the fleet is at another database."""
        # PostgreSQL answers one loop while the other one judges; SQLite takes one writer at a time.
        loops = [self._run() for _ in range(1 if self.database.is_sqlite else 2)]
        found = await run_together(loops)
        return Rejudged(judged=sum(each.judged for each in found), decided=sum(each.decided for each in found))

    async def _run(self) -> Rejudged:
        judged = decided = 0
        while True:
            async with self.database.transaction() as session:
                found = await self._judge_piece(session)
            if found is None:
                return Rejudged(judged=judged, decided=decided)
            if found.decided:
                self.wake()
            judged, decided = judged + found.judged, decided + found.decided
            if len(self.glance.known.by_package) > _MAX_KNOWN:
                self.glance = Glance(known=PackageFindings())

    async def _judge_piece(self, session: AsyncSession) -> Rejudged | None:
        state = await hold_state(session)
        if state is None or state.digest != str(self.advisories.digest):
            return None
        images = await claim_rejudgements(session, limit=_IMAGES_A_PIECE)
        if not images:
            return None
        members = {digest: found.ids for digest, found in (await load_members_of(session, (image.digest for image in images))).items()}
        await self._cover_anew(session, {number for image in images if image.is_covered_anew for number in members[image.digest]})
        events = await self._load_events_of(session, images, members)
        cases = [_as_case(image, events[image.key], state) for image in images]
        wanted = await self._find_overturned(session, images, cases, events)
        decisions = await self.decider.adopt(session, wanted) if wanted else ()
        await enqueue_all(session, (_announce(decision) for decision in decisions))
        await finish_rejudgements(session, (image.key for image in images))
        return Rejudged(judged=len(images), decided=len(decisions))

    async def _find_overturned(
        self,
        session: AsyncSession,
        images: Sequence[RejudgedImage],
        cases: Sequence[Case],
        events: Mapping[tuple[int, str], Sequence[EventRow]],
    ) -> list[Judgement]:
        """Judge those of which a glance does not tell that the verdict stays and nothing is news; answer where it does not stay, or something is."""
        glance = self.glance  # the other loop may begin another one
        holdings = await load_holdings(session, (case.digest for case in cases), glance.known)
        news = await _find_news(session, cases, [events[image.key] for image in images])
        statuses = await self._glance(session, cases, holdings, glance)
        doubtful = [
            (image, case, is_new)
            for image, case, is_new, status in zip(images, cases, news, statuses, strict=True)
            if is_new or status is None or str(status) != image.status
        ]
        if self.decider.needs_places:
            judgements = await self.decider.judge(session, [case for _, case, _ in doubtful])
        else:
            evidence = {str(case.digest): holdings[str(case.digest)].evidence(glance.known) for _, case, _ in doubtful}
            judgements = await self.decider.judge_by(session, [case for _, case, _ in doubtful], evidence)
        return [
            judged
            for (image, _, is_new), judged in zip(doubtful, judgements, strict=True)
            if str(judged.verdict.status) != image.status or (is_new and _has_news(judged, events[image.key]))
        ]

    async def _glance(
        self, session: AsyncSession, cases: Sequence[Case], holdings: Mapping[str, Holding], glance: Glance
    ) -> list[VerdictStatus | None]:
        if self.decider.vex != NOBODY:  # what somebody's statements take away is told by a judgement only
            return [None] * len(cases)
        now = dt.datetime.now(dt.UTC)
        subjects = await self.decider.load_subjects(session, cases)
        policies = [self.decider.policy_for(subject) for subject in subjects]
        return [
            glance.status_of(policy, holdings[str(case.digest)], subject, now)
            for case, policy, subject in zip(cases, policies, subjects, strict=True)
        ]

    async def _cover_anew(self, session: AsyncSession, image_ids: Iterable[int]) -> None:
        """Record what matching covers of images: their packages' ecosystems are covered now, or not any more, or a version can be compared since."""
        for image_id in sorted(image_ids):
            packages = await load_image_packages(session, image_id)
            found = await asyncio.to_thread(self.advisories.match_all, packages)
            await record_section(session, image_id, _MATCHING, matching_coverage(self.advisories, packages, found.gaps))

    async def _load_events_of(
        self, session: AsyncSession, images: Sequence[RejudgedImage], members: Mapping[str, Sequence[int]]
    ) -> Mapping[tuple[int, str], Sequence[EventRow]]:
        """What became of matches in each image at the position that it was ordered for."""
        found: dict[tuple[int, str], Sequence[EventRow]] = {}
        for position in sorted({image.position for image in images}):
            if position not in self.events:
                self.events = {position: await load_events(session, position)}
            events = self.events[position]
            ordered = [image for image in images if image.position == position]
            inside = await load_changed_packages(session, {number for image in ordered for number in members[image.digest]}, position)
            for image in ordered:
                packages = dict.fromkeys(package for number in members[image.digest] for package in inside.get(number, ()))
                found[image.key] = [event for package in packages for event in events.get(package, ())]
        return found


def _as_case(image: RejudgedImage, events: Sequence[EventRow], state: StateRow) -> Case:
    worst = sorted(events, key=lambda event: (-event.severity, event.advisory, event.package))
    cause: dict[str, Any] = {
        "kind": "advisories",
        "position": image.position,
        "database": state.digest,
        "changes": [
            {"kind": event.kind, "id": event.cve, "package": event.package, "severity": str(Severity(event.severity))}
            for event in worst[:_TOLD_CHANGES]
        ],
        "more": max(0, len(worst) - _TOLD_CHANGES),
    }
    return Case(
        scan_id=image.scan_id,
        repository_id=image.repository_id,
        host=image.host,
        repository=image.repository,
        tag=image.tag,
        digest=Digest.parse(image.digest),
        feed_snapshot=state.digest,
        revision=image.revision + 1,
        cause=cause,
    )


async def _find_news(session: AsyncSession, cases: Sequence[Case], events: Sequence[Sequence[EventRow]]) -> list[bool]:
    """Tell of each image whether something happened in it that its repository was not told of."""
    keys = [{key for event in happened if (key := _key_of(event))} for happened in events]
    lines = [f"{case.host}/{case.repository}" for case in cases]
    claimed = await load_claimed(session, ((line, key) for line, of_image in zip(lines, keys, strict=True) for key in of_image))
    return [any((line, key) not in claimed for key in of_image) for line, of_image in zip(lines, keys, strict=True)]


def _key_of(event: EventRow) -> str:
    """The key by which chat tells of it once; empty where it does not."""
    if event.kind == ChangeKind.EXPLOITED:
        return f"exploited:{event.cve}"
    return event.cve if event.kind in NEWS_OF_CRITICALS and event.severity == Severity.CRITICAL else ""


def _has_news(judged: Judgement, events: Sequence[EventRow]) -> bool:
    """Tell whether what happened stands, where a tag points to the image: a waiver may cover it."""
    names = {event.advisory for event in events if _key_of(event)}
    concerned = [finding for finding in judged.evidence.findings if finding.id in names]
    return bool(judged.subject.tags) and bool(standing_findings(judged.policy, concerned, judged.subject, dt.datetime.now(dt.UTC)))


def _announce(decision: DecisionRow) -> DecisionRecorded:
    return DecisionRecorded(decision_id=decision.id, correlation_id=decision.correlation_id)
