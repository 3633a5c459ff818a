"""Judging images by what is stored about them, and adopting the verdicts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.deciding.planning import Plan, plan, promoted_to, quarantine_mark
from pratique.findings import count_by_severity
from pratique.oci.digest import Digest
from pratique.policy.evaluate import evaluate
from pratique.policy.policy import Policy, PolicyDocument, select_policy
from pratique.policy.subject import Subject
from pratique.policy.verdict import Verdict
from pratique.storage.actions import load_promotions, plan_actions_of
from pratique.storage.audit import NewAudit, record_audits
from pratique.storage.decisions import DecisionRow, NewDecision, record_decisions
from pratique.storage.evidence import Evidence, load_evidence
from pratique.storage.inventories import load_inventory_digests
from pratique.storage.policies import record_policy
from pratique.storage.suppressing import load_statements
from pratique.storage.tags import load_tags_of
from pratique.vex.trust import NOBODY, VexTrust


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An image in a repository to judge, by the scan that it is judged on. `revision` and `cause` are the decision's (NewDecision)."""

    scan_id: str
    repository_id: str
    host: str
    repository: str
    tag: str | None
    digest: Digest
    feed_snapshot: str | None
    revision: int = 0
    cause: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict that is not adopted yet, with what it came from."""

    case: Case
    subject: Subject
    policy: Policy | None
    evidence: Evidence
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Judges and decides by one policy document; `vex` says whose statements take findings out of consideration."""

    document: PolicyDocument
    vex: VexTrust = NOBODY

    async def judge(self, session: AsyncSession, cases: Sequence[Case]) -> tuple[Judgement, ...]:
        """Judge images by what is stored now, in the order given."""
        evidence = await load_evidence(session, (case.digest for case in cases))
        return await self.judge_by(session, list(zip(cases, await self.load_subjects(session, cases), strict=True)), evidence)

    async def judge_by(
        self, session: AsyncSession, cases: Sequence[tuple[Case, Subject]], evidence: Mapping[str, Evidence]
    ) -> tuple[Judgement, ...]:
        """Judge images by evidence that is at hand, by digest; VEX is applied to it here."""
        now = dt.datetime.now(dt.UTC)
        said = await load_statements(session, (case.digest for case, _ in cases), self.vex)
        judgements = []
        for case, subject in cases:
            found = evidence[str(case.digest)]
            standing = said[str(case.digest)].apply(found.findings, subject).findings
            judgements.append(self._judge(case, subject, replace(found, findings=tuple(standing)), now))
        return tuple(judgements)

    async def load_subjects(self, session: AsyncSession, cases: Sequence[Case]) -> tuple[Subject, ...]:
        """Load what policies and waivers see of images: where they are, and under which tags now."""
        tags = await load_tags_of(session, ((case.repository_id, str(case.digest)) for case in cases))
        return tuple(_subject_of(case, tags.get((case.repository_id, str(case.digest)), ())) for case in cases)

    def policy_for(self, subject: Subject) -> Policy | None:
        """The policy that an image is judged by; None where none is for it."""
        return select_policy(self.document, host=subject.host, repository=subject.repository, tags=subject.tags)

    async def adopt(self, session: AsyncSession, judgements: Sequence[Judgement]) -> tuple[DecisionRow, ...]:
        """Record decisions, planned actions and audit lines in the caller's transaction. A scan that has a decision of this revision keeps it."""
        for policy in {judged.policy.digest: judged.policy for judged in judgements if judged.policy is not None}.values():
            document = msgspec.json.encode(policy, order="sorted").decode()
            await record_policy(session, digest=policy.digest, name=policy.name, document=document)
        inventories = await load_inventory_digests(session, (judged.case.digest for judged in judgements))
        news = [_new_decision(judged, inventories[str(judged.case.digest)]) for judged in judgements]
        decisions = await record_decisions(session, news)
        created = [(decision, judged) for decision, judged in zip(decisions, judgements, strict=True) if decision.created]
        promotions = await load_promotions(session, (judged.case.digest for _, judged in created))
        await plan_actions_of(session, ((decision.id, self._plan(judged, promotions)) for decision, judged in created))
        await record_audits(session, (_audit(decision) for decision, _ in created))
        return decisions

    @property
    def needs_places(self) -> bool:
        """Whether any waiver looks at paths."""
        return any(waiver.path is not None for policy in self.document.policies for waiver in policy.waivers)

    def _judge(self, case: Case, subject: Subject, evidence: Evidence, now: dt.datetime) -> Judgement:
        policy = self.policy_for(subject)
        verdict = evaluate(policy, evidence.findings, evidence.coverage, subject, now)
        return Judgement(case=case, subject=subject, policy=policy, evidence=evidence, verdict=verdict)

    def _plan(self, judged: Judgement, promotions: Mapping[tuple[str, str], frozenset[str]]) -> Iterable[Plan]:
        withdraws = any(policy.actions.on_pass.sign for policy in self.document.policies)  # whichever it passed by
        today = promoted_to(judged.policy, judged.subject) if judged.policy is not None else ()
        promoted = promotions.get((judged.case.repository_id, str(judged.case.digest)), ())  # by a policy that may be another one by now
        copies = sorted({*today, *promoted} - {judged.subject.repository})
        return plan(judged.policy, judged.verdict.status, judged.subject, withdraws=withdraws, copies=copies)


def _subject_of(case: Case, pointing: Iterable[str]) -> Subject:
    tags = {*pointing, *([case.tag] if case.tag else [])} - {quarantine_mark(case.digest)}
    return Subject(host=case.host, repository=case.repository, tags=tuple(sorted(tags)), digest=case.digest)


def _new_decision(judged: Judgement, inventory_digest: str | None) -> NewDecision:
    return NewDecision(
        scan_id=judged.case.scan_id,
        image_digest=judged.case.digest,
        verdict=judged.verdict,
        feed_snapshot=judged.case.feed_snapshot,
        inventory_digest=inventory_digest,
        counts=count_by_severity(judged.evidence.findings),
        revision=judged.case.revision,
        cause=judged.case.cause,
    )


def _audit(decision: DecisionRow) -> NewAudit:
    verdict = decision.verdict
    detail = {"verdict": str(verdict.status), "policy": verdict.policy, "policy_digest": verdict.policy_digest}
    return NewAudit(
        actor="pratique",
        verb="decided",
        subject=f"{decision.host}/{decision.repository}@{decision.image_digest}",
        detail=detail | ({"cause": dict(decision.cause)} if decision.cause else {}),
        correlation_id=decision.correlation_id,
    )
