"""A chat message says what is new, whose it is and what to do, and calls nobody whom an image would have it call."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.chat.message import MAX_LISTED, ChatMessage, Subject, compose_message
from pratique.chat.news import NO_NEWS, News
from pratique.findings import Finding, FindingKind, Severity
from pratique.policy.cause import AdvisoryChange, Cause, parse_cause
from pratique.policy.verdict import Reason, Verdict, VerdictStatus

SUBJECT = Subject(
    image="registry.example/team/app:v1",
    owner="Team Blue",
    link="https://pratique.example/images/1?a=b&c=d",
    actions=("quarantined to registry.example/quarantine/app",),
)


def _verdict(status: VerdictStatus = VerdictStatus.FAIL, message: str = "2 critical findings") -> Verdict:
    return Verdict(status=status, reasons=(Reason(rule="r", message=message, count=2),), policy="default", policy_digest="sha256:00")


def _finding(identifier: str = "CVE-2023-1", **more: str) -> Finding:
    values = {"package": "pkg:deb/debian/openssl@1.1", "fixed_in": "1.2", "title": "Buffer overflow"} | more
    return Finding(kind=FindingKind.VULNERABILITY, id=identifier, severity=Severity.CRITICAL, **values)  # type: ignore[arg-type]


def _new(*criticals: Finding) -> News:
    return News(criticals=criticals)


def _sections(message: ChatMessage) -> list[str]:
    return [block["text"]["text"] for block in message.payload["blocks"] if block["type"] == "section"]


def test_a_message_names_image_package_fix_owner_action_and_link() -> None:
    message = compose_message(SUBJECT, _verdict(), _new(_finding()))
    assert message.title == "1 new critical in registry.example/team/app:v1"
    for word in (
        "CVE-2023-1",
        "openssl",
        "fixed in 1.2",
        "not cleared",
        "2 critical findings",
        "quarantined to",
        "Team Blue",
        SUBJECT.link,
    ):
        assert word in message.body
    assert "Team Blue" in json.dumps(message.payload)


def test_without_news_the_title_says_the_outcome() -> None:
    assert compose_message(SUBJECT, _verdict(VerdictStatus.PASS), NO_NEWS).title == "Cleared: registry.example/team/app:v1"


def test_without_an_owner_or_a_fix_that_is_said() -> None:
    subject = Subject(image="a", owner="", link="https://x.example")
    message = compose_message(subject, _verdict(), _new(_finding(fixed_in=None)))  # type: ignore[arg-type]
    assert "nobody is named" in message.body
    assert "no fix yet" in message.body


def _high(identifier: str = "CVE-2023-2") -> Finding:
    return dataclasses.replace(_finding(identifier), severity=Severity.HIGH, exploited_since="2026-11-20")


def test_what_is_known_to_be_exploited_is_told_first_with_its_severity_and_since_when() -> None:
    message = compose_message(SUBJECT, _verdict(), News(criticals=[_finding()], exploited=[_high()]))
    assert message.title == "1 new critical, 1 known to be exploited in registry.example/team/app:v1"
    assert _sections(message)[0].splitlines() == [
        "• CVE-2023-2 in pkg:deb/debian/openssl@1.1 (high, known to be exploited since 2026-11-20, fixed in 1.2) Buffer overflow",
        "• CVE-2023-1 in pkg:deb/debian/openssl@1.1 (fixed in 1.2) Buffer overflow",
    ]


def test_a_critical_that_is_exploited_is_one_line() -> None:
    both = dataclasses.replace(_finding(), exploited_since="2026-11-20")
    message = compose_message(SUBJECT, _verdict(), News(criticals=[both], exploited=[both]))
    assert message.title.startswith("1 new critical, 1 known to be exploited in ")
    assert message.body.count("CVE-2023-1") == 1


def test_a_decision_after_newer_advisories_says_so_and_why() -> None:
    kinds = ["appeared", "worsened", "exploited", "retracted", "resolved", "eased"]
    changes = [
        {"kind": kind, "id": "CVE-2023-1", "package": "pkg:deb/debian/openssl@1.1?arch=amd64", "severity": "critical"} for kind in kinds
    ]
    cause = parse_cause({"kind": "advisories", "position": 7, "database": "sha256:00", "changes": changes, "more": 3})
    message = compose_message(SUBJECT, _verdict(), News(criticals=[_finding()], cause=cause))
    assert message.title == "1 new critical after newer advisories in registry.example/team/app:v1"
    assert _sections(message)[1].splitlines() == [
        "Newer advisories led to this; the image is as it was:",
        "• CVE-2023-1 in pkg:deb/debian/openssl@1.1 appeared (critical)",
        "• CVE-2023-1 in pkg:deb/debian/openssl@1.1 is now rated worse (critical)",
        "• CVE-2023-1 in pkg:deb/debian/openssl@1.1 became known to be exploited (critical)",
        "• CVE-2023-1 in pkg:deb/debian/openssl@1.1 was retracted by its publisher",
        "• CVE-2023-1 in pkg:deb/debian/openssl@1.1 was resolved: it does not affect this version any more",
        "• and 4 more",
    ]
    assert "was retracted" in message.payload["text"]


@pytest.mark.parametrize(
    ("before", "after", "title"),
    [
        (VerdictStatus.FAIL, VerdictStatus.PASS, "Cleared again after newer advisories: "),
        (VerdictStatus.INCOMPLETE, VerdictStatus.PASS, "Cleared again after newer advisories: "),
        (VerdictStatus.PASS, VerdictStatus.FAIL, "Not cleared any more after newer advisories: "),
        (VerdictStatus.PASS, VerdictStatus.INCOMPLETE, "Held: could not be judged completely after newer advisories: "),
        (VerdictStatus.FAIL, VerdictStatus.FAIL, "Not cleared after newer advisories: "),
        (None, VerdictStatus.PASS, "Cleared after newer advisories: "),
    ],
)
def test_the_title_says_what_became_of_the_verdict(before: VerdictStatus | None, after: VerdictStatus, title: str) -> None:
    assert compose_message(SUBJECT, _verdict(after), News(before=before, cause=Cause())).title == f"{title}{SUBJECT.image}"


def test_slacks_control_characters_are_escaped() -> None:
    message = compose_message(SUBJECT, _verdict(message="<!here>"), _new(_finding(title="<!channel> & <https://evil.example|click>")))
    for text in (*_sections(message), message.payload["text"]):
        assert "<" not in text
        assert ">" not in text
    assert "&lt;!channel&gt; &amp; &lt;https" in _sections(message)[0]
    assert "a=b&amp;c=d" in _sections(message)[-1]


@pytest.mark.parametrize("mention", ["@everyone", "@here", "@channel", "@all", "@Everyone"])
def test_no_name_in_an_image_calls_everybody(mention: str) -> None:
    cause = Cause(changes=[AdvisoryChange(kind=mention, id=mention, package=mention, severity=mention)])
    message = compose_message(SUBJECT, _verdict(message=mention), News(cause=cause))
    assert mention not in json.dumps(message.payload, ensure_ascii=False)
    message = compose_message(SUBJECT, _verdict(message=mention), _new(_finding(package=f"pkg:npm/{mention}/x@1", title=mention)))
    assert mention not in message.body
    assert mention not in json.dumps(message.payload, ensure_ascii=False)


def test_a_scope_of_npm_stays_as_it_is() -> None:
    assert "@angular/core" in compose_message(SUBJECT, _verdict(), _new(_finding(package="@angular/core"))).body


def test_a_title_with_line_breaks_makes_no_lines_of_its_own() -> None:
    message = compose_message(SUBJECT, _verdict(message="a\nOwner: me"), _new(_finding(title="x\n\nVerdict: pass\u202e\x1b[2J")))
    assert [line for line in message.body.splitlines() if line.startswith(("Verdict:", "Owner:"))] == [
        "Verdict: fail (not cleared)",
        "Owner: Team Blue",
    ]
    assert "\x1b" not in message.body


def test_a_thousand_findings_are_ten_lines_and_a_number() -> None:
    message = compose_message(SUBJECT, _verdict(), _new(*[_finding(f"CVE-2023-{number}") for number in range(1000)]))
    assert message.body.count("CVE-2023-") == MAX_LISTED
    assert f"and {1000 - MAX_LISTED} more" in message.body


@given(st.text(alphabet=st.sampled_from("&<>ab\n @"), max_size=4000))
def test_no_part_is_longer_than_slack_takes_and_no_entity_is_cut(text: str) -> None:
    subject = Subject(image=text, owner=text, link="https://x.example", actions=(text,))
    cause = Cause(changes=[AdvisoryChange(kind="appeared", id=text, package=text, severity=text)] * 20)
    message = compose_message(
        subject, _verdict(message=text), News(cause=cause, criticals=[_finding(f"CVE-2023-{number}", title=text) for number in range(10)])
    )
    assert len(message.title) <= 150
    for part in (*_sections(message), message.payload["text"]):
        assert len(part) <= 3000
        assert part.rpartition("&")[2].find(";") >= 0 or "&" not in part
