"""The CycloneDX document is valid, keeps every purl and loses no vulnerability."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pratique.findings import Severity
from pratique.inventory.coverage import Coverage
from pratique.inventory.package import InstalledPackage, Package
from pratique.reports.cyclonedx import render_cyclonedx
from pratique.reports.report import Report, Target
from tests.support.reports import ANGULAR, DIGEST, EOL, LAYER, LIBSSL, LIBSTDC, PACKAGES, SECRET, gap, report, vulnerability
from tests.support.sboms import OWNER, SIX, full_report

NOWHERE = Target(reference="dir:/", digest=None, platform=None, distribution=None)


def _render(given: Report) -> dict[str, Any]:
    content = render_cyclonedx(given).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(content) is None
    document: dict[str, Any] = json.loads(content)
    return document


def test_an_inventory_is_valid_and_keeps_every_purl() -> None:
    document = _render(report(verdict=None))
    packages = [component for component in document["components"] if component["type"] == "library"]
    assert {component["purl"] for component in packages} == {package.purl for package in PACKAGES}
    assert document["metadata"]["component"]["bom-ref"] == DIGEST
    assert all({"name": "pratique:layer", "value": LAYER} in component["properties"] for component in packages)
    angular = next(component for component in document["components"] if component["name"] == "core")
    assert angular["group"] == "@angular"
    assert "vulnerabilities" not in document


def test_the_library_reads_what_was_written() -> None:
    """The library's model of the document says the same: its validator alone would let a dependency on nothing pass."""
    given = full_report(findings=(vulnerability("CVE-1"),))
    bom = Bom.from_json(json.loads(render_cyclonedx(given)))  # type: ignore[attr-defined]
    assert bom.validate()
    assert {str(component.purl) for component in bom.components if component.purl} == {one.package.purl for one in given.packages}
    by_ref = {dependency.ref.value: {one.ref.value for one in dependency.dependencies} for dependency in bom.dependencies}
    assert by_ref[OWNER.purl] == {SIX.purl}
    assert SIX.purl not in by_ref[DIGEST]
    assert OWNER.purl in by_ref[DIGEST]
    assert "operating-system" in by_ref[DIGEST]


def test_packages_of_many_kinds_are_valid() -> None:
    document = _render(full_report())
    found = {component["name"]: component for component in document["components"]}
    assert (found["debian"]["type"], found["debian"]["version"]) == ("operating-system", "11")
    assert found["nginx"]["cpe"] == "cpe:2.3:a:f5:nginx:1.25:*:*:*:*:*:*:*"
    assert found["Six"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert found["go-autorest"]["licenses"] == [{"expression": "LicenseRef-own"}]
    assert found["libfoo"]["supplier"] == {"name": "Foo Team (of Bar) <foo@example.org>"}
    assert {"name": "pratique:owned_by", "value": OWNER.purl} in found["Six"]["properties"]
    assert {"name": "pratique:source", "value": "foo 1.0-1"} in found["libfoo"]["properties"]


def test_a_package_in_two_images_has_two_names() -> None:
    first, *_ = full_report().packages
    again = InstalledPackage(package=first.package, paths=(), layer="sha256:" + "00" * 32)
    refs = [component["bom-ref"] for component in _render(full_report(packages=(first, again), target=NOWHERE))["components"]]
    assert refs == [first.package.purl, f"{first.package.purl}#2"]


def test_a_document_says_whether_it_is_all() -> None:
    assert _render(report())["compositions"] == [{"aggregate": "complete", "assemblies": [DIGEST]}]
    partial = _render(report(gaps=[gap("rpm", "no reader")]))
    assert partial["compositions"][0]["aggregate"] == "incomplete"
    assert {"name": "pratique:gap", "value": "rpm: no reader"} in partial["metadata"]["properties"]


def test_a_target_of_which_nothing_is_known_is_valid() -> None:
    _render(Report(target=NOWHERE, packages=(), findings=(), coverage=Coverage(items=())))


def test_an_advisory_about_two_packages_is_one_vulnerability_with_its_worst_severity() -> None:
    findings = [vulnerability("CVE-1", LIBSSL, Severity.LOW), vulnerability("CVE-1", LIBSTDC, Severity.HIGH), EOL, SECRET]
    [found] = _render(report(findings))["vulnerabilities"]
    assert found["id"] == "CVE-1"
    assert found["ratings"] == [{"severity": "high"}]
    assert {affected["ref"] for affected in found["affects"]} == {LIBSSL, LIBSTDC}


def test_what_is_known_of_exploitation_is_kept_as_properties() -> None:
    known = [vulnerability("CVE-1", exploited_since="2021-12-10", epss=0.944), vulnerability("CVE-2", epss=0.00012), vulnerability("CVE-3")]
    found = {one["id"]: one.get("properties") for one in _render(report(known))["vulnerabilities"]}
    assert found == {
        "CVE-1": [{"name": "pratique:exploited_since", "value": "2021-12-10"}, {"name": "pratique:epss", "value": "0.944"}],
        "CVE-2": [{"name": "pratique:epss", "value": "0.00012"}],
        "CVE-3": None,
    }


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
    assert [component["bom-ref"] for component in document["components"]] == ["operating-system", package.purl]
