"""Sentences of the web pages: what a verdict, a scan and a moment mean to a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pratique.inventory.eol import EolState
from pratique.policy.cause import describe_change, parse_cause
from pratique.policy.verdict import Verdict, VerdictStatus
from pratique.reports.durations import duration
from pratique.storage.queries import StatusView
from pratique.storage.scans import ScanRow
from pratique.storage.text import utc_now

STALE_FEED_DAYS = 7  # feeds of distributions change every day or two; policy decides what to do about it


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to "May this ship?": `word` is the verdict or what stands in its place, and names the colour."""

    word: str
    headline: str
    explanation: str


def answer(status: StatusView, *, artifact: str | None = None) -> Answer:
    """Answer by the verdict that stands, or say why there is none; `artifact` is what this is instead of an image."""
    if status.decision is not None:
        return _by_verdict(status.decision.verdict)
    scan = status.scan
    if artifact:
        return Answer(
            word="none",
            headline="There is nothing to decide.",
            explanation=f"This is no image, but: {artifact}.",
        )
    if scan is not None and scan.state == "failed":
        return Answer(
            word="failed", headline="There is no answer: the scan failed.", explanation=scan.last_error or "No reason was recorded."
        )
    return Answer(
        word="pending", headline="It is not decided yet.", explanation=f"Scan: {scan_line(scan)}." if scan else "No scan is known."
    )


def _by_verdict(verdict: Verdict) -> Answer:
    waived = f" {verdict.waived} findings are waived." if verdict.waived else ""
    match verdict.status:
        case VerdictStatus.PASS:
            return Answer(word="pass", headline="Yes.", explanation=f"Policy {verdict.policy} is satisfied.{waived}")
        case VerdictStatus.FAIL:
            return Answer(word="fail", headline="No, because", explanation=f"Judged by policy {verdict.policy}.{waived}")
        case VerdictStatus.INCOMPLETE:
            explanation = f"What could not be read or matched is never called clean. Judged by policy {verdict.policy}.{waived}"
            return Answer(word="incomplete", headline="Not as it stands, because", explanation=explanation)


def scan_line(scan: ScanRow) -> str:
    """Say in one line how a scan is: its state, its attempt, how long it waits, and its last error."""
    now = utc_now()
    match scan.state:
        case "queued":
            tried = f", after {_attempts(scan)}" if scan.attempt else ""
            line = f"queued as {scan.priority}, waiting for {duration((now - scan.queued_at).total_seconds())}{tried}"
        case "running":
            since = f" for {duration((now - scan.started_at).total_seconds())}" if scan.started_at else ""
            line = f"running{since}, attempt {scan.attempt}"
        case "failed":
            line = f"failed after {_attempts(scan)}"
        case _:
            line = f"done{_took(scan)}, attempt {scan.attempt}"
    return f"{line}; last error: {scan.last_error}" if scan.last_error else line


def newer_scan_line(status: StatusView) -> str:
    """Say what a scan that is newer than the verdict means for it; nothing when the verdict is the newest scan's."""
    scan, decision = status.scan, status.decision
    if scan is None or decision is None or decision.scan_id == scan.scan_id:
        return ""
    match scan.state:
        case "failed":
            return f"The newest scan {scan_line(scan)}. The verdict of {moment(decision.created_at)} stands."
        case "scanned":
            return "A newer scan is done and about to be judged. Until then this verdict stands."
        case _:
            return f"A newer scan is {scan_line(scan)}. Until it is judged this verdict stands."


def cause_lines(stored: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Say what newer advisories changed, one line a change; nothing where the verdict is on a scan."""
    cause = parse_cause(stored)
    if cause is None:
        return ()
    more = (f"and {cause.more} more",) if cause.more > 0 else ()
    return (*map(describe_change, cause.changes), *more)


def moment(time: dt.datetime) -> str:
    """Write a time to the minute, in UTC."""
    return f"{time.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def ago(time: dt.datetime) -> str:
    """Say how long ago."""
    return f"{duration((utc_now() - time).total_seconds())} ago"


def parse_moment(text: str) -> dt.datetime | None:
    """Read a feed's RFC 3339 time; None for what is none."""
    try:
        parsed = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)


def support_line(state: EolState | None) -> str:
    """Say how long a distribution's release is supported; nothing where that is unknown."""
    if state is None or not (state.eol or state.is_over):
        return ""
    if state.is_over:
        return f"not supported since {state.eol}" if state.eol else "not supported any more"
    return f"supported until {state.eol}"


def _attempts(scan: ScanRow) -> str:
    return "1 attempt" if scan.attempt == 1 else f"{scan.attempt} attempts"


def _took(scan: ScanRow) -> str:
    if scan.started_at is None or scan.finished_at is None:
        return ""
    return f" in {max(0.0, (scan.finished_at - scan.started_at).total_seconds()):.1f} s"
