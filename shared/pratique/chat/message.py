"""What a chat message says: image, package, fix, owner, link. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pratique.findings import Finding
from pratique.policy.verdict import Verdict, VerdictStatus

MAX_LISTED = 10  # findings listed one by one: Slack cuts a section at 3,000 characters
_MAX_SECTION = 2900
_MAX_TITLE = 150
_MAX_LINE = 300
_WIDE_MENTION = re.compile(r"@(?=(?:everyone|channel|here|all)\b)", re.IGNORECASE)
_CUT_ENTITY = re.compile(r"&[a-z]{0,3}\Z")

_OUTCOMES = {
    VerdictStatus.PASS: "cleared",
    VerdictStatus.FAIL: "not cleared",
    VerdictStatus.INCOMPLETE: "held: could not be judged completely",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """A message in the forms that receivers take: `title` and `body` as plain text, `payload` in Slack's Block Kit."""

    title: str
    body: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a message is about. `owner` is who to call, `link` the page that has it all, `actions` what was done (`quarantined to …`).

    `problems` are what could not be done and needs a person (`could not withdraw the signature: …`).
    """

    image: str
    owner: str
    link: str
    actions: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def compose_message(subject: Subject, verdict: Verdict, new: Sequence[Finding]) -> ChatMessage:
    """Compose the one message about a decision: the new findings first, then the verdict with its reasons, then what was done."""
    title = _title(subject, verdict, new)
    facts = [*(_finding_line(finding) for finding in new[:MAX_LISTED]), *_rest_line(new)]
    reasons = [_one_line(f"• {reason.message}"[:_MAX_LINE]) for reason in verdict.reasons[:5]]
    outcome = [f"Verdict: {verdict.status} ({_OUTCOMES[verdict.status]})", *reasons]
    done = [_one_line(f"Done: {', '.join(subject.actions)}")] if subject.actions else []
    done += [_one_line(f"Problem: {problem}"[:_MAX_LINE]) for problem in subject.problems[:MAX_LISTED]]
    footer = [f"Owner: {subject.owner or 'nobody is named'}", subject.link]
    body = "\n".join([*facts, *outcome, *done, *footer])
    sections = ["\n".join(part) for part in (facts, [*outcome, *done], footer) if part]
    blocks: list[Mapping[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": title}}]
    blocks += [{"type": "section", "text": {"type": "mrkdwn", "text": _escape(section)}} for section in sections]
    return ChatMessage(title=title, body=body, payload={"text": _escape(f"{title}\n{body}"), "blocks": blocks})


def _title(subject: Subject, verdict: Verdict, new: Sequence[Finding]) -> str:
    what = f"{len(new)} new critical{'s' if len(new) != 1 else ''} in" if new else f"{_OUTCOMES[verdict.status].capitalize()}:"
    return _one_line(f"{what} {subject.image}")[:_MAX_TITLE]


def _finding_line(finding: Finding) -> str:
    fix = f"fixed in {finding.fixed_in}" if finding.fixed_in else "no fix yet"
    return _one_line(f"• {finding.cve} in {finding.package or finding.path or 'the image'} ({fix}) {finding.title}"[:_MAX_LINE])


def _rest_line(new: Sequence[Finding]) -> list[str]:
    return [f"• and {len(new) - MAX_LISTED} more"] if len(new) > MAX_LISTED else []


def _one_line(text: str) -> str:
    """One line of printable text in which no name out of an image can call everybody: Discord and Mattermost read `@everyone` in plain text."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return _WIDE_MENTION.sub("@\u200b", " ".join(shown.split()))


def _escape(text: str) -> str:
    """Slack's three control characters: without this a package name could ping a whole channel (`<!channel>`). Cut to what a section takes."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CUT_ENTITY.sub("", escaped[:_MAX_SECTION])
