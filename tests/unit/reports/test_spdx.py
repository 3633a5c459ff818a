"""The SPDX 2.3 document is valid by the published schema and by the SPDX project's own validator."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from spdx_tools.spdx.model import Document, RelationshipType
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from pratique.inventory.coverage import Coverage
from pratique.inventory.package import InstalledPackage, Package
from pratique.reports.report import Report, Target
from pratique.reports.spdx import render_spdx
from tests.support.reports import COMPLETE, DIGEST, LIBSSL, gap, report
from tests.support.sboms import ASSETS, OWNER, SIX, full_report

SCHEMA = Draft7Validator(json.loads((ASSETS / "spdx-2.3.schema.json").read_bytes()))
NOWHERE = Target(reference="dir:/", digest=None, platform=None, distribution=None)


def _render(given: Report) -> tuple[dict[str, Any], Document]:
    raw: dict[str, Any] = json.loads(io.BytesIO(render_spdx(given)).read())
    SCHEMA.validate(raw)
    document = JsonLikeDictParser().parse(raw)
    assert [found.validation_message for found in validate_full_spdx_document(document)] == []
    return raw, document


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
def test_a_document_is_valid(given_report: Report) -> None:
    _, document = _render(given_report)
    purls = {
        reference.locator
        for package in document.packages
        for reference in package.external_references
        if reference.reference_type == "purl"
    }
    assert purls == {one.package.purl for one in given_report.packages}


def test_the_image_contains_its_packages_and_they_what_came_in_them() -> None:
    _, document = _render(full_report())
    names = {package.spdx_id: package.name for package in document.packages}
    contains = {
        (names[one.spdx_element_id], names[str(one.related_spdx_element_id)])
        for one in document.relationships
        if one.relationship_type is RelationshipType.CONTAINS
    }
    image = "registry.example/team/app:v1"
    assert (OWNER.name, SIX.name) in contains
    assert (image, SIX.name) not in contains
    assert {(image, OWNER.name), (image, "debian")} <= contains
    assert len(contains) == len(document.packages) - 1


def test_the_source_is_told_as_trivy_tells_it_and_reads_it() -> None:
    raw, _ = _render(report())
    package = next(one for one in raw["packages"] if one["name"] == "libssl1.1")
    assert package["sourceInfo"] == "built package from: openssl 1.1.1n-0+deb11u3"
    assert package["externalRefs"][0]["referenceLocator"] == LIBSSL


def test_licences_without_a_place_in_the_list_are_defined_in_the_document() -> None:
    raw, document = _render(full_report())
    texts = {one.license_id: one.extracted_text for one in document.extracted_licensing_info}
    assert {"GPL-2+ with\texceptions", "a/b c", "a-b-c", "x" * 150, "LicenseRef-own"} == set(texts.values())
    declared = next(one["licenseDeclared"] for one in raw["packages"] if one["name"] == "libfoo")
    assert declared.startswith("GPL-2.0-only AND (MIT OR Apache-2.0) AND LicenseRef-GPL-2-with-exceptions-")


def test_the_image_is_named_by_its_digest() -> None:
    _, document = _render(report())
    image = document.packages[0]
    assert (image.name, image.version, image.checksums[0].value) == ("registry.example/team/app:v1", DIGEST, DIGEST.removeprefix("sha256:"))


@pytest.mark.parametrize(
    ("vendor", "supplier"),
    [
        ("\N{NO-BREAK SPACE}", "NOASSERTION"),
        ("\N{EM SPACE}() <\N{IDEOGRAPHIC SPACE}>", "NOASSERTION"),
        ("\N{NO-BREAK SPACE}Foo\tTeam <foo@example.org>\n", "Organization: Foo Team (foo@example.org)"),
        ("Foo (of\N{LINE SEPARATOR}Bar)", "Organization: Foo [of Bar]"),
    ],
)
def test_a_supplier_is_named_unless_nothing_but_white_space_and_brackets_is_recorded(vendor: str, supplier: str) -> None:
    package = Package(type="deb", name="a", version="1", vendor=vendor)
    raw, _ = _render(full_report(packages=(InstalledPackage(package=package, paths=(), layer=None),)))
    assert next(one["supplier"] for one in raw["packages"] if one["name"] == "a") == supplier


_WORDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="/"), min_size=1, max_size=12)
_TEXTS = st.text(st.characters(exclude_categories=["C"]), max_size=30)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(["deb", "npm", "generic"]), name=_WORDS, vendor=_TEXTS, stated=st.lists(_TEXTS.filter(str.strip), max_size=3))
def test_any_name_supplier_and_licence_gives_a_valid_document(kind: str, name: str, vendor: str, stated: list[str]) -> None:
    package = Package(type=kind, name=name, version="1", vendor=vendor, licenses=tuple(stated))
    _render(full_report(packages=(InstalledPackage(package=package, paths=(name,), layer=None),)))
