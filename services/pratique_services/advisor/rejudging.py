"""Judges again what a change of advisories may have overturned, piece by piece: a decision is taken where the verdict is another one, or something is news."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from pratique.advisories.coverage import matching_coverage
from pratique.advisories.database import AdvisoryDatabase
from pratique.deciding.decider import Case, Decider, Judgement
from pratique.deciding.relevance import NEWS_OF_CRITICALS
from pratique.findings import Severity
from pratique.messages import DecisionRecorded
from pratique.oci.digest import Digest
from pratique.policy.evaluate import standing_findings
from pratique.storage.advisory_state import StateRow, hold_state
from pratique.storage.coverages import record_section
from pratique.storage.decisions import DecisionRow
from pratique.storage.engine import Database
from pratique.storage.evidence import FindingCache
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

_IMAGES_A_PIECE = 500
_TOLD_CHANGES = 20  # in a decision's cause: the rest is counted
_MAX_CACHED = 100_000  # packages with their findings, some 2 KB each
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
    cache: FindingCache = field(default_factory=FindingCache)
    events: dict[int, Mapping[int, Sequence[EventRow]]] = field(default_factory=dict)

    async def run(self) -> Rejudged:
        """Judge until nothing is ordered, or the fleet is at another database."""
        judged = decided = 0
        while True:
            async with self.database.transaction() as session:
                found = await self._judge_piece(session)
            if found is None:
                return Rejudged(judged=judged, decided=decided)
            if found.decided:
                self.wake()
            judged, decided = judged + found.judged, decided + found.decided
            if len(self.cache.by_package) > _MAX_CACHED:
                self.cache = FindingCache()

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
        judgements = await self.decider.judge(session, cases, cache=self.cache)
        news = await _find_news(session, judgements, [events[image.key] for image in images])
        wanted = [
            judged
            for image, judged, is_news in zip(images, judgements, news, strict=True)
            if is_news or str(judged.verdict.status) != image.status
        ]
        decisions = await self.decider.adopt(session, wanted) if wanted else ()
        await enqueue_all(session, (_announce(decision) for decision in decisions))
        await finish_rejudgements(session, (image.key for image in images))
        return Rejudged(judged=len(images), decided=len(decisions))

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


async def _find_news(session: AsyncSession, judgements: Sequence[Judgement], events: Sequence[Sequence[EventRow]]) -> list[bool]:
    """Tell of each image whether something happened in it that its repository was not told of."""
    now = dt.datetime.now(dt.UTC)
    keys = [set(_news_of(judged, happened, now)) for judged, happened in zip(judgements, events, strict=True)]
    lines = [f"{judged.case.host}/{judged.case.repository}" for judged in judgements]
    claimed = await load_claimed(session, ((line, key) for line, of_image in zip(lines, keys, strict=True) for key in of_image))
    return [any((line, key) not in claimed for key in of_image) for line, of_image in zip(lines, keys, strict=True)]


def _news_of(judged: Judgement, events: Sequence[EventRow], now: dt.datetime) -> Iterator[str]:
    """The keys by which chat is told once: new criticals, and what is known to be exploited, unless a waiver covers it."""
    happened = {(event.advisory, event.kind) for event in events}
    names = {advisory for advisory, _ in happened}
    new = {advisory for advisory, kind in happened if kind in NEWS_OF_CRITICALS}
    exploited = {advisory for advisory, kind in happened if kind in {ChangeKind.EXPLOITED, ChangeKind.APPEARED}}
    concerned = [finding for finding in judged.evidence.findings if finding.id in names]
    if not concerned or not judged.subject.tags:
        return
    for finding in standing_findings(judged.policy, concerned, judged.subject, now):
        if finding.id in new and finding.severity is Severity.CRITICAL:
            yield finding.cve
        if finding.id in exploited and finding.exploited_since is not None:
            yield f"exploited:{finding.cve}"


def _announce(decision: DecisionRow) -> DecisionRecorded:
    return DecisionRecorded(decision_id=decision.id, correlation_id=decision.correlation_id)
