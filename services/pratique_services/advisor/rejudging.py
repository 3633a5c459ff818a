"""Judges again what a change of advisories may have overturned, piece by piece: a decision is taken where the verdict is another one, or something is news."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncSession

from pratique.advisories.coverage import matching_coverage
from pratique.advisories.database import AdvisoryDatabase
from pratique.deciding.decider import Case, Decider, Judgement
from pratique.deciding.glance import Glance
from pratique.messages import DecisionRecorded
from pratique.oci.digest import Digest
from pratique.policy.subject import Subject
from pratique.policy.verdict import VerdictStatus
from pratique.runtime.concurrency import run_together
from pratique.storage.advisory_state import hold_state
from pratique.storage.coverages import record_section
from pratique.storage.engine import Database
from pratique.storage.holdings import Holding, PackageFindings, load_holdings
from pratique.storage.members import load_members_of
from pratique.storage.outbox import enqueue_all
from pratique.storage.packages import load_image_packages
from pratique.storage.rejudgements import RejudgedImage, claim_rejudgements, finish_rejudgements
from pratique.vex.trust import NOBODY
from pratique_services.advisor.happenings import Happenings, cause_of, find_news, has_news

_IMAGES_A_PIECE = 500
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
    happenings: Happenings = field(default_factory=Happenings)

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
        await self._cover_anew(session, [image.digest for image in images if image.is_covered_anew])
        overturned = await self._find_overturned(session, images, state.digest)
        decisions = await self.decider.adopt(session, overturned) if overturned else ()
        await enqueue_all(session, (DecisionRecorded(decision_id=one.id, correlation_id=one.correlation_id) for one in decisions))
        await finish_rejudgements(session, (image.key for image in images))
        return Rejudged(judged=len(images), decided=len(decisions))

    async def _cover_anew(self, session: AsyncSession, digests: Iterable[str]) -> None:
        """Record what matching covers of images: their packages' ecosystems are covered now, or not any more, or a version can be compared since."""
        members = await load_members_of(session, digests)
        for image_id in sorted({number for found in members.values() for number in found.ids}):
            packages = await load_image_packages(session, image_id)
            found = await asyncio.to_thread(self.advisories.match_all, packages)
            await record_section(session, image_id, _MATCHING, matching_coverage(self.advisories, packages, found.gaps))

    async def _find_overturned(self, session: AsyncSession, images: Sequence[RejudgedImage], database: str) -> list[Judgement]:
        """Judge those of which a glance does not tell that the verdict stays and nothing is news; answer where it does not stay, or something is."""
        glance = self.glance  # the other loop may begin another one
        cases = {image.key: _as_case(image, database) for image in images}
        holdings = await load_holdings(session, (image.digest for image in images), glance.known)
        subjects = dict(zip(cases, await self.decider.load_subjects(session, list(cases.values())), strict=True))
        events = await self.happenings.inside(session, images, holdings)
        untold = await find_news(session, images, events)
        statuses = self._glance(images, subjects, holdings, glance)
        doubtful = [image for image in images if image.key in untold or statuses[image.key] != image.status]
        # Few are left.
        judgements = await self._judge(session, [(cases[image.key], subjects[image.key]) for image in doubtful], holdings, glance)
        return [
            replace(judged, case=replace(judged.case, cause=cause_of(events[image.key], image.position, database)))
            for image, judged in zip(doubtful, judgements, strict=True)
            if str(judged.verdict.status) != image.status or (image.key in untold and has_news(judged, events[image.key]))
        ]

    def _glance(
        self, images: Sequence[RejudgedImage], subjects: Mapping[tuple[int, str], Subject], holdings: Mapping[str, Holding], glance: Glance
    ) -> Mapping[tuple[int, str], VerdictStatus | None]:
        if self.decider.vex != NOBODY:  # what somebody's statements take away is told by a judgement only
            return dict.fromkeys(subjects)
        now = dt.datetime.now(dt.UTC)
        return {
            image.key: glance.status_of(self.decider.policy_for(subject), holdings[image.digest], subject, now)
            for image in images
            for subject in (subjects[image.key],)
        }

    async def _judge(
        self, session: AsyncSession, cases: Sequence[tuple[Case, Subject]], holdings: Mapping[str, Holding], glance: Glance
    ) -> Sequence[Judgement]:
        if self.decider.needs_places:
            return await self.decider.judge(session, [case for case, _ in cases])
        evidence = {digest: holdings[digest].evidence(glance.known) for digest in {str(case.digest) for case, _ in cases}}
        return await self.decider.judge_by(session, cases, evidence)


def _as_case(image: RejudgedImage, database: str) -> Case:
    return Case(
        scan_id=image.scan_id,
        repository_id=image.repository_id,
        host=image.host,
        repository=image.repository,
        tag=image.tag,
        digest=Digest.parse(image.digest),
        feed_snapshot=database,
        revision=image.revision + 1,
    )
