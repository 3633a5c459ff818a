"""Verdicts."""

import dataclasses
import datetime as dt

import pytest

from pratique.findings import Finding, FindingKind, Severity
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus, FeedState
from pratique.oci.digest import Digest
from pratique.policy.evaluate import evaluate
from pratique.policy.glob import Glob
from pratique.policy.policy import EndOfLife, Exploited, Policy, Rules, Scope, UnknownSeverity, Waiver, default_policy
from pratique.policy.subject import Subject
from pratique.policy.verdict import Reason, Verdict, VerdictStatus

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
SUBJECT = Subject(host="reg.example", repository="team/app", tags=("v1",), digest=Digest.of(b"x"))
READ = CoverageItem(name="dpkg", version="1", status=CoverageStatus.COMPLETE)
GAP = CoverageItem(name="rpm", version="1", status=CoverageStatus.FAILED, reason="database is damaged")
FRESH = FeedState(name="Debian", updated="2026-11-22T00:00:00.123456789Z")
COMPLETE = Coverage(items=(READ,), feeds=(FRESH,))
PARTIAL = Coverage(items=(READ, GAP), feeds=(FRESH,))
HIGH = Rules(fail_on=Severity.HIGH)


def finding(
    id: str = "CVE-2026-1",  # noqa: A002
    severity: Severity = Severity.CRITICAL,
    kind: FindingKind = FindingKind.VULNERABILITY,
    *,
    aliases: tuple[str, ...] = (),
    fixed_in: str | None = "2.0",
    package: str | None = "pkg:deb/debian/openssl@1.0?arch=amd64",
    path: str | None = None,
    exploited_since: str | None = None,
    epss: float | None = None,
) -> Finding:
    return Finding(
        kind=kind,
        id=id,
        severity=severity,
        aliases=aliases,
        fixed_in=fixed_in,
        package=package,
        path=path,
        exploited_since=exploited_since,
        epss=epss,
    )


def waiver(id: str = "CVE-2026-1", expires: dt.date = dt.date(2026, 12, 31), **more: object) -> Waiver:  # noqa: A002
    return Waiver(id=id, owner="team-a", reason="checked", expires=expires, **more)  # type: ignore[arg-type]


def judge(
    rules: Rules, *findings: Finding, coverage: Coverage = COMPLETE, waivers: tuple[Waiver, ...] = (), now: dt.datetime = NOW
) -> Verdict:
    return evaluate(Policy(name="p", match=Scope(), rules=rules, waivers=waivers), findings, coverage, SUBJECT, now)


def reason(verdict: Verdict, rule: str) -> Reason:
    return next(item for item in verdict.reasons if item.rule == rule)


def test_an_image_without_findings_that_was_read_completely_passes() -> None:
    verdict = judge(HIGH)
    assert (verdict.status, verdict.reasons, verdict.policy) == (VerdictStatus.PASS, (), "p")
    assert verdict.policy_digest.startswith("sha256:")


def test_a_finding_at_the_threshold_fails_and_one_below_does_not() -> None:
    assert judge(HIGH, finding(severity=Severity.HIGH)).status is VerdictStatus.FAIL
    assert judge(HIGH, finding(severity=Severity.MEDIUM)).status is VerdictStatus.PASS


def test_the_reason_names_rule_counts_and_the_worst_with_package_and_fix() -> None:
    findings = [finding(f"CVE-2026-{number}", Severity.HIGH, fixed_in=None) for number in range(2, 6)]
    verdict = judge(HIGH, *findings, finding(aliases=("GHSA-x",)))
    found = reason(verdict, "fail_on")
    assert found.count == 5
    assert found.message.startswith(
        "5 findings at or above high (1 critical, 4 high): CVE-2026-1 critical in pkg:deb/debian/openssl@1.0, fixed in 2.0; CVE-2026-2 high"
    )
    assert found.message.endswith("and 2 more")


def test_control_characters_of_an_image_do_not_reach_a_reason() -> None:
    found = judge(HIGH, finding(package=None, path="a\x1b[2J\u202eb\n", id="CVE\r\n-1")).reasons[0]
    assert found.message.isprintable()


def test_only_vulnerabilities_wait_for_a_fix() -> None:
    rules = Rules(fail_on=Severity.HIGH, fixable_only=True)
    assert judge(rules, finding(fixed_in=None)).status is VerdictStatus.PASS
    assert judge(rules, finding()).status is VerdictStatus.FAIL
    assert judge(rules, finding(kind=FindingKind.SECRET, fixed_in=None)).status is VerdictStatus.FAIL


def test_a_kind_can_have_its_own_threshold_or_none() -> None:
    rules = Rules(fail_on=Severity.HIGH, fail_on_kind={FindingKind.SECRET: Severity.LOW, FindingKind.MISCONFIGURATION: None})
    assert judge(rules, finding(kind=FindingKind.SECRET, severity=Severity.LOW)).status is VerdictStatus.FAIL
    assert judge(rules, finding(kind=FindingKind.MISCONFIGURATION)).status is VerdictStatus.PASS


def test_a_denied_id_fails_whatever_its_severity_or_alias() -> None:
    rules = Rules(fail_on=None, deny=("CVE-2026-9",), fixable_only=True)
    assert judge(rules, finding("GHSA-1", Severity.UNKNOWN, aliases=("CVE-2026-9",), fixed_in=None)).status is VerdictStatus.FAIL


@pytest.mark.parametrize(
    ("choice", "status", "count"),
    [(Exploited.FAIL, VerdictStatus.FAIL, 1), (Exploited.WARN, VerdictStatus.PASS, 1), (Exploited.IGNORE, VerdictStatus.PASS, 0)],
)
def test_known_exploitation_does_what_the_policy_says(choice: Exploited, status: VerdictStatus, count: int) -> None:
    verdict = judge(Rules(fail_on=Severity.HIGH, exploited=choice), finding(severity=Severity.LOW, exploited_since="2026-11-20"))
    assert (verdict.status, len(verdict.reasons)) == (status, count)


def test_known_exploitation_fails_whatever_the_severity_and_the_fix() -> None:
    rules = Rules(fail_on=None, fixable_only=True)
    known = finding(severity=Severity.UNKNOWN, fixed_in=None, exploited_since="2026-11-20")
    verdict = judge(rules, known)
    assert verdict.status is VerdictStatus.FAIL
    assert reason(verdict, "exploited").message == (
        "1 finding known to be exploited (1 unknown): CVE-2026-1 in pkg:deb/debian/openssl@1.0, exploited since 2026-11-20"
    )
    assert judge(rules, known, waivers=(waiver(),)).status is VerdictStatus.PASS


def test_of_equal_severity_what_is_exploited_is_named_first() -> None:
    findings = [finding(f"CVE-2026-{number}") for number in range(1, 9)]
    message = reason(judge(HIGH, *findings, finding("CVE-2026-9", exploited_since="2026-11-20")), "fail_on").message
    assert message.startswith("9 findings at or above high (9 critical): CVE-2026-9 critical")


def test_a_probable_exploitation_fails_from_the_threshold_on_and_waits_for_a_fix_as_severities_do() -> None:
    rules = Rules(fail_on=None, fail_on_epss=0.5)
    verdict = judge(rules, finding(severity=Severity.LOW, epss=0.5), finding("CVE-2026-2", epss=0.49), finding("CVE-2026-3"))
    assert verdict.status is VerdictStatus.FAIL
    assert reason(verdict, "fail_on_epss").message.startswith(
        "1 finding with a probability of exploitation (EPSS) of 0.5 or more (1 low): CVE-2026-1"
    )
    assert judge(dataclasses.replace(rules, fixable_only=True), finding(epss=0.9, fixed_in=None)).status is VerdictStatus.PASS
    assert judge(HIGH, finding(severity=Severity.LOW, epss=1.0)).status is VerdictStatus.PASS


@pytest.mark.parametrize(
    ("choice", "status"),
    [
        (UnknownSeverity.FAIL, VerdictStatus.FAIL),
        (UnknownSeverity.INCOMPLETE, VerdictStatus.INCOMPLETE),
        (UnknownSeverity.IGNORE, VerdictStatus.PASS),
    ],
)
def test_an_unknown_severity_does_what_the_policy_says_and_is_always_named(choice: UnknownSeverity, status: VerdictStatus) -> None:
    verdict = judge(Rules(fail_on=Severity.NEGLIGIBLE, unknown_severity=choice), finding(severity=Severity.UNKNOWN))
    assert verdict.status is status
    assert reason(verdict, "unknown_severity").count == 1


@pytest.mark.parametrize(
    ("choice", "status", "count"),
    [(EndOfLife.FAIL, VerdictStatus.FAIL, 1), (EndOfLife.WARN, VerdictStatus.PASS, 1), (EndOfLife.IGNORE, VerdictStatus.PASS, 0)],
)
def test_end_of_life_does_what_the_policy_says(choice: EndOfLife, status: VerdictStatus, count: int) -> None:
    verdict = judge(Rules(fail_on=Severity.LOW, eol=choice), finding("eol-debian-10", Severity.HIGH, FindingKind.EOL, package=None))
    assert (verdict.status, len(verdict.reasons)) == (status, count)


def test_a_gap_makes_a_verdict_incomplete_and_is_named() -> None:
    verdict = judge(HIGH, coverage=PARTIAL)
    assert verdict.status is VerdictStatus.INCOMPLETE
    assert reason(verdict, "coverage").message == "not everything could be read: rpm failed: database is damaged"


def test_a_violation_in_half_an_image_fails_and_names_the_gap_second() -> None:
    verdict = judge(HIGH, finding(), coverage=PARTIAL)
    assert verdict.status is VerdictStatus.FAIL
    assert [item.rule for item in verdict.reasons] == ["fail_on", "coverage"]


def test_a_tolerated_gap_passes_and_is_named() -> None:
    verdict = judge(Rules(fail_on=Severity.HIGH, tolerated_gaps=(Glob("rpm"),)), coverage=PARTIAL)
    assert verdict.status is VerdictStatus.PASS
    assert reason(verdict, "tolerated_gaps").count == 1


@pytest.mark.parametrize("items", [(), (GAP,)])
def test_nothing_read_at_all_is_incomplete_even_if_every_gap_is_tolerated(items: tuple[CoverageItem, ...]) -> None:
    rules = Rules(fail_on=Severity.HIGH, tolerated_gaps=(Glob("*"),))
    assert judge(rules, coverage=Coverage(items=items, feeds=(FRESH,))).status is VerdictStatus.INCOMPLETE


@pytest.mark.parametrize("updated", ["2026-11-01T00:00:00Z", "2099-01-01T00:00:00Z", "", "yesterday", "2026-11-22T00:00:00"])
def test_a_feed_that_is_not_known_to_be_fresh_is_too_old(updated: str) -> None:
    coverage = Coverage(items=(READ,), feeds=(FRESH, FeedState(name="Alpine", updated=updated)))
    verdict = judge(HIGH, coverage=coverage)
    assert verdict.status is VerdictStatus.INCOMPLETE
    assert "Alpine" in reason(verdict, "max_feed_age").message
    assert judge(Rules(fail_on=Severity.HIGH, max_feed_age=None), coverage=coverage).status is VerdictStatus.PASS


def test_no_feed_at_all_is_incomplete() -> None:
    assert judge(HIGH, coverage=Coverage(items=(READ,))).status is VerdictStatus.INCOMPLETE


def test_no_policy_is_incomplete() -> None:
    verdict = evaluate(None, [], COMPLETE, SUBJECT, NOW)
    assert verdict.status is VerdictStatus.INCOMPLETE
    assert verdict.reasons[0].message == "no policy matches reg.example/team/app (v1)"


def test_a_waiver_takes_its_finding_out_and_is_named() -> None:
    verdict = judge(HIGH, finding(), waivers=(waiver(),))
    assert (verdict.status, verdict.waived) == (VerdictStatus.PASS, 1)
    assert reason(verdict, "waivers").message == "1 findings waived: CVE-2026-1 by team-a until 2026-12-31"


def test_a_waiver_counts_to_the_end_of_its_day_and_then_is_named_as_expired() -> None:
    waivers = (waiver(expires=dt.date(2026, 11, 23)),)
    assert judge(HIGH, finding(), waivers=waivers, now=NOW.replace(hour=23, minute=59)).status is VerdictStatus.PASS
    verdict = judge(HIGH, finding(), waivers=waivers, now=NOW + dt.timedelta(days=1))
    assert verdict.status is VerdictStatus.FAIL
    assert "expired waivers do not count: CVE-2026-1 by team-a" in reason(verdict, "waivers").message


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"package": Glob("openssl")}, True),
        ({"package": Glob("pkg:deb/debian/openssl@*")}, True),
        ({"package": Glob("pkg:deb/debian/openssl")}, True),
        ({"package": Glob("open")}, False),
        ({"scope": Scope(repositories=(Glob("team/*"),), tags=(Glob("v*"),))}, True),
        ({"scope": Scope(tags=(Glob("x*"),))}, False),
        ({"digest": Digest.of(b"x")}, True),
        ({"digest": Digest.of(b"y")}, False),
        ({"path": Glob("etc/*")}, False),
    ],
)
def test_a_waiver_accepts_only_what_is_in_its_scope(more: dict[str, object], expected: bool) -> None:
    assert (judge(HIGH, finding(), waivers=(waiver(**more),)).status is VerdictStatus.PASS) is expected


def test_one_matching_tag_does_not_bring_an_image_into_a_waivers_scope() -> None:
    scoped = waiver(scope=Scope(tags=(Glob("legacy-*"),)))

    def covers(*tags: str) -> bool:
        return scoped.covers_image(dataclasses.replace(SUBJECT, tags=tags))

    assert covers("legacy-1", "legacy-2")
    assert not covers("legacy-1", "v1")
    assert not covers()


def test_a_bare_name_does_not_waive_another_scopes_package() -> None:
    scoped = finding(package="pkg:npm/%40angular/core@1.0")
    assert judge(HIGH, scoped, waivers=(waiver(package=Glob("core")),)).status is VerdictStatus.FAIL
    assert judge(HIGH, scoped, waivers=(waiver(package=Glob("@angular/core")),)).status is VerdictStatus.PASS


def test_waiving_one_cve_of_an_advisory_does_not_waive_its_others() -> None:
    advisory = finding("DSA-1", aliases=("CVE-1", "CVE-2"))
    assert judge(HIGH, advisory, waivers=(waiver("CVE-1"),)).status is VerdictStatus.FAIL
    assert judge(HIGH, advisory, waivers=(waiver("CVE-1"), waiver("CVE-2"))).status is VerdictStatus.PASS
    assert judge(HIGH, advisory, waivers=(waiver("DSA-1"),)).status is VerdictStatus.PASS
    assert judge(HIGH, finding("GHSA-1", aliases=("CVE-1",)), waivers=(waiver("CVE-1"),)).status is VerdictStatus.PASS


def test_the_command_lines_policy_asks_about_its_severity_and_about_coverage() -> None:
    policy = default_policy(Severity.CRITICAL)
    old = Coverage(items=(READ,))
    assert evaluate(policy, [finding(severity=Severity.HIGH)], old, SUBJECT, NOW).status is VerdictStatus.PASS
    assert evaluate(policy, [finding()], old, SUBJECT, NOW).status is VerdictStatus.FAIL
    assert evaluate(policy, [], PARTIAL, SUBJECT, NOW).status is VerdictStatus.INCOMPLETE
    assert evaluate(default_policy(None), [finding()], old, SUBJECT, NOW).status is VerdictStatus.PASS
    exploited = evaluate(policy, [finding(severity=Severity.HIGH, exploited_since="2026-11-20")], old, SUBJECT, NOW)
    assert (exploited.status, reason(exploited, "exploited").count) == (VerdictStatus.PASS, 1)


def test_a_time_without_a_zone_is_a_bug() -> None:
    with pytest.raises(ValueError, match="zone"):
        judge(HIGH, now=NOW.replace(tzinfo=None))
