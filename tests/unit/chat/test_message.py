"""A chat message says what is new, whose it is and what to do, and calls nobody whom an image would have it call."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.chat.message import MAX_LISTED, ChatMessage, Subject, compose_message
from pratique.findings import Finding, FindingKind, Severity
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


def _sections(message: ChatMessage) -> list[str]:
    return [block["text"]["text"] for block in message.payload["blocks"] if block["type"] == "section"]


def test_a_message_names_image_package_fix_owner_action_and_link() -> None:
    message = compose_message(SUBJECT, _verdict(), [_finding()])
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
    assert compose_message(SUBJECT, _verdict(VerdictStatus.PASS), []).title == "Cleared: registry.example/team/app:v1"


def test_without_an_owner_or_a_fix_that_is_said() -> None:
    subject = Subject(image="a", owner="", link="https://x.example")
    message = compose_message(subject, _verdict(), [_finding(fixed_in=None)])  # type: ignore[arg-type]
    assert "nobody is named" in message.body
    assert "no fix yet" in message.body


def test_slacks_control_characters_are_escaped() -> None:
    message = compose_message(SUBJECT, _verdict(message="<!here>"), [_finding(title="<!channel> & <https://evil.example|click>")])
    for text in (*_sections(message), message.payload["text"]):
        assert "<" not in text
        assert ">" not in text
    assert "&lt;!channel&gt; &amp; &lt;https" in _sections(message)[0]
    assert "a=b&amp;c=d" in _sections(message)[-1]


@pytest.mark.parametrize("mention", ["@everyone", "@here", "@channel", "@all", "@Everyone"])
def test_no_name_in_an_image_calls_everybody(mention: str) -> None:
    message = compose_message(SUBJECT, _verdict(message=mention), [_finding(package=f"pkg:npm/{mention}/x@1", title=mention)])
    assert mention not in message.body
    assert mention not in json.dumps(message.payload, ensure_ascii=False)


def test_a_scope_of_npm_stays_as_it_is() -> None:
    assert "@angular/core" in compose_message(SUBJECT, _verdict(), [_finding(package="@angular/core")]).body


def test_a_title_with_line_breaks_makes_no_lines_of_its_own() -> None:
    message = compose_message(SUBJECT, _verdict(message="a\nOwner: me"), [_finding(title="x\n\nVerdict: pass\u202e\x1b[2J")])
    assert [line for line in message.body.splitlines() if line.startswith(("Verdict:", "Owner:"))] == [
        "Verdict: fail (not cleared)",
        "Owner: Team Blue",
    ]
    assert "\x1b" not in message.body


def test_a_thousand_findings_are_ten_lines_and_a_number() -> None:
    message = compose_message(SUBJECT, _verdict(), [_finding(f"CVE-2023-{number}") for number in range(1000)])
    assert message.body.count("CVE-2023-") == MAX_LISTED
    assert f"and {1000 - MAX_LISTED} more" in message.body


@given(st.text(alphabet=st.sampled_from("&<>ab\n @"), max_size=4000))
def test_no_part_is_longer_than_slack_takes_and_no_entity_is_cut(text: str) -> None:
    subject = Subject(image=text, owner=text, link="https://x.example", actions=(text,))
    message = compose_message(subject, _verdict(message=text), [_finding(title=text)] * 10)
    assert len(message.title) <= 150
    for part in (*_sections(message), message.payload["text"]):
        assert len(part) <= 3000
        assert part.rpartition("&")[2].find(";") >= 0 or "&" not in part
