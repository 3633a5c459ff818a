"""From a decision to the messages that channels are due: new criticals once per repository, and what became of the image."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from urllib.parse import quote

from sqlalchemy.ext.asyncio import AsyncSession

from pratique.chat.message import ChatMessage, Subject, compose_message
from pratique.findings import Finding, Severity
from pratique.oci.digest import Digest
from pratique.policy.evaluate import standing_findings
from pratique.policy.policy import PolicyDocument, select_policy
from pratique.policy.subject import Subject as JudgedImage
from pratique.policy.verdict import VerdictStatus
from pratique.runtime.settings import ChannelSettings, ChatEvent, Settings
from pratique.storage.decisions import ActionRow, DecisionRow, load_actions
from pratique.storage.findings import load_findings
from pratique.storage.notifications import claim_new_findings, record_notification
from pratique.storage.tags import load_tags_pointing_to

_WORDS = {
    "attest": "attach the verdict",
    "sign": "sign the image",
    "withdraw": "withdraw the signature",
    "quarantine": "copy the image to quarantine",
    "remove": "remove the image",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Composer:
    """Records, in the caller's transaction, the notifications that a decision causes."""

    settings: Settings
    document: PolicyDocument

    async def record(self, session: AsyncSession, decision: DecisionRow) -> int:
        """Record one notification for each channel that wants this decision; answer how many. Repeating it records nothing more."""
        new = await self._new_criticals(session, decision)
        actions = await load_actions(session, decision.id)
        done = tuple(action.detail for action in actions if _is_told(action))
        problems = tuple(f"could not {_WORDS.get(action.kind, action.kind)}: {action.detail}" for action in actions if _is_problem(action))
        events = _events(decision, new, {action.kind for action in actions if action.outcome == "done"})
        if problems:
            events |= {"quarantined", "held"}  # an image that should be out of the way may not be: for those who hear of such
        message = compose_message(replace(self._subject(decision, done), problems=problems), decision.verdict, new)
        wanted = [channel for channel in self.settings.channels if _wants(channel, decision, events)]
        for channel in wanted:
            await self._record_for(session, decision, channel, message)
        return len(wanted)

    async def _record_for(self, session: AsyncSession, decision: DecisionRow, channel: ChannelSettings, message: ChatMessage) -> None:
        await record_notification(session, decision.id, channel.name, message.title, message.body, message.payload)

    async def _new_criticals(self, session: AsyncSession, decision: DecisionRow) -> list[Finding]:
        """The criticals that no waiver covers and that this repository was never told of, worst and fixable first, one a CVE."""
        findings = [finding for finding in await load_findings(session, decision.image_digest) if finding.severity is Severity.CRITICAL]
        tags = await load_tags_pointing_to(session, decision.repository_id, decision.image_digest)
        judged = {*tags, decision.tag} if decision.tag else {*tags}
        subject = JudgedImage(
            host=decision.host, repository=decision.repository, tags=tuple(sorted(judged)), digest=Digest.parse(decision.image_digest)
        )
        policy = select_policy(self.document, host=subject.host, repository=subject.repository, tags=subject.tags)
        standing = standing_findings(policy, findings, subject, dt.datetime.now(dt.UTC))
        by_cve: dict[str, Finding] = {}
        for finding in sorted(standing, key=lambda one: (not one.is_fixable, one.cve)):
            by_cve.setdefault(finding.cve, finding)
        claimed = await claim_new_findings(session, decision.id, f"{decision.host}/{decision.repository}", by_cve)
        return [by_cve[cve] for cve in claimed]

    def _subject(self, decision: DecisionRow, done: tuple[str, ...]) -> Subject:
        name = f"{decision.host}/{decision.repository}"
        tag = f":{decision.tag}" if decision.tag else ""
        owner = next((owner.owner for owner in self.settings.owners if fnmatchcase(name, owner.repositories)), "")
        link = f"{self.settings.public_url.rstrip('/')}/images/{quote(name)}@{decision.image_digest}"
        return Subject(image=f"{name}{tag}@{decision.image_digest[:19]}", owner=owner, link=link, actions=done)


def _is_told(action: ActionRow) -> bool:
    """Tell whether people want to hear of an action: of what moved, and of a signature that was there and is not any more."""
    if action.kind == "withdraw" and not action.detail.endswith("withdrawn"):
        return False
    return action.outcome == "done" and action.kind not in {"attest", "sign"}


def _is_problem(action: ActionRow) -> bool:
    """Tell whether a person has to act: what was refused is not tried again, nor what has no possible name."""
    return action.outcome == "refused" or (action.outcome == "skipped" and "impossible" in action.parameters)


def _events(decision: DecisionRow, new: Sequence[Finding], done: set[str]) -> set[ChatEvent]:
    events: set[ChatEvent] = set()
    if new:
        events.add("new_criticals")
    if "quarantine" in done:
        events.add("quarantined")
    if "promote" in done:
        events.add("promoted")
    if decision.verdict.status is VerdictStatus.INCOMPLETE:
        events.add("held")
    return events


def _wants(channel: ChannelSettings, decision: DecisionRow, events: set[ChatEvent]) -> bool:
    name = f"{decision.host}/{decision.repository}"
    return not events.isdisjoint(channel.events) and any(fnmatchcase(name, pattern) for pattern in channel.repositories)
