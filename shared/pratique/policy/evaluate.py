"""Evaluate a policy: findings and coverage in, verdict out. Pure.

1. Take out the findings that an active waiver accepts.
2. Judge what is left. Every rule adds reasons, each with an effect of its own:
   what surely violates fails, what is not known well enough is incomplete, the rest is a note.
3. The worst effect is the verdict: a violation found in half an image is still one, so `fail` beats `incomplete`, and `incomplete` beats `pass`.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pratique.findings import Finding
from pratique.inventory.coverage import Coverage, CoverageStatus
from pratique.policy import describe
from pratique.policy.effect import FINDING_RULES, names_of
from pratique.policy.policy import Policy, Rules, Waiver
from pratique.policy.subject import Subject
from pratique.policy.verdict import Reason, Verdict, VerdictStatus

_CLOCK_SKEW = dt.timedelta(days=1)  # a feed's time further in the future is wrong, and would stay fresh for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class _Effect:
    """A reason and what it does to the verdict. A note has the effect `pass`: it speaks, and decides nothing."""

    status: VerdictStatus
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sorted:
    """Findings by what the waivers make of them, and the waivers that are at work or would be, had they not expired."""

    standing: tuple[Finding, ...]
    waived: tuple[Finding, ...]
    active: tuple[Waiver, ...]
    expired: tuple[Waiver, ...]


def evaluate(policy: Policy | None, findings: Iterable[Finding], coverage: Coverage, subject: Subject, now: dt.datetime) -> Verdict:
    """Judge one image at the time `now` (with a zone).

    `policy` is None when no policy matches the image: that is `incomplete`. The order of findings does not matter. Reasons are sorted: what decides
    first. A reason's `rule` is the key of the policy document that it comes from.
    """
    if now.tzinfo is None:
        raise ValueError("expected a time with a zone")
    if policy is None:
        return _unmatched(subject)
    sorted_out = _apply_waivers(policy.waivers, tuple(findings), subject, now)
    effects = [
        *_judge_findings(policy.rules, sorted_out.standing),
        *_judge_coverage(policy.rules, coverage),
        *_judge_feeds(policy.rules, coverage, now),
        *_note_waivers(sorted_out),
    ]
    effects.sort(key=lambda effect: effect.status.rank)
    return Verdict(
        status=effects[0].status if effects else VerdictStatus.PASS,
        reasons=tuple(effect.reason for effect in effects),
        policy=policy.name,
        policy_digest=policy.digest,
        waived=len(sorted_out.waived),
    )


def standing_findings(policy: Policy | None, findings: Iterable[Finding], subject: Subject, now: dt.datetime) -> tuple[Finding, ...]:
    """The findings that no active waiver covers: what people are told of. Without a policy there are no waivers."""
    if policy is None:
        return tuple(findings)
    return _apply_waivers(policy.waivers, tuple(findings), subject, now).standing


def _unmatched(subject: Subject) -> Verdict:
    tags = ", ".join(sorted(subject.tags)) or "no tag"
    message = f"no policy matches {subject.host}/{subject.repository} ({tags})"
    return Verdict(
        status=VerdictStatus.INCOMPLETE,
        reasons=(Reason(rule="match", message=describe.clean(message)),),
        policy="",
        policy_digest="",
    )


def _apply_waivers(waivers: Sequence[Waiver], findings: tuple[Finding, ...], subject: Subject, now: dt.datetime) -> _Sorted:
    by_id: dict[str, list[Waiver]] = defaultdict(list)
    for waiver in waivers:
        if waiver.covers_image(subject):
            by_id[waiver.id].append(waiver)
    if not by_id:  # most images have none, and many findings
        return _Sorted(standing=findings, waived=(), active=(), expired=())
    standing: list[Finding] = []
    waived: list[Finding] = []
    at_work: dict[Waiver, bool] = {}
    for finding in findings:
        applicable = [waiver for name in names_of(finding) for waiver in by_id.get(name, ()) if waiver.covers_place(finding)]
        at_work.update({waiver: waiver.is_active(now) for waiver in applicable})
        accepted = frozenset(waiver.id for waiver in applicable if at_work[waiver])
        (waived if _is_accepted(finding, accepted) else standing).append(finding)
    return _Sorted(
        standing=tuple(standing),
        waived=tuple(waived),
        active=tuple(waiver for waiver, is_active in at_work.items() if is_active),
        expired=tuple(waiver for waiver, is_active in at_work.items() if not is_active),
    )


def _is_accepted(finding: Finding, accepted: frozenset[str]) -> bool:
    """An advisory may stand for several CVEs: accepting one of them does not accept the others."""
    if finding.id in accepted:
        return True
    cves = frozenset(name for name in names_of(finding) if name.startswith("CVE-"))
    if len(cves) > 1:
        return cves <= accepted
    return not accepted.isdisjoint(finding.aliases)


def _judge_findings(rules: Rules, findings: tuple[Finding, ...]) -> Iterator[_Effect]:
    for rule in FINDING_RULES:
        status = rule.effect(rules)
        concerned = [finding for finding in findings if rule.concerns(rules, finding)]
        if concerned and status is not None:
            message = describe.findings(concerned, rule.wording(rules))
            yield _Effect(status=status, reason=Reason(rule=rule.name, message=message, count=len(concerned)))


def _judge_coverage(rules: Rules, coverage: Coverage) -> Iterator[_Effect]:
    if coverage.status is CoverageStatus.FAILED:
        message = describe.gaps(coverage.gaps, "nothing of the image could be read")
        yield _incomplete("coverage", message, len(coverage.gaps))
        return
    tolerated = tuple(gap for gap in coverage.gaps if any(glob.matches(gap.name) for glob in rules.tolerated_gaps))
    short = tuple(gap for gap in coverage.gaps if gap not in tolerated)
    if short:
        yield _incomplete("coverage", describe.gaps(short, "not everything could be read"), len(short))
    if tolerated:
        message = describe.gaps(tolerated, "tolerated gaps")
        yield _Effect(status=VerdictStatus.PASS, reason=Reason(rule="tolerated_gaps", message=message, count=len(tolerated)))


def _judge_feeds(rules: Rules, coverage: Coverage, now: dt.datetime) -> Iterator[_Effect]:
    if rules.max_feed_age is None:
        return
    if not coverage.feeds:
        yield _incomplete("max_feed_age", "no advisory feed was asked, or its age is not known")
        return
    late = [feed for feed in coverage.feeds if not _is_fresh(feed.updated, rules.max_feed_age, now)]
    if late:
        texts = sorted(f"{feed.name} of {feed.updated or 'no known time'}" for feed in late)
        names = describe.listed(texts, len(texts))
        yield _incomplete(
            "max_feed_age",
            f"advisory feeds that are not known to be of the last {describe.duration(rules.max_feed_age)}: {names}",
            len(late),
        )


def _is_fresh(updated: str, max_age: dt.timedelta, now: dt.datetime) -> bool:
    try:
        time = dt.datetime.fromisoformat(updated)
    except ValueError:
        return False
    return time.tzinfo is not None and now - max_age <= time <= now + _CLOCK_SKEW


def _incomplete(rule: str, message: str, count: int = 0) -> _Effect:
    return _Effect(status=VerdictStatus.INCOMPLETE, reason=Reason(rule=rule, message=message, count=count))


def _note_waivers(sorted_out: _Sorted) -> Iterator[_Effect]:
    notes = (
        (sorted_out.expired, "expired waivers do not count", len(sorted_out.expired)),
        (sorted_out.active, f"{len(sorted_out.waived)} findings waived", len(sorted_out.waived)),
    )
    for waivers, what, count in notes:
        if waivers and count:
            reason = Reason(rule="waivers", message=f"{what}: {describe.waivers(waivers)}", count=count)
            yield _Effect(status=VerdictStatus.PASS, reason=reason)
