"""The CycloneDX document is valid, keeps every purl and loses no vulnerability."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pratique.findings import Severity
from pratique.inventory.coverage import Coverage
from pratique.inventory.package import InstalledPackage, Package
from pratique.reports.cyclonedx import render_cyclonedx
from pratique.reports.report import Report, Target
from tests.support.reports import ANGULAR, DIGEST, EOL, LAYER, LIBSSL, LIBSTDC, PACKAGES, SECRET, report, vulnerability


def _render(given: Report) -> dict[str, Any]:
    content = render_cyclonedx(given).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(content) is None
    document: dict[str, Any] = json.loads(content)
    return document


def test_an_inventory_is_valid_and_keeps_every_purl() -> None:
    document = _render(report(verdict=None))
    assert {component["purl"] for component in document["components"]} == {package.purl for package in PACKAGES}
    assert document["metadata"]["component"]["bom-ref"] == DIGEST
    assert {"name": "pratique:layer", "value": LAYER} in document["components"][0]["properties"]
    angular = next(component for component in document["components"] if component["name"] == "core")
    assert angular["group"] == "@angular"
    assert "vulnerabilities" not in document


def test_a_target_of_which_nothing_is_known_is_valid() -> None:
    target = Target(reference="dir:/", digest=None, platform=None, distribution=None)
    _render(Report(target=target, packages=(), findings=(), coverage=Coverage(items=())))


def test_an_advisory_about_two_packages_is_one_vulnerability_with_its_worst_severity() -> None:
    findings = [vulnerability("CVE-1", LIBSSL, Severity.LOW), vulnerability("CVE-1", LIBSTDC, Severity.HIGH), EOL, SECRET]
    [found] = _render(report(findings))["vulnerabilities"]
    assert found["id"] == "CVE-1"
    assert found["ratings"] == [{"severity": "high"}]
    assert {affected["ref"] for affected in found["affects"]} == {LIBSSL, LIBSTDC}


@pytest.mark.parametrize("severity", Severity)
def test_every_severity_has_a_word(severity: Severity) -> None:
    assert len(_render(report([vulnerability("CVE-1", severity=severity)]))["vulnerabilities"]) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a b",
        "https://example.org/ü?q=ä#x",
        "not a url",
        "",
        "https://example.org/%zz",
        "https://[::1",
        "javascript:alert(1)",
    ],
)
def test_an_odd_reference_of_a_feed_does_not_cost_the_document(url: str) -> None:
    _render(report([vulnerability("CVE-1", references=(url,))]))


def test_real_references_are_kept_and_spaces_quoted() -> None:
    urls = ("https://example.org/a?b=c%20d&e=(f)#g", "http://example.org", "https://example.org/a b")
    [found] = _render(report([vulnerability("CVE-1", references=urls)]))["vulnerabilities"]
    assert {advisory["url"] for advisory in found["advisories"]} == {*urls[:2], "https://example.org/a%20b"}


def test_an_odd_id_of_a_feed_does_not_cost_the_document() -> None:
    _render(report([vulnerability("ODD ID/ü#?", ANGULAR)]))


_WORDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="/"), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(["deb", "apk", "npm", "pypi"]), name=_WORDS, version=_WORDS)
def test_any_name_that_an_image_may_hold_gives_a_valid_document(kind: str, name: str, version: str) -> None:
    package = Package(type=kind, name=name, version=version, ecosystem="Debian:11")
    packages = (InstalledPackage(package=package, paths=(name,), layer=None),)
    document = _render(report([vulnerability("CVE-1", package.purl, installed=version)], packages=packages))
    assert [component["bom-ref"] for component in document["components"]] == [package.purl]
