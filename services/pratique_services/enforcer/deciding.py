"""Deciding: policy applied to what is stored about a scan, adopted together with the actions that follow from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import InvalidReference
from pratique.findings import count_by_severity
from pratique.oci.digest import Digest
from pratique.policy.actions import Action, AttestAction, MarkAction, PromoteAction, QuarantineAction, SignAction
from pratique.policy.evaluate import evaluate
from pratique.policy.policy import Policy, PolicyDocument, select_policy
from pratique.policy.subject import Subject
from pratique.policy.verdict import VerdictStatus
from pratique.storage.audit import record_audit
from pratique.storage.decisions import DecisionRow, NewDecision, plan_actions, record_decision
from pratique.storage.findings import load_coverage, load_findings
from pratique.storage.images import load_inventory_digest
from pratique.storage.policies import record_policy
from pratique.storage.scans import ScanRow
from pratique.storage.tags import load_tags_pointing_to

_Plan = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Takes decisions by one policy document."""

    document: PolicyDocument

    async def decide(self, session: AsyncSession, scan: ScanRow, digest: Digest) -> DecisionRow:
        """Judge the scan's image and record the decision, its planned actions and the audit line in the caller's transaction.

        A scan that has its decision already keeps it.
        """
        now = dt.datetime.now(dt.UTC)
        subject = await self._subject(session, scan, digest)
        policy = select_policy(self.document, host=subject.host, repository=subject.repository, tags=subject.tags)
        findings = await load_findings(session, digest)
        coverage = await load_coverage(session, digest)
        verdict = evaluate(policy, findings, coverage, subject, now)
        if policy is not None:
            await record_policy(
                session, digest=policy.digest, name=policy.name, document=msgspec.json.encode(policy, order="sorted").decode()
            )
        decision = await record_decision(
            session,
            NewDecision(
                scan_id=scan.scan_id,
                image_digest=digest,
                verdict=verdict,
                feed_snapshot=scan.feed_snapshot,
                inventory_digest=await load_inventory_digest(session, digest),
                counts=count_by_severity(findings),
            ),
        )
        if decision.created:
            await plan_actions(session, decision.id, plan(policy, decision, subject))
            await self._audit(session, decision)
        return decision

    async def _subject(self, session: AsyncSession, scan: ScanRow, digest: Digest) -> Subject:
        pointing = await load_tags_pointing_to(session, scan.repository_id, digest)
        tags = {*pointing, scan.tag} if scan.tag else {*pointing}
        return Subject(host=scan.host, repository=scan.repository, tags=tuple(sorted(tags)), digest=digest)

    async def _audit(self, session: AsyncSession, decision: DecisionRow) -> None:
        detail = {
            "verdict": str(decision.verdict.status),
            "policy": decision.verdict.policy,
            "policy_digest": decision.verdict.policy_digest,
        }
        await record_audit(
            session,
            actor="pratique",
            verb="decided",
            subject=f"{decision.host}/{decision.repository}@{decision.image_digest}",
            detail=detail,
            correlation_id=decision.correlation_id,
        )


def plan(policy: Policy | None, decision: DecisionRow, subject: Subject) -> Iterator[_Plan]:
    """Spell the policy's actions out into (kind, parameters), one for each place in a registry, in the order to perform them.

    Where a policy signs what passes, an image that does not pass loses the signature that it may have from an earlier decision, first of all.
    """
    status = decision.verdict.status
    if policy is not None and policy.actions.on_pass.sign is not None and status is not VerdictStatus.PASS:
        yield "withdraw", {}
    for action in policy.actions.for_status(status) if policy is not None else ():
        yield from _plan_action(action, subject)


def _plan_action(action: Action, subject: Subject) -> Iterator[_Plan]:
    match action:
        case AttestAction():
            yield "attest", {"valid_for_s": action.valid_for.total_seconds()}
        case SignAction():
            yield "sign", {}
        case MarkAction():
            yield from _per_tag("mark", action, subject)
        case PromoteAction():
            yield from _per_tag("promote", action, subject)
        case QuarantineAction():
            yield from _quarantine(action, subject)
        case _:
            assert_never(action)


def _per_tag(kind: str, action: MarkAction | PromoteAction, subject: Subject) -> Iterator[_Plan]:
    """One action for each tag: it is done only if that tag still points to the digest when its turn comes."""
    for tag in subject.tags:
        yield from _places(kind, action, replace(subject, tags=(tag,)), {"from_tag": tag})
    if not subject.tags:
        yield from _places(kind, action, subject, {"from_tag": None})


def _quarantine(action: QuarantineAction, subject: Subject) -> Iterator[_Plan]:
    yield from _places("quarantine", action, subject, {"tags": list(subject.tags)})
    if action.remove and action.targets(subject):
        yield "remove", {"tags": list(subject.tags)}


def _places(kind: str, action: Action, subject: Subject, more: Mapping[str, Any]) -> Iterator[_Plan]:
    if isinstance(action, AttestAction | SignAction):
        return
    try:
        targets = action.targets(subject)
    except InvalidReference as error:
        yield kind, {**more, "impossible": str(error)}
        return
    for target in targets:
        yield kind, {**more, "repository": target.repository, "tag": target.tag}
