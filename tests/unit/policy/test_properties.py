"""What holds for every policy and every image."""

import dataclasses
import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.findings import Finding, FindingKind, Severity
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus, FeedState
from pratique.oci.digest import Digest
from pratique.policy.effect import FINDING_RULES, effect_of
from pratique.policy.evaluate import evaluate
from pratique.policy.glob import Glob
from pratique.policy.policy import EndOfLife, Exploited, Policy, Rules, Scope, UnknownSeverity, Waiver
from pratique.policy.subject import Subject
from pratique.policy.verdict import Verdict, VerdictStatus

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
SUBJECT = Subject(host="reg.example", repository="team/app", tags=("v1",), digest=Digest.of(b"x"))
RANK = {VerdictStatus.FAIL: 0, VerdictStatus.INCOMPLETE: 1, VerdictStatus.PASS: 2}
WHOLE = Coverage(
    items=(CoverageItem(name="dpkg", version="1", status=CoverageStatus.COMPLETE),),
    feeds=(FeedState(name="Debian", updated="2026-11-22T00:00:00Z"),),
)

ids = st.sampled_from(["CVE-1", "CVE-2", "CVE-3", "GHSA-1", "DSA-1"])
names = st.sampled_from(["dpkg", "rpm", "npm"])
findings = st.builds(
    Finding,
    kind=st.sampled_from(FindingKind),
    id=ids,
    severity=st.sampled_from(Severity),
    aliases=st.lists(ids, max_size=3).map(tuple),
    package=st.sampled_from(["pkg:deb/debian/openssl@1", "pkg:npm/a@1", None]),
    fixed_in=st.sampled_from(["2", None]),
    exploited_since=st.sampled_from([None, None, "2026-11-20"]),
    epss=st.sampled_from([None, 0.0, 0.49, 0.5, 1.0]),
)
many_findings = st.lists(findings, max_size=8)
waivers = st.builds(
    Waiver,
    id=ids,
    owner=st.just("o"),
    reason=st.just("r"),
    expires=st.dates(dt.date(2026, 11, 20), dt.date(2026, 11, 26)),
    package=st.sampled_from([None, Glob("openssl"), Glob("pkg:npm/**")]),
    digest=st.sampled_from([None, SUBJECT.digest, Digest.of(b"other")]),
)
thresholds = st.sampled_from([None, *Severity])
rules = st.builds(
    Rules,
    fail_on=thresholds,
    fail_on_kind=st.dictionaries(st.sampled_from(FindingKind), thresholds, max_size=2),
    fixable_only=st.booleans(),
    exploited=st.sampled_from(Exploited),
    fail_on_epss=st.sampled_from([None, None, 0.1, 0.5, 1.0]),
    unknown_severity=st.sampled_from(UnknownSeverity),
    deny=st.lists(ids, max_size=1).map(tuple),
    tolerated_gaps=st.lists(names.map(Glob), max_size=2).map(tuple),
    max_feed_age=st.sampled_from([None, dt.timedelta(days=7)]),
    eol=st.sampled_from(EndOfLife),
)
policies = st.builds(Policy, name=st.just("p"), match=st.just(Scope()), rules=rules, waivers=st.lists(waivers, max_size=4).map(tuple))
items = st.builds(CoverageItem, name=names, version=st.just("1"), status=st.sampled_from(CoverageStatus), reason=st.just("because"))
feeds = st.builds(FeedState, name=names, updated=st.sampled_from(["2026-11-22T00:00:00Z", "2026-01-01T00:00:00Z", "", "?"]))
coverages = st.builds(Coverage, items=st.lists(items, max_size=4).map(tuple), feeds=st.lists(feeds, max_size=2).map(tuple))


def judge(policy: Policy, found: list[Finding], coverage: Coverage) -> Verdict:
    return evaluate(policy, found, coverage, SUBJECT, NOW)


@settings(deadline=None)  # the machine may be busy
@given(policies, many_findings, coverages)
def test_coverage_short_of_what_is_required_never_passes(policy: Policy, found: list[Finding], coverage: Coverage) -> None:
    tolerated = {glob.pattern for glob in policy.rules.tolerated_gaps}
    is_short = coverage.status is CoverageStatus.FAILED or any(gap.name not in tolerated for gap in coverage.gaps)
    if is_short:
        assert judge(policy, found, coverage).status is not VerdictStatus.PASS


@settings(deadline=None)  # the machine may be busy
@given(policies, many_findings, coverages, many_findings)
def test_more_findings_never_make_a_better_verdict(policy: Policy, found: list[Finding], coverage: Coverage, more: list[Finding]) -> None:
    assert RANK[judge(policy, found + more, coverage).status] <= RANK[judge(policy, found, coverage).status]


@settings(deadline=None)  # the machine may be busy
@given(policies, many_findings, coverages, waivers)
def test_one_more_waiver_never_makes_a_worse_verdict(policy: Policy, found: list[Finding], coverage: Coverage, more: Waiver) -> None:
    assert RANK[judge(policy.with_waivers([more]), found, coverage).status] >= RANK[judge(policy, found, coverage).status]


@settings(deadline=None)  # the machine may be busy
@given(policies, many_findings, coverages)
def test_an_expired_waiver_is_no_waiver(policy: Policy, found: list[Finding], coverage: Coverage) -> None:
    without = dataclasses.replace(policy, waivers=tuple(item for item in policy.waivers if item.is_active(NOW)))
    one, other = judge(policy, found, coverage), judge(without, found, coverage)
    assert (one.status, one.waived) == (other.status, other.waived)


@settings(deadline=None)  # the machine may be busy
@given(policies, many_findings, coverages, st.randoms(use_true_random=False))
def test_the_order_of_what_is_judged_does_not_matter(
    policy: Policy, found: list[Finding], coverage: Coverage, random: st.DataObject
) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    turned = Coverage(items=coverage.items[::-1], feeds=coverage.feeds[::-1])
    reordered = dataclasses.replace(policy, waivers=policy.waivers[::-1])
    assert judge(policy, found, coverage) == judge(reordered, shuffled, turned)


@settings(deadline=None)  # the machine may be busy
@given(policies, many_findings, coverages)
def test_whatever_does_not_pass_says_why(policy: Policy, found: list[Finding], coverage: Coverage) -> None:
    verdict = judge(policy, found, coverage)
    assert verdict.status is VerdictStatus.PASS or verdict.reasons
    assert all(len(item.message) < 2500 and item.message.isprintable() for item in verdict.reasons)


@settings(deadline=None, max_examples=400)  # the machine may be busy
@given(rules, many_findings)
def test_many_findings_do_what_the_worst_of_them_does_alone(given_rules: Rules, found: list[Finding]) -> None:
    verdict = judge(Policy(name="p", match=Scope(), rules=given_rules), found, WHOLE)
    alone = [effect_of(given_rules, finding) for finding in found]
    assert verdict.status is min(alone, key=RANK.__getitem__, default=VerdictStatus.PASS)


@settings(deadline=None)  # the machine may be busy
@given(rules, findings)
def test_every_rule_about_findings_is_a_key_of_the_document_and_can_be_a_reason(given_rules: Rules, finding: Finding) -> None:
    verdict = judge(Policy(name="p", match=Scope(), rules=given_rules), [finding], WHOLE)
    keys = {field.name for field in dataclasses.fields(Rules)}
    assert {item.rule for item in verdict.reasons} <= {rule.name for rule in FINDING_RULES} <= keys
