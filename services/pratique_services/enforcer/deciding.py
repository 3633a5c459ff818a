"""Deciding: policy applied to what is stored about a scan, adopted together with the actions that follow from it."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import InvalidReference
from pratique.findings import count_by_severity
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique.policy.actions import SAME_REPOSITORY, Action, AttestAction, MarkAction, PromoteAction, QuarantineAction, SignAction
from pratique.policy.evaluate import evaluate
from pratique.policy.policy import Policy, PolicyDocument, select_policy
from pratique.policy.subject import Subject
from pratique.policy.verdict import VerdictStatus
from pratique.storage.audit import record_audit
from pratique.storage.decisions import DecisionRow, NewDecision, load_promoted_repositories, plan_actions, record_decision
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
            withdraws = any(policy.actions.on_pass.sign for policy in self.document.policies)  # whichever it passed by
            today = _promoted_to(policy, subject) if policy is not None else ()
            promoted = await load_promoted_repositories(session, scan.repository_id, digest)  # by a policy that may be another one by now
            copies = sorted({*today, *promoted} - {subject.repository})
            await plan_actions(session, decision.id, plan(policy, decision, subject, withdraws=withdraws, copies=copies))
            await self._audit(session, decision)
        return decision

    async def _subject(self, session: AsyncSession, scan: ScanRow, digest: Digest) -> Subject:
        pointing = await load_tags_pointing_to(session, scan.repository_id, digest)
        tags = ({*pointing, scan.tag} if scan.tag else {*pointing}) - {_quarantine_mark(digest)}
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


def plan(policy: Policy | None, decision: DecisionRow, subject: Subject, *, withdraws: bool, copies: Sequence[str]) -> Iterator[_Plan]:
    """Spell the policy's actions out into (kind, parameters), one for each place in a registry, in the order to perform them.

    With `withdraws` an image that does not pass loses the signature that it may have from an earlier decision, first of all. What is attested and signed, or taken
    away, is so in the repositories `copies` too, those that it is or was promoted to: the copy there has signature and verdict of its own.
    """
    status = decision.verdict.status
    if withdraws and status is not VerdictStatus.PASS:
        yield "withdraw", {}
        yield from (("withdraw", {"repository": repository}) for repository in copies)
    actions = policy.actions.for_status(status) if policy is not None else ()
    for action in actions:
        named = policy.promotable(subject) if policy is not None and isinstance(action, MarkAction | PromoteAction) else subject
        yield from _plan_action(action, named, _given_tags(policy, subject))
    for action in actions:
        if isinstance(action, AttestAction | SignAction):
            for kind, parameters in _plan_action(action, subject, ()):
                yield from ((kind, {**parameters, "repository": repository}) for repository in copies)


def _plan_action(action: Action, subject: Subject, tags: Sequence[str]) -> Iterator[_Plan]:
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
            yield from _quarantine(action, subject, tags)
        case _:
            assert_never(action)


def _promoted_to(policy: Policy, subject: Subject) -> Iterator[str]:
    """The other repositories that hold a copy of the image if it ever passed."""
    promote = policy.actions.on_pass.promote
    if promote is None or promote.repository.could_make(subject.repository):
        return
    tags = subject.tags if promote.repository.needs_tag else (None,)
    for repository in sorted({promote.repository.render(subject, tag) for tag in tags} - {subject.repository}):
        with contextlib.suppress(InvalidReference):
            yield Reference(host=subject.host, repository=repository).repository


def _given_tags(policy: Policy | None, subject: Subject) -> tuple[str, ...]:
    """The image's tags but for those that our own actions set: a release does not bring those back."""
    if policy is None:
        return subject.tags
    outcomes = (policy.actions.on_pass, policy.actions.on_fail, policy.actions.on_incomplete)
    templates = [outcome.mark.tag for outcome in outcomes if outcome.mark]
    templates += [outcome.promote.tag for outcome in outcomes if outcome.promote and outcome.promote.repository == SAME_REPOSITORY]
    return tuple(tag for tag in subject.tags if not any(template.could_make(tag) for template in templates))


def _per_tag(kind: str, action: MarkAction | PromoteAction, subject: Subject) -> Iterator[_Plan]:
    """One action for each tag: it is done only if that tag still points to the digest when its turn comes."""
    for tag in subject.tags:
        yield from _places(kind, action, replace(subject, tags=(tag,)), {"from_tag": tag})
    if not subject.tags:
        yield from _places(kind, action, subject, {"from_tag": None})


def _quarantine(action: QuarantineAction, subject: Subject, tags: Sequence[str]) -> Iterator[_Plan]:
    copies = tuple(_places("quarantine", action, subject, {"tags": list(tags)}))
    yield from copies
    if action.remove and copies:
        yield "remove", {"tags": list(tags), "mark": _quarantine_mark(subject.digest)}


def _quarantine_mark(digest: Digest) -> str:
    """The tag of an image that should be gone, in a registry that deletes nothing."""
    return f"quarantined-{digest.hex[:12]}"


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
