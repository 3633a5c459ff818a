from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from pratique.findings import Finding, FindingKind, Severity
from pratique.inventory.coverage import FeedState
from pratique.inventory.eol import EolState
from pratique.oci.reference import Reference
from pratique.reports.durations import duration
from pratique.storage.actions import ActionRow
from pratique_services.api import views, words
from pratique_services.api.badge import render_badge


def finding(name: str = "CVE-2021-1", **more: Any) -> Finding:
    return Finding(kind=FindingKind.VULNERABILITY, id=name, severity=Severity.HIGH, **more)


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "https://",
        "ftp://x/y",
        "http://[",
        "https://x/" + "y" * 2000,
    ],
)
def test_links_that_are_not_to_the_web_are_not_followed(link: str) -> None:
    assert not views.is_safe_link(link)
    assert views.finding_row(finding(references=(link,))).link == "https://osv.dev/vulnerability/CVE-2021-1"


def test_the_first_safe_link_of_an_advisory_is_followed() -> None:
    row = views.finding_row(finding(references=("javascript:1", "https://a.example/1", "https://b.example/2")))
    assert row.link == "https://a.example/1"


def test_a_finding_goes_by_its_cve_and_keeps_its_other_name() -> None:
    row = views.finding_row(finding("DSA-1-1", aliases=("CVE-2021-3711",)))
    assert (row.name, row.also) == ("CVE-2021-3711", "DSA-1-1")


@pytest.mark.parametrize(
    ("purl", "shown"),
    [
        ("pkg:deb/debian/libssl1.1@1.1.1k-1?arch=amd64&distro=debian-11", ("libssl1.1", "deb")),
        ("pkg:npm/%40angular/core@1.0.0", ("@angular/core", "npm")),
        ("pkg:pypi/jinja2@3.0", ("jinja2", "pypi")),
        (None, ("", "")),
    ],
)
def test_packages_go_by_the_name_that_people_install(purl: str | None, shown: tuple[str, str]) -> None:
    assert (views.package_name(purl), views.package_type(purl)) == shown


def test_a_path_of_an_image_can_be_read_back() -> None:
    digest = "sha256:" + "a" * 64
    path = views.image_path("127.0.0.1:5000", "team/app", digest=digest)
    assert path == f"/images/127.0.0.1%3A5000/team/app@{digest}"
    assert Reference.parse("127.0.0.1:5000/team/app@" + digest).repository == "team/app"


def test_an_update_that_ends_nothing_is_no_new_finding() -> None:
    before = [finding(package="pkg:deb/debian/a@1?arch=amd64")]
    new, gone = views.compare([finding(package="pkg:deb/debian/a@2?arch=amd64")], before)
    assert (new, gone) == ((), 0)


def test_new_and_gone_are_told_apart() -> None:
    new, gone = views.compare([finding("CVE-2")], [finding("CVE-1"), finding("CVE-3")])
    assert ([one.id for one in new], gone) == (["CVE-2"], 2)


@pytest.mark.parametrize(("days", "is_stale"), [(1, False), (8, True)])
def test_a_feed_that_nobody_renews_is_called_old(days: int, *, is_stale: bool) -> None:
    updated = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    assert views.feed_row(FeedState(name="Debian", updated=updated.isoformat())).is_stale == is_stale


def test_why_a_feed_could_not_be_synced_is_shown() -> None:
    assert views.feed_row(FeedState(name="Debian", updated="", failure="the server answered 503")).failure == "the server answered 503"


def test_a_feed_without_a_date_is_called_old() -> None:
    row = views.feed_row(FeedState(name="Debian", updated="<b>"))
    assert (row.is_stale, row.age, row.updated) == (True, "unknown age", "<b>")


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"repository": "quarantine/app", "tag": "abc", "tags": ["1"]}, "quarantine to quarantine/app:abc"),
        ({"tags": ["1", "2"]}, "quarantine (1, 2)"),
        ({"tags": "nonsense"}, "quarantine"),
        ({}, "quarantine"),
    ],
)
def test_an_action_says_what_it_is_about(parameters: Mapping[str, Any], what: str) -> None:
    action = ActionRow(
        id="1",
        decision_id="2",
        kind="quarantine",
        parameters=parameters,
        outcome="done",
        detail="",
        attempts=1,
        updated_at=dt.datetime.now(dt.UTC),
    )
    assert views.action_row(action).what == what


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172800, "2 days"), (-3, "0 s")])
def test_durations_have_one_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_end_of_support_is_said_as_what_it_is() -> None:
    def state(*, is_over: bool, eol: dt.date | None = dt.date(2024, 8, 14)) -> EolState:
        return EolState(product="debian", cycle="11", eol=eol, extended=None, is_over=is_over, is_extended=False)

    assert words.support_line(state(is_over=True)) == "not supported since 2024-08-14"
    assert words.support_line(state(is_over=False)) == "supported until 2024-08-14"
    assert words.support_line(state(is_over=True, eol=None)) == "not supported any more"
    assert words.support_line(state(is_over=False, eol=None)) == words.support_line(None) == ""


@pytest.mark.parametrize("word", ["pass", "fail", "incomplete", "unknown"])
def test_a_badge_says_its_word_to_those_who_do_not_see_it(word: str) -> None:
    assert f'aria-label="pratique: {word}"' in render_badge(word).decode()


@pytest.mark.parametrize(("epss", "shown"), [(None, ""), (0.0, ""), (0.009, ""), (0.01, "1%"), (0.944, "94%"), (1.0, "100%")])
def test_a_probable_exploitation_is_told_and_an_improbable_one_is_not(epss: float | None, shown: str) -> None:
    assert views.finding_row(finding(epss=epss)).epss == shown


def test_what_is_known_to_be_exploited_is_named_once() -> None:
    known = finding("GHSA-1", aliases=("CVE-2021-2",), exploited_since="2021-12-10")
    assert views.finding_row(known).exploited_since == "2021-12-10"
    assert views.exploited_names([known, finding("CVE-2021-2", exploited_since="2021-12-10"), finding("CVE-2021-3")]) == ("CVE-2021-2",)


def test_newer_advisories_that_led_to_a_verdict_are_told_one_a_line() -> None:
    change = {"kind": "appeared", "id": "CVE-2021-1", "package": "pkg:deb/debian/a@1?arch=amd64", "severity": "high"}
    assert words.cause_lines({"kind": "advisories", "position": 7, "database": "sha256:00", "changes": [change], "more": 2}) == (
        "CVE-2021-1 in pkg:deb/debian/a@1 appeared (high)",
        "and 2 more",
    )
    assert words.cause_lines(None) == ()
