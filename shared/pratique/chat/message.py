"""What a chat message says: image, package, fix, owner, link. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pratique.chat.news import News
from pratique.findings import Finding, Severity
from pratique.policy.cause import Cause, describe_change
from pratique.policy.verdict import Verdict, VerdictStatus

MAX_LISTED = 10  # findings listed one by one: Slack cuts a section at 3,000 characters
_MAX_CHANGES = 5  # told one by one: the page of the image has them all
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


def compose_message(subject: Subject, verdict: Verdict, news: News) -> ChatMessage:
    """Compose the one message about a decision: the new findings first, then what led to it, then the verdict with its reasons, then what was done."""
    title = _title(subject, verdict, news)
    reasons = [_one_line(f"• {reason.message}"[:_MAX_LINE]) for reason in verdict.reasons[:5]]
    outcome = [f"Verdict: {verdict.status} ({_OUTCOMES[verdict.status]})", *reasons]
    done = [_one_line(f"Done: {', '.join(subject.actions)}")] if subject.actions else []
    done += [_one_line(f"Problem: {problem}"[:_MAX_LINE]) for problem in subject.problems[:MAX_LISTED]]
    footer = [f"Owner: {subject.owner or 'nobody is named'}", subject.link]
    parts = [part for part in (_finding_lines(news), _cause_lines(news.cause), [*outcome, *done], footer) if part]
    body = "\n".join(line for part in parts for line in part)
    blocks: list[Mapping[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": title}}]
    blocks += [{"type": "section", "text": {"type": "mrkdwn", "text": _escape("\n".join(part))}} for part in parts]
    return ChatMessage(title=title, body=body, payload={"text": _escape(f"{title}\n{body}"), "blocks": blocks})


def _title(subject: Subject, verdict: Verdict, news: News) -> str:
    criticals, exploited = len(news.criticals), len(news.exploited)
    counted = ((criticals, f"new critical{'s' if criticals != 1 else ''}"), (exploited, "known to be exploited"))
    what = ", ".join(f"{count} {words}" for count, words in counted if count)
    why = " after newer advisories" if news.cause else ""
    headline = f"{what}{why} in" if what else f"{_outcome(verdict, news)}{why}:"
    return _one_line(f"{headline} {subject.image}")[:_MAX_TITLE]


def _outcome(verdict: Verdict, news: News) -> str:
    if news.is_recovery(verdict.status):
        return "Cleared again"
    if news.is_relapse(verdict.status) and verdict.status is VerdictStatus.FAIL:
        return "Not cleared any more"
    return _OUTCOMES[verdict.status].capitalize()


def _finding_lines(news: News) -> list[str]:
    """The new findings, one line a CVE: what is exploited first, then criticals."""
    new = list({finding.cve: finding for finding in (*news.exploited, *news.criticals)}.values())
    rest = [f"• and {len(new) - MAX_LISTED} more"] if len(new) > MAX_LISTED else []
    return [*map(_finding_line, new[:MAX_LISTED]), *rest]


def _finding_line(finding: Finding) -> str:
    severity = "" if finding.severity is Severity.CRITICAL else f"{finding.severity}, "
    since = f"known to be exploited since {finding.exploited_since}, " if finding.exploited_since else ""
    fix = f"fixed in {finding.fixed_in}" if finding.fixed_in else "no fix yet"
    where = finding.package or finding.path or "the image"
    return _one_line(f"• {finding.cve} in {where} ({severity}{since}{fix}) {finding.title}"[:_MAX_LINE])


def _cause_lines(cause: Cause | None) -> list[str]:
    if cause is None:
        return []
    changes = [_one_line(f"• {describe_change(change)}"[:_MAX_LINE]) for change in cause.changes[:_MAX_CHANGES]]
    rest = len(cause.changes) - len(changes) + cause.more
    return ["Newer advisories led to this; the image is as it was:", *changes, *([f"• and {rest} more"] if rest > 0 else [])]


def _one_line(text: str) -> str:
    """One line of printable text in which no name out of an image can call everybody: Discord and Mattermost read `@everyone` in plain text."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return _WIDE_MENTION.sub("@\u200b", " ".join(shown.split()))


def _escape(text: str) -> str:
    """Slack's three control characters: without this a package name could ping a whole channel (`<!channel>`). Cut to what a section takes."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CUT_ENTITY.sub("", escaped[:_MAX_SECTION])
