"""What one finding does to a verdict by itself."""

import pytest

from pratique.findings import Finding, FindingKind, Severity
from pratique.policy.effect import effect_of, names_of
from pratique.policy.policy import EndOfLife, Exploited, Rules, UnknownSeverity
from pratique.policy.verdict import VerdictStatus

HIGH = Rules(fail_on=Severity.HIGH)
CRITICAL = Finding(kind=FindingKind.VULNERABILITY, id="GHSA-1", severity=Severity.CRITICAL, aliases=("CVE-1",))
UNRATED = Finding(kind=FindingKind.VULNERABILITY, id="CVE-2", severity=Severity.UNKNOWN)
EXPLOITED = Finding(kind=FindingKind.VULNERABILITY, id="CVE-3", severity=Severity.LOW, exploited_since="2026-11-20", epss=0.9)
ENDED = Finding(kind=FindingKind.EOL, id="EOL-debian-10", severity=Severity.CRITICAL)


@pytest.mark.parametrize(
    ("rules", "finding", "expected"),
    [
        (HIGH, CRITICAL, VerdictStatus.FAIL),
        (Rules(fail_on=None), CRITICAL, VerdictStatus.PASS),
        (Rules(fail_on=None, deny=("CVE-1",)), CRITICAL, VerdictStatus.FAIL),
        (Rules(fail_on=Severity.HIGH, fixable_only=True), CRITICAL, VerdictStatus.PASS),
        (HIGH, UNRATED, VerdictStatus.INCOMPLETE),
        (Rules(fail_on=Severity.HIGH, unknown_severity=UnknownSeverity.IGNORE), UNRATED, VerdictStatus.PASS),
        (HIGH, EXPLOITED, VerdictStatus.FAIL),
        (Rules(fail_on=Severity.HIGH, exploited=Exploited.WARN), EXPLOITED, VerdictStatus.PASS),
        (Rules(fail_on=Severity.HIGH, exploited=Exploited.IGNORE, fail_on_epss=0.9), EXPLOITED, VerdictStatus.FAIL),
        (HIGH, ENDED, VerdictStatus.FAIL),
        (Rules(fail_on=Severity.LOW, eol=EndOfLife.WARN), ENDED, VerdictStatus.PASS),
    ],
)
def test_a_finding_does_what_the_worst_rule_about_it_says(rules: Rules, finding: Finding, expected: VerdictStatus) -> None:
    assert effect_of(rules, finding) is expected


def test_a_finding_is_known_by_each_of_its_names_once() -> None:
    assert names_of(Finding(kind=FindingKind.SECRET, id="a", severity=Severity.LOW, aliases=("b", "a", "b"))) == ("a", "b")
