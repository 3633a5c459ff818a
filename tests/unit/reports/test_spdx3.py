"""The SPDX 3.0.1 document holds to the published model, as the SPDX project's own bindings check it: every type, word and number."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spdx_python_model import v3_0_1 as model

from pratique.inventory.coverage import Coverage
from pratique.inventory.package import InstalledPackage, Package
from pratique.reports.report import Report, Target
from pratique.reports.spdx3 import render_spdx3
from tests.support.reports import COMPLETE, DIGEST, gap, report
from tests.support.sboms import OWNER, SIX, full_report

NOWHERE = Target(reference="dir:/", digest=None, platform=None, distribution=None)


def _render(given: Report) -> model.SHACLObjectSet:
    """Read it by the bindings, which refuse unknown properties and wrong types, and write it, which refuses missing and surplus ones."""
    content = render_spdx3(given)
    found = model.SHACLObjectSet()
    model.JSONLDDeserializer().read(io.BytesIO(content), found)
    found.link()
    model.JSONLDSerializer().write(found, io.BytesIO())
    return found


def _packages(found: model.SHACLObjectSet) -> dict[str, model.software_Package]:
    return {package.name: package for package in found.foreach_type(model.software_Package)}


@pytest.mark.parametrize(
    "given_report",
    [
        full_report(),
        report(),
        report(gaps=[gap("rpm", "no reader")]),
        Report(target=NOWHERE, packages=(), findings=(), coverage=Coverage(items=())),
        Report(target=NOWHERE, packages=full_report().packages, findings=(), coverage=Coverage(items=(COMPLETE,))),
    ],
)
def test_a_document_holds_to_the_model(given_report: Report) -> None:
    found = _render(given_report)
    purls = {package.software_packageUrl for package in found.foreach_type(model.software_Package) if package.software_packageUrl}
    assert purls == {one.package.purl for one in given_report.packages}


def test_every_reference_leads_to_an_element() -> None:
    document = json.loads(render_spdx3(full_report()))
    elements = document["@graph"]
    known = {element.get("spdxId") for element in elements}
    assert len(known) == len(elements)
    for element in elements:
        wanted = [*element.get("to", ()), *element.get("rootElement", ()), *element.get("createdBy", ())]
        wanted += [element[key] for key in ("from", "suppliedBy") if key in element]
        wanted += [entry["value"] for entry in element.get("simplelicensing_customIdToUri", ())]
        assert set(wanted) <= known


def test_the_image_contains_its_packages_and_they_what_came_in_them() -> None:
    found = _render(full_report())
    contains = {
        relationship.from_.name: ({one.name for one in relationship.to}, relationship.completeness)
        for relationship in found.foreach_type(model.Relationship)
        if relationship.relationshipType == model.RelationshipType.contains
    }
    parts, completeness = contains["registry.example/team/app:v1"]
    assert contains[OWNER.name][0] == {SIX.name}
    assert SIX.name not in parts
    assert {OWNER.name, "debian"} <= parts
    assert completeness == model.RelationshipCompleteness.complete


def test_licences_suppliers_and_cpes_are_elements_of_their_own() -> None:
    found = _render(full_report())
    packages = _packages(found)
    declared = {
        relationship.from_.name: relationship.to[0].simplelicensing_licenseExpression
        for relationship in found.foreach_type(model.Relationship)
        if relationship.relationshipType == model.RelationshipType.hasDeclaredLicense
    }
    assert declared["Six"] == "MIT"
    assert "(MIT OR Apache-2.0)" in declared["libfoo"]
    assert packages["libfoo"].suppliedBy.name == "Foo Team (of Bar) <foo@example.org>"
    assert [one.identifier for one in packages["nginx"].externalIdentifier] == ["cpe:2.3:a:f5:nginx:1.25:*:*:*:*:*:*:*"]
    texts = {text.simplelicensing_licenseText for text in found.foreach_type(model.simplelicensing_SimpleLicensingText)}
    assert "GPL-2+ with\texceptions" in texts


def test_the_image_is_named_by_its_digest() -> None:
    assert _packages(_render(report()))["registry.example/team/app:v1"].software_packageVersion == DIGEST


_WORDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="/"), min_size=1, max_size=12)
_TEXTS = st.text(st.characters(exclude_categories=["C"]), max_size=30)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(["deb", "npm", "generic"]), name=_WORDS, vendor=_TEXTS, stated=st.lists(_TEXTS.filter(str.strip), max_size=3))
def test_any_name_supplier_and_licence_holds_to_the_model(kind: str, name: str, vendor: str, stated: list[str]) -> None:
    package = Package(type=kind, name=name, version="1", vendor=vendor, licenses=tuple(stated))
    _render(full_report(packages=(InstalledPackage(package=package, paths=(name,), layer=None),)))
