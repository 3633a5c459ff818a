"""What a chat message says: image, package, fix, owner, link. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pratique.findings import Finding
from pratique.policy.verdict import Verdict, VerdictStatus

MAX_LISTED = 10  # findings listed one by one: Slack cuts a section at 3,000 characters
_MAX_SECTION = 2900
_MAX_TITLE = 150

_OUTCOMES = {
    VerdictStatus.PASS: "cleared",
    VerdictStatus.FAIL: "not cleared",
    VerdictStatus.INCOMPLETE: "held: could not be judged completely",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """A message in the forms that receivers take: `title` and `body` in Markdown, `payload` in Slack's Block Kit."""

    title: str
    body: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a message is about. `owner` is who to call, `link` the page that has it all, `actions` what was done (`quarantined to …`)."""

    image: str
    owner: str
    link: str
    actions: tuple[str, ...] = ()


def compose_message(subject: Subject, verdict: Verdict, new: Sequence[Finding]) -> ChatMessage:
    """Compose the one message about a decision: the new findings first, then the verdict with its reasons, then what was done."""
    title = _title(subject, verdict, new)
    facts = [*(_finding_line(finding) for finding in new[:MAX_LISTED]), *_rest_line(new)]
    outcome = [f"Verdict: *{verdict.status}* ({_OUTCOMES[verdict.status]})", *(f"• {reason.message}" for reason in verdict.reasons[:5])]
    done = [f"Done: {', '.join(subject.actions)}"] if subject.actions else []
    footer = [f"Owner: {subject.owner or 'nobody is named'}", subject.link]
    body = "\n".join([*facts, *outcome, *done, *footer])
    sections = ["\n".join(part) for part in (facts, [*outcome, *done], footer) if part]
    blocks: list[Mapping[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": title}}]
    blocks += [{"type": "section", "text": {"type": "mrkdwn", "text": _escape(section)[:_MAX_SECTION]}} for section in sections]
    return ChatMessage(title=title, body=body, payload={"text": _escape(f"{title}\n{body}")[:_MAX_SECTION], "blocks": blocks})


def _title(subject: Subject, verdict: Verdict, new: Sequence[Finding]) -> str:
    what = f"{len(new)} new critical{'s' if len(new) != 1 else ''} in" if new else f"{_OUTCOMES[verdict.status].capitalize()}:"
    return _one_line(f"{what} {subject.image}")[:_MAX_TITLE]


def _finding_line(finding: Finding) -> str:
    fix = f"fixed in {finding.fixed_in}" if finding.fixed_in else "no fix yet"
    return _one_line(f"• {finding.cve} in {finding.package or finding.path or 'the image'} ({fix}) {finding.title}"[:300].rstrip())


def _rest_line(new: Sequence[Finding]) -> list[str]:
    return [f"• and {len(new) - MAX_LISTED} more"] if len(new) > MAX_LISTED else []


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _escape(text: str) -> str:
    """Slack's three control characters: without this a package name could ping a whole channel (`<!channel>`)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
