"""Which decisions a change of a match may overturn, and what of it is news: so that not every image that holds the package has to be judged again. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pratique.findings import Finding, Severity
from pratique.policy.effect import effect_of
from pratique.policy.policy import PolicyDocument
from pratique.policy.verdict import VerdictStatus
from pratique.storage.match_changes import ChangeKind, MatchChange

NEWS_OF_CRITICALS = frozenset({ChangeKind.APPEARED, ChangeKind.REOPENED, ChangeKind.WORSENED})
"""What makes a critical new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relevance:
    """`statuses`: images with these verdicts may get another one. `is_news`: people may want to hear of it, whatever the verdict is."""

    statuses: frozenset[VerdictStatus]
    is_news: bool


def relevance_of(document: PolicyDocument, change: MatchChange) -> Relevance:
    """Tell what a change can do under any of the policies. Waivers and VEX may make it less, never more."""
    statuses: set[VerdictStatus] = set()
    for policy in document.policies:
        before = VerdictStatus.PASS if change.before is None else effect_of(policy.rules, change.before)
        after = VerdictStatus.PASS if change.after is None else effect_of(policy.rules, change.after)
        statuses |= overturned(before, after)
    return Relevance(statuses=frozenset(statuses), is_news=is_news(change.kinds, change.after))


def overturned(before: VerdictStatus, after: VerdictStatus) -> frozenset[VerdictStatus]:
    """The verdicts that may change when what one finding does to them changes: the worst effect is the verdict."""
    if before is after:
        return frozenset()
    better_than_after = {status for status in VerdictStatus if status.rank > after.rank}
    return frozenset({*better_than_after, *({before} if before is not VerdictStatus.PASS else ())})


def is_news(kinds: Iterable[ChangeKind], after: Finding | None) -> bool:
    """Tell whether people may want to hear of a change: a new critical, or one more finding that is known to be exploited."""
    if after is None:
        return False
    is_new_critical = after.severity is Severity.CRITICAL and not NEWS_OF_CRITICALS.isdisjoint(kinds)
    return is_new_critical or ChangeKind.EXPLOITED in kinds or (after.exploited_since is not None and ChangeKind.APPEARED in kinds)
