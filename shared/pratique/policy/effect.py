"""What one finding does to a verdict: the rules about findings, each alone. Pure.

`evaluate` judges an image by the same rules, so the effect of many findings is the worst of their own ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pratique.findings import Finding, FindingKind, Severity
from pratique.policy.policy import EndOfLife, Exploited, Rules, UnknownSeverity
from pratique.policy.verdict import VerdictStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRule:
    """One rule about findings. `name` is its key in a policy document.

    `effect` is what each finding that the rule `concerns` does to a verdict: PASS is a note, which speaks and decides nothing; None means that the
    rule is off. `wording` ends a sentence that begins with the number of findings.
    """

    name: str
    effect: Callable[[Rules], VerdictStatus | None]
    concerns: Callable[[Rules, Finding], bool]
    wording: Callable[[Rules], str]


def effect_of(rules: Rules, finding: Finding) -> VerdictStatus:
    """What one finding that no waiver covers does to a verdict by itself; PASS if no rule concerns it, or only as a note."""
    effects = [rule.effect(rules) for rule in FINDING_RULES if rule.concerns(rules, finding)]
    return min((effect for effect in effects if effect is not None), key=lambda status: status.rank, default=VerdictStatus.PASS)


def names_of(finding: Finding) -> tuple[str, ...]:
    """Every name of a finding, its id first, each once."""
    return tuple(dict.fromkeys((finding.id, *finding.aliases)))


def _is_denied(rules: Rules, finding: Finding) -> bool:
    return bool(rules.deny) and not frozenset(names_of(finding)).isdisjoint(rules.deny)


def _is_exploited(_rules: Rules, finding: Finding) -> bool:
    return finding.exploited_since is not None


def _is_awaited(rules: Rules, finding: Finding) -> bool:
    """Tell whether the rules wait for a fix. Only a vulnerability can: nobody publishes one for a leaked key."""
    return rules.fixable_only and not finding.is_fixable and finding.kind is FindingKind.VULNERABILITY


def _is_rated(rules: Rules, finding: Finding) -> bool:
    """Tell whether a finding is judged by its severity at all."""
    return finding.kind is not FindingKind.EOL and rules.threshold(finding.kind) is not None and not _is_awaited(rules, finding)


def _is_over(rules: Rules, finding: Finding) -> bool:
    threshold = rules.threshold(finding.kind)
    is_known = finding.severity is not Severity.UNKNOWN
    return threshold is not None and is_known and finding.severity >= threshold and _is_rated(rules, finding)


def _is_unrated(rules: Rules, finding: Finding) -> bool:
    return finding.severity is Severity.UNKNOWN and _is_rated(rules, finding)


def _is_probable(rules: Rules, finding: Finding) -> bool:
    threshold, probability = rules.fail_on_epss, finding.epss
    return threshold is not None and probability is not None and probability >= threshold and not _is_awaited(rules, finding)


def _is_ended(_rules: Rules, finding: Finding) -> bool:
    return finding.kind is FindingKind.EOL


def _threshold_text(rules: Rules) -> str:
    kinds = "".join(f", {kind} from {threshold}" for kind, threshold in rules.fail_on_kind.items() if threshold is not None)
    return f"at or above {rules.fail_on}{kinds}" if rules.fail_on is not None else f"at or above the threshold{kinds}"


_UNKNOWN = {
    UnknownSeverity.FAIL: VerdictStatus.FAIL,
    UnknownSeverity.INCOMPLETE: VerdictStatus.INCOMPLETE,
    UnknownSeverity.IGNORE: VerdictStatus.PASS,
}
_EXPLOITED = {Exploited.FAIL: VerdictStatus.FAIL, Exploited.WARN: VerdictStatus.PASS, Exploited.IGNORE: None}
_EOL = {EndOfLife.FAIL: VerdictStatus.FAIL, EndOfLife.WARN: VerdictStatus.PASS, EndOfLife.IGNORE: None}


FINDING_RULES = (
    FindingRule(
        name="deny",
        effect=lambda _: VerdictStatus.FAIL,
        concerns=_is_denied,
        wording=lambda _: "denied outright",
    ),
    FindingRule(
        name="exploited",
        effect=lambda rules: _EXPLOITED[rules.exploited],
        concerns=_is_exploited,
        wording=lambda _: "known to be exploited",
    ),
    FindingRule(
        name="fail_on",
        effect=lambda _: VerdictStatus.FAIL,
        concerns=_is_over,
        wording=_threshold_text,
    ),
    FindingRule(
        name="fail_on_epss",
        effect=lambda _: VerdictStatus.FAIL,
        concerns=_is_probable,
        wording=lambda rules: f"with a probability of exploitation (EPSS) of {rules.fail_on_epss:g} or more",
    ),
    FindingRule(
        name="unknown_severity",
        effect=lambda rules: _UNKNOWN[rules.unknown_severity],
        concerns=_is_unrated,
        wording=lambda _: "of unknown severity",
    ),
    FindingRule(
        name="eol",
        effect=lambda rules: _EOL[rules.eol],
        concerns=_is_ended,
        wording=lambda _: "about the end of life of the distribution",
    ),
)
"""In the order in which reasons of the same effect are told."""
