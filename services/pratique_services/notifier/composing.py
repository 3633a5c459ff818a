"""From a decision to the messages that channels are due: what is new, once per repository, and what became of the image."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from urllib.parse import quote

from sqlalchemy.ext.asyncio import AsyncSession

from pratique.chat.message import ChatMessage, Subject, compose_message
from pratique.chat.news import News
from pratique.deciding.planning import quarantine_mark
from pratique.findings import Finding, Severity
from pratique.oci.digest import Digest
from pratique.policy.cause import parse_cause
from pratique.policy.evaluate import standing_findings
from pratique.policy.policy import PolicyDocument, select_policy
from pratique.policy.subject import Subject as JudgedImage
from pratique.policy.verdict import VerdictStatus
from pratique.runtime.settings import ChannelSettings, ChatEvent, Settings
from pratique.storage.decision_history import load_quarantining_decision, load_status_before
from pratique.storage.decisions import ActionRow, DecisionRow, load_actions
from pratique.storage.notifications import claim_new_findings, record_notification
from pratique.storage.suppressing import load_outcome
from pratique.storage.tags import load_tags_pointing_to
from pratique.vex.trust import NOBODY, VexTrust

_WORDS = {
    "attest": "attach the verdict",
    "sign": "sign the image",
    "withdraw": "withdraw the signature",
    "quarantine": "copy the image to quarantine",
    "remove": "remove the image",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Composer:
    """Records, in the caller's transaction, the notifications that a decision causes. `document` and `vex` are what images are judged by."""

    settings: Settings
    document: PolicyDocument
    vex: VexTrust = NOBODY

    async def record(self, session: AsyncSession, decision: DecisionRow) -> int:
        """Record one notification for each channel that wants this decision; answer how many. Repeating it records nothing more."""
        news = await self._news(session, decision)
        actions = await load_actions(session, decision.id)
        done = tuple(dict.fromkeys(action.detail for action in actions if _is_told(action)))  # a promoted copy's are the same
        problems = tuple(f"could not {_WORDS.get(action.kind, action.kind)}: {action.detail}" for action in actions if _is_problem(action))
        events = _events(decision, news, {action.kind for action in actions if action.outcome == "done"})
        if problems:
            events |= {"quarantined", "held"}  # an image that should be out of the way may not be: for those who hear of such
        if decision.verdict.status is VerdictStatus.PASS and await load_quarantining_decision(session, decision.scan_id) is not None:
            problems = (*problems, "the image stays in quarantine until it is released (`pratique release`)")
        message = compose_message(replace(self._subject(decision, done), problems=problems), decision.verdict, news)
        wanted = [channel for channel in self.settings.channels if _wants(channel, decision, events)]
        for channel in wanted:
            await self._record_for(session, decision, channel, message)
        return len(wanted)

    async def _record_for(self, session: AsyncSession, decision: DecisionRow, channel: ChannelSettings, message: ChatMessage) -> None:
        await record_notification(session, decision.id, channel.name, message.title, message.body, message.payload)

    async def _news(self, session: AsyncSession, decision: DecisionRow) -> News:
        """What this repository was never told of, one finding a CVE, fixable first; that a CVE is exploited is news of its own."""
        standing = await self._standing_findings(session, decision)
        by_cve = _one_a_key((finding.cve, finding) for finding in standing if finding.severity is Severity.CRITICAL)
        exploited = _one_a_key((f"exploited:{finding.cve}", finding) for finding in standing if finding.exploited_since is not None)
        claimed = await claim_new_findings(session, decision.id, f"{decision.host}/{decision.repository}", [*by_cve, *exploited])
        return News(
            criticals=[by_cve[key] for key in claimed if key in by_cve],
            exploited=[exploited[key] for key in claimed if key in exploited],
            before=await load_status_before(session, decision),
            cause=parse_cause(decision.cause),
        )

    async def _standing_findings(self, session: AsyncSession, decision: DecisionRow) -> list[Finding]:
        """The findings that may be told of and that neither VEX nor a waiver takes away, worst and fixable first."""
        digest = Digest.parse(decision.image_digest)
        tags = {*await load_tags_pointing_to(session, decision.repository_id, digest), *([decision.tag] if decision.tag else [])}
        subject = JudgedImage(
            host=decision.host, repository=decision.repository, tags=tuple(sorted(tags - {quarantine_mark(digest)})), digest=digest
        )
        outcome = await load_outcome(session, subject, self.vex)
        tellable = [finding for finding in outcome.findings if _is_tellable(finding)]
        policy = select_policy(self.document, host=subject.host, repository=subject.repository, tags=subject.tags)
        standing = standing_findings(policy, tellable, subject, dt.datetime.now(dt.UTC))
        return sorted(standing, key=lambda one: (-one.severity, not one.is_fixable, one.cve))

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


def _one_a_key(pairs: Iterable[tuple[str, Finding]]) -> Mapping[str, Finding]:
    """The first of each key, in their order."""
    found: dict[str, Finding] = {}
    for key, finding in pairs:
        found.setdefault(key, finding)
    return found


def _is_tellable(finding: Finding) -> bool:
    return finding.severity is Severity.CRITICAL or finding.exploited_since is not None


def _events(decision: DecisionRow, news: News, done: set[str]) -> set[ChatEvent]:
    status = decision.verdict.status
    is_held_still = (
        news.cause is not None and news.before is VerdictStatus.INCOMPLETE
    )  # said once, not after every update of the advisories
    happened: dict[ChatEvent, bool] = {
        "new_criticals": bool(news.criticals),
        "exploited": bool(news.exploited),
        "quarantined": "quarantine" in done,
        "promoted": "promote" in done,
        "held": status is VerdictStatus.INCOMPLETE and not is_held_still,
        "recovered": news.is_recovery(status),
    }
    return {event for event, has_happened in happened.items() if has_happened}


def _wants(channel: ChannelSettings, decision: DecisionRow, events: set[ChatEvent]) -> bool:
    name = f"{decision.host}/{decision.repository}"
    return not events.isdisjoint(channel.events) and any(fnmatchcase(name, pattern) for pattern in channel.repositories)
