"""The JSON report keeps the contract in its schema."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from pratique.findings import FindingKind, Rating, Severity
from pratique.inventory.coverage import Coverage, FeedState
from pratique.policy.verdict import VerdictStatus
from pratique.reports.json import SCHEMA_PATH, render_json
from pratique.reports.report import Report, Target
from tests.support.reports import EOL, PACKAGES, SECRET, gap, report, vulnerability

SCHEMA = json.loads(SCHEMA_PATH.read_bytes())
RATINGS = (
    Rating(source="DSA-1", severity=Severity.LOW),
    Rating(source="CVSS:3.1 of GHSA-1", severity=Severity.CRITICAL, vector="CVSS:3.1/AV:N"),
)
NOTHING_KNOWN = Report(
    target=Target(reference="dir:/", digest=None, platform=None, distribution=None), packages=(), findings=(), coverage=Coverage(items=())
)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "given",
    [
        NOTHING_KNOWN,
        report(),
        report([EOL, SECRET, vulnerability("CVE-2023-0286", aliases=("GHSA-1",)), vulnerability("CVE-2", fixed_in=None)]),
        report([replace(vulnerability("CVE-1"), ratings=RATINGS)]),
        report([vulnerability("CVE-1", severity=severity) for severity in Severity], gaps=[gap("rpm", "not supported")], verdict=None),
    ],
)
def test_a_report_is_what_its_schema_says(given: Report) -> None:
    content = render_json(given)
    Draft202012Validator(SCHEMA).validate(json.loads(content))
    assert content.endswith(b"}\n")


def test_a_finding_says_how_severe_every_source_calls_it() -> None:
    (found,) = json.loads(render_json(report([replace(vulnerability("CVE-1"), ratings=RATINGS)])))["findings"]
    assert found["ratings"] == [
        {"source": "DSA-1", "severity": "low", "vector": ""},
        {"source": "CVSS:3.1 of GHSA-1", "severity": "critical", "vector": "CVSS:3.1/AV:N"},
    ]


def test_a_feed_that_could_not_be_synced_says_why() -> None:
    feeds = (FeedState(name="npm", updated="2026-01-01T00:00:00Z", failure="the server answered 503"),)
    content = render_json(replace(report(), coverage=Coverage(items=(), feeds=feeds)))
    Draft202012Validator(SCHEMA).validate(json.loads(content))
    assert json.loads(content)["coverage"]["feeds"] == [
        {"name": "npm", "updated": "2026-01-01T00:00:00Z", "failure": "the server answered 503"}
    ]


def test_the_schema_knows_every_word_that_a_report_can_say() -> None:
    finding = SCHEMA["properties"]["findings"]["items"]["properties"]
    assert set(finding["kind"]["enum"]) == set(FindingKind)
    assert set(finding["severity"]["enum"]) == set(map(str, Severity)) == set(SCHEMA["properties"]["summary"]["required"])
    assert set(SCHEMA["properties"]["verdict"]["properties"]["status"]["enum"]) == set(VerdictStatus)


def test_a_report_says_what_was_found_and_where() -> None:
    document = json.loads(render_json(report([vulnerability("CVE-2023-0286"), SECRET])))
    assert document["target"]["os"] == {"id": "debian", "version_id": "11", "eol": "2024-08-14"}
    assert document["summary"] == {"critical": 1, "high": 1, "medium": 0, "low": 0, "negligible": 0, "unknown": 0}
    assert [finding["id"] for finding in document["findings"]] == ["private-key", "CVE-2023-0286"]
    assert [package["purl"] for package in document["packages"]] == sorted(package.purl for package in PACKAGES)
    openssl = next(package for package in document["packages"] if package["name"] == "libssl1.1")
    assert openssl["source"] == {"name": "openssl", "version": "1.1.1n-0+deb11u3"}
    assert openssl["paths"] == ["var/lib/dpkg/status"]
    assert document["recommendations"] == ["update openssl to 1.1.1w-0+deb11u1 or later (Debian:11)"]
