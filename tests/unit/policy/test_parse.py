"""The format of policy documents."""

import datetime as dt
from pathlib import Path

import pytest

from pratique.errors import InvalidPolicy
from pratique.findings import FindingKind, Severity
from pratique.policy.actions import AttestAction, PromoteAction, QuarantineAction, SignAction
from pratique.policy.glob import Glob
from pratique.policy.parse import parse_policy
from pratique.policy.policy import EndOfLife, Exploited, Policy, UnknownSeverity
from pratique.policy.template import Template

ROOT = Path(__file__).parents[3]
SHIPPED = ["deploy/policy.example.yaml", "services/pratique_services/demo/assets/policy.yaml"]
MINIMAL = "version: 1\npolicies:\n- name: p\n  rules: {fail_on: high}\n"


def parse_one(rest: str = "") -> Policy:
    return parse_policy((MINIMAL + rest).encode()).policies[0]


@pytest.mark.parametrize("path", SHIPPED)
def test_the_shipped_policies_are_valid_and_judge_every_image(path: str) -> None:
    last = parse_policy((ROOT / path).read_bytes()).policies[-1]
    assert last.match.covers("any.example", "any/repo", ())


def test_the_documentation_quotes_the_example_as_it_is() -> None:
    example = (ROOT / "deploy/policy.example.yaml").read_text()
    start = example.index("version: 1")
    assert example[start:].strip() in (ROOT / "docs/policy.md").read_text()


def test_what_is_not_said_has_the_strict_default() -> None:
    rules = parse_one().rules
    assert rules.fail_on is Severity.HIGH
    assert rules.unknown_severity is UnknownSeverity.INCOMPLETE
    assert rules.eol is EndOfLife.FAIL
    assert rules.exploited is Exploited.FAIL
    assert rules.fail_on_epss is None
    assert rules.max_feed_age == dt.timedelta(days=7)
    assert not rules.fixable_only
    assert not rules.tolerated_gaps
    assert not parse_one().actions.on_pass.in_order


def test_every_rule_is_read() -> None:
    text = """
version: 1
policies:
- name: p
  rules:
    fail_on: never
    fail_on_kind: {secret: low}
    fixable_only: true
    exploited: warn
    fail_on_epss: 0.25
    unknown_severity: fail
    deny: [CVE-1]
    coverage: complete
    tolerated_gaps: [rpm]
    max_feed_age: 12h
    eol: ignore
"""
    rules = parse_policy(text.encode()).policies[0].rules
    assert rules.fail_on is None
    assert rules.threshold(FindingKind.SECRET) is Severity.LOW
    assert rules.threshold(FindingKind.MALWARE) is None
    assert (rules.fixable_only, rules.unknown_severity, rules.deny) == (True, UnknownSeverity.FAIL, ("CVE-1",))
    assert (rules.exploited, rules.fail_on_epss) == (Exploited.WARN, 0.25)
    assert (rules.tolerated_gaps, rules.max_feed_age, rules.eol) == ((Glob("rpm"),), dt.timedelta(hours=12), EndOfLife.IGNORE)


def test_actions_come_in_the_order_in_which_they_are_performed() -> None:
    actions = parse_one("""  actions:
    pass: {promote: {tag: "{tag}-ok"}, sign: true, attest: {valid_for: 2w}}
    fail: {quarantine: {repository: "q/{repository}", remove: true}}
""").actions
    assert actions.on_pass.in_order == (
        AttestAction(valid_for=dt.timedelta(weeks=2)),
        SignAction(),
        PromoteAction(tag=Template("{tag}-ok")),
    )
    assert actions.on_fail.in_order == (QuarantineAction(repository=Template("q/{repository}"), remove=True),)
    assert actions.on_incomplete.in_order == ()


def test_the_documents_waivers_count_in_every_policy() -> None:
    policy = parse_one("waivers: [{id: CVE-1, owner: o, reason: r, expires: 2027-01-01}]")
    assert [waiver.id for waiver in policy.waivers] == ["CVE-1"]


@pytest.mark.parametrize("missing", ["id", "owner", "reason", "expires"])
def test_a_waiver_without_owner_reason_or_expiry_is_refused(missing: str) -> None:
    fields = {"id": "CVE-1", "owner": "o", "reason": "r", "expires": "2027-01-01"}
    del fields[missing]
    text = ", ".join(f"{key}: {value}" for key, value in fields.items())
    with pytest.raises(InvalidPolicy, match=rf"`{missing}` - at `\$\.policies\[0\]\.waivers\[0\]`"):
        parse_one(f"  waivers: [{{{text}}}]")


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("  ruls: {}", r"unknown field `ruls` - at `\$.policies\[0\]`"),
        ("  match: {tags: [1.0]}", r"Expected `str`.*tags\[0\]"),
        ("  match: {tags: v*}", r"Expected `array`"),
        ("  match: {repositories: ['a**']}", r"\*\* to stand alone.*policies\[0\].match"),
        ("  actions: {fail: {sign: true}}", r"only an image that passed.*policies\[0\].actions"),
        ("  actions: {incomplete: {promote: {tag: x}}}", "only an image that passed"),
        ("  actions: {pass: {quarantine: {repository: 'q/{repository}'}}}", "no quarantine"),
        ("  actions: {pass: {promote: {tag: '{tag}'}}}", "another name"),
        ("  actions: {pass: {promote: {tag: '{tga}'}}}", "fields"),
        ("  actions: {pass: {promote: {tag: 'a b'}}}", "valid name"),
        ("  actions: {pass: {promote: {tag: x, repository: 'UP/{repository}'}}}", "valid name"),
        ("  actions: {fail: {quarantine: {repository: '{repository}'}}}", "hold {repository} and more"),
        ("  actions: {fail: {quarantine: {repository: 'q'}}}", "hold {repository} and more"),
        ("  actions: {fail: {quarantine: {repository: '{repository}-q'}}}", "folder of its own"),
        ("  actions: {fail: {quarantine: {repository: '{registry}/{repository}'}}}", "folder of its own"),
        ("  actions: {pass: {promote: {tag: x, repository: '{registry}/{repository}'}}}", "folder of its own"),
        ("  waivers: [{id: 'CVE-*', owner: o, reason: r, expires: 2027-01-01}]", "one id"),
        ("  waivers: [{id: C, owner: ' ', reason: r, expires: 2027-01-01}]", "owner"),
        ("  waivers: [{id: C, owner: o, reason: r, expires: never}]", "expires"),
        ("  waivers: [{id: C, owner: o, reason: r, expires: 2027-01-01, digest: x}]", r"algorithm:hex.*waivers\[0\]"),
        ("- name: p\n  rules: {fail_on: low}", "'p' twice"),
    ],
)
def test_a_mistake_is_named_with_its_place(rest: str, message: str) -> None:
    with pytest.raises(InvalidPolicy, match=message):
        parse_one(rest)


@pytest.mark.parametrize("probability", ["0", "-0.1", "1.1", "50", ".nan", ".inf", "true", "high", "'0.5'"])
def test_a_probability_is_above_0_and_at_most_1(probability: str) -> None:
    with pytest.raises(InvalidPolicy, match="fail_on_epss"):
        parse_policy(f"version: 1\npolicies: [{{name: p, rules: {{fail_on: high, fail_on_epss: {probability}}}}}]".encode())


@pytest.mark.parametrize("rules", ["{}", "{fail_on: none}", "{fail_on: high, max_feed_age: 0d}", "{fail_on: high, coverage: partial}"])
def test_rules_must_be_ones_that_protect(rules: str) -> None:
    with pytest.raises(InvalidPolicy, match="rules"):
        parse_policy(f"version: 1\npolicies: [{{name: p, rules: {rules}}}]".encode())


def test_the_digest_names_the_content_and_not_the_layout() -> None:
    assert parse_one().digest == parse_one("  match: {}  # nothing\n").digest
    assert parse_one().digest != parse_one("  match: {tags: [x]}").digest
    assert parse_one("  actions: {pass: {sign: true}}").digest != parse_one("  actions: {pass: {attest: true}}").digest


def test_the_digest_does_not_depend_on_the_order_of_waivers() -> None:
    waivers = ["{id: A, owner: o, reason: r, expires: 2027-01-01}", "{id: B, owner: o, reason: r, expires: 2027-01-01}"]
    one = parse_one(f"  waivers: [{', '.join(waivers)}]")
    other = parse_one(f"  waivers: [{', '.join(reversed(waivers))}]")
    assert one.digest == other.digest != parse_one().digest
