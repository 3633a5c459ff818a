"""What OpenVEX, CycloneDX and CSAF say comes out the same, and what they leave out is not made up."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft202012Validator

from pratique.errors import InvalidRecord
from pratique.oci.digest import Digest
from pratique.vex.reading import read_vex
from pratique.vex.statement import VexComponent, VexProduct, VexStatement, VexStatus
from tests.support.reports import DIGEST, LIBSSL
from tests.support.vex import CONTAINER, HEX, IMAGE, SERIAL, SSL, TIME, analysed, csaf, cyclonedx_vex, image_product, openvex, said

SCHEMA = json.loads((Path(__file__).parents[2] / "assets/vex/openvex-0.2.0.schema.json").read_bytes())
WHEN = dt.datetime(2024, 1, 9, 0, 2, 3, 647787, tzinfo=dt.UTC)
PACKAGE = VexProduct(component=VexComponent(purls=(LIBSSL,)))


def only(content: bytes) -> VexStatement:
    document = read_vex(content, "file.json")
    assert len(document.statements) == 1
    return document.statements[0]


def test_openvex_says_who_when_what_and_why() -> None:
    vulnerability = {"name": "CVE-2023-1", "aliases": ["GHSA-1"]}
    content = openvex(
        said("CVE-2023-1", image_product(LIBSSL), vulnerability=vulnerability, impact_statement="not\nbuilt", last_updated=TIME)
    )
    Draft202012Validator(SCHEMA).validate(json.loads(content))
    assert only(content) == VexStatement(
        vulnerability="CVE-2023-1",
        aliases=("GHSA-1",),
        products=(VexProduct(component=VexComponent(purls=(IMAGE,)), subcomponents=(VexComponent(purls=(LIBSSL,)),)),),
        status=VexStatus.NOT_AFFECTED,
        justification="vulnerable_code_not_present",
        impact="not built",
        author="Team",
        timestamp=WHEN,
        last_updated=WHEN,
        source="file.json",
    )


def test_openvex_names_products_by_purl_or_digest() -> None:
    products = [
        {"identifiers": {"purl": LIBSSL}},
        {"hashes": {"sha-256": HEX.upper(), "md5": "0" * 32}},
        {"@id": f"registry.example/team/app@{DIGEST}"},
        {"@id": "https://example.org/product"},
    ]
    image = VexProduct(component=VexComponent(digests=(DIGEST,)))
    assert only(openvex(said("CVE-1", *products))).products == (PACKAGE, image, image, VexProduct(component=VexComponent()))


def test_openvex_0_0_1_has_texts_and_subcomponents_of_the_statement() -> None:
    content = openvex({**said("", IMAGE, subcomponents=[LIBSSL]), "vulnerability": "CVE-1"}, **{"@context": "https://openvex.dev/ns"})
    statement = only(content)
    assert (statement.vulnerability, statement.products[0].subcomponents) == ("CVE-1", (VexComponent(purls=(LIBSSL,)),))


def test_a_statement_without_product_is_about_what_the_attestation_is_about_and_else_about_nothing() -> None:
    content = openvex({**said(), "products": []})
    document = read_vex(content, "x", about=Digest.parse(DIGEST))
    assert document.statements[0].products == (VexProduct(component=VexComponent(digests=(DIGEST,))),)
    alone = read_vex(content, "x")
    assert (alone.statements[0].products, alone.problems) == ((), ("CVE-2023-1: the statement names no product",))


def test_a_statement_has_its_own_time_before_that_of_the_document() -> None:
    assert only(openvex(said(timestamp="2020-01-01T00:00:00Z"))).holds_since.year == 2020
    assert only(openvex(said(), timestamp="")).holds_since == dt.datetime.min.replace(tzinfo=dt.UTC)


@pytest.mark.parametrize("version", ["1.4", "1.5", "1.6"])
def test_cyclonedx_resolves_references(version: str) -> None:
    content = cyclonedx_vex(analysed(references=[{"id": "GHSA-1", "source": {"name": "GitHub"}}]), version=version, components=[SSL])
    assert JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(content.decode()) is None
    statement = only(content)
    assert (statement.products, statement.justification, statement.aliases) == ((PACKAGE,), "code_not_reachable", ("GHSA-1",))
    assert only(cyclonedx_vex(analysed(ref=f"urn:cdx:{SERIAL}/1#ssl"), components=[SSL])).products == (PACKAGE,)
    assert only(cyclonedx_vex(analysed(ref=LIBSSL))).products == (PACKAGE,)


def test_cyclonedx_about_an_image_is_about_packages_in_that_image() -> None:
    content = cyclonedx_vex(analysed(), analysed(ref="image"), components=[SSL], metadata={"component": CONTAINER})
    inner, whole = (statement.products[0] for statement in read_vex(content, "x").statements)
    assert inner == VexProduct(component=VexComponent(digests=(DIGEST,)), subcomponents=(VexComponent(purls=(LIBSSL,)),))
    assert whole == VexProduct(component=VexComponent(digests=(DIGEST,)))


def test_a_bom_link_into_another_document_is_about_a_package_in_that_document() -> None:
    link = f"urn:cdx:{SERIAL.replace('3', '4')}/2"
    product = only(cyclonedx_vex(analysed(ref=f"{link}#{LIBSSL}"))).products[0]
    assert product == VexProduct(component=VexComponent(boms=(link,)), subcomponents=(VexComponent(purls=(LIBSSL,)),))
    for ref in (link, f"{link}#inner"):
        assert only(cyclonedx_vex(analysed(ref=ref))).products == (VexProduct(component=VexComponent(boms=(ref,))),)


def test_a_reference_to_nothing_known_is_told() -> None:
    document = read_vex(cyclonedx_vex(analysed(ref="nowhere"), analysed(ref=f"urn:cdx:{SERIAL}/1#inner")), "x")
    assert [statement.products for statement in document.statements] == [(), ()]
    assert all("nothing is known of what" in problem for problem in document.problems)
    assert len(document.problems) == 2


@pytest.mark.parametrize(
    ("state", "status", "suppresses"),
    [
        ("resolved", VexStatus.FIXED, True),
        ("resolved_with_pedigree", VexStatus.FIXED, True),
        ("exploitable", VexStatus.AFFECTED, False),
        ("in_triage", VexStatus.UNDER_INVESTIGATION, False),
        ("false_positive", VexStatus.NOT_AFFECTED, True),
        ("not_affected", VexStatus.NOT_AFFECTED, True),
    ],
)
def test_every_state_of_cyclonedx_has_its_status(state: str, status: VexStatus, suppresses: bool) -> None:
    statement = only(cyclonedx_vex(analysed(state=state), components=[SSL]))
    assert (statement.status, statement.suppresses) == (status, suppresses)


def test_a_vulnerability_without_analysis_says_nothing() -> None:
    document = read_vex(cyclonedx_vex({"id": "CVE-1", "affects": [{"ref": LIBSSL}]}), "x")
    assert (document.statements, document.problems) == ((), ("it says nothing of any vulnerability",))


def test_cyclonedx_versions_narrow_what_is_meant() -> None:
    def versions(state: str, *listed: dict[str, str], ref: str = "pkg:pypi/requests") -> list[tuple[str, ...]]:
        affects = [{"ref": ref, "versions": listed}]
        return [product.component.purls for product in only(cyclonedx_vex(analysed(state=state, affects=affects))).products]

    assert versions("not_affected", {"version": "2.19.0"}) == [("pkg:pypi/requests@2.19.0",)]
    assert versions("resolved", {"version": "1", "status": "affected"}, {"version": "2", "status": "unaffected"}) == [
        ("pkg:pypi/requests@2",)
    ]
    assert versions("not_affected", {"range": "vers:pypi/<2"}) == []
    one, fixed = "pkg:pypi/requests@1", ({"version": "1", "status": "affected"}, {"version": "2", "status": "unaffected"})
    assert versions("resolved", *fixed, ref=one) == versions("resolved", fixed[0], ref=one) == []
    assert versions("resolved", *fixed, ref="pkg:pypi/requests@2") == [("pkg:pypi/requests@2",)]
    assert versions("not_affected", {"version": "of the source package"}, ref=one) == [(one,)]


def test_csaf_puts_a_component_into_the_product_it_relates_to() -> None:
    statement = only(csaf())
    assert (statement.vulnerability, statement.author, statement.timestamp) == ("CVE-2023-1", "Example", WHEN)
    assert (statement.status, statement.justification) == (VexStatus.NOT_AFFECTED, "component_not_present")
    inner = VexComponent(purls=(LIBSSL.partition("?")[0],))
    assert statement.products == (VexProduct(component=VexComponent(purls=(IMAGE,)), subcomponents=(inner,)),)


def test_csaf_says_of_each_product_and_group_what_is_said_of_it() -> None:
    statements = read_vex(
        csaf(
            {
                "ids": [{"system_name": "Issue", "text": "GHSA-1"}],
                "cve": "CVE-1",
                "product_status": {
                    "known_not_affected": ["image:ssl", "curl"],
                    "known_affected": ["ssl"],
                    "under_investigation": ["image"],
                },
                "threats": [{"category": "impact", "details": "not called", "group_ids": ["all"]}],
                "flags": [{"label": "component_not_present", "product_ids": ["curl"]}],
                "remediations": [{"category": "vendor_fix", "details": "update", "product_ids": ["ssl"]}],
            }
        ),
        "x",
    ).statements
    told: list[tuple[Any, ...]] = [(one.status.value, one.justification, one.impact, one.action, len(one.products)) for one in statements]
    assert told == [
        ("not_affected", "", "not called", "", 1),
        ("not_affected", "component_not_present", "not called", "", 1),
        ("affected", "", "", "update", 1),
        ("under_investigation", "", "", "", 1),
    ]
    assert statements[0].aliases == ("GHSA-1",)


def test_a_csaf_product_known_by_nothing_but_its_name_is_no_product() -> None:
    tree = {"full_product_names": [{"product_id": "image:ssl", "name": "x"}]}
    assert only(csaf(tree=tree)).products == ()


def test_a_csaf_draft_says_nothing_yet() -> None:
    document = read_vex(csaf(tracking={"status": "draft"}), "x")
    assert (document.statements, document.problems) == ((), ("it is a draft: only interim and final documents count",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a VEX document in JSON"),
        (b"{}", "expected a VEX document in JSON"),
        (b'{"spdxVersion": "SPDX-2.3"}', "expected a VEX document in JSON"),
        (openvex(said(), **{"@context": "https://openvex.dev/ns/v1.0.0"}), "expected OpenVEX 0.x"),
        (openvex(said(), **{"@context": "https://example.org"}), "expected OpenVEX 0.x"),
        (openvex(said(status="harmless")), "Invalid enum value 'harmless'"),
        (openvex(said(timestamp="yesterday")), "expected a statement's timestamp as in 2024-01-02T03:04:05Z, got 'yesterday'"),
        (openvex({**said(), "vulnerability": {}}), "expected a name for each vulnerability"),
        (openvex({**said(), "products": "x"}), "expected an OpenVEX document"),
        (cyclonedx_vex(analysed(), version="1.3"), "expected CycloneDX 1.4 to 1.7, got '1.3'"),
        (cyclonedx_vex(analysed(), version="2.0"), "expected CycloneDX 1.4 to 1.7, got '2.0'"),
        (cyclonedx_vex(analysed(state="fine")), "got 'CVE-2023-1' and 'fine'"),
        (csaf().replace(b'"2.0"', b'"1.2"'), "expected CSAF 2, got '1.2'"),
        (csaf({"product_status": {"fixed": ["curl"]}}), "expected a CVE or another id"),
    ],
)
def test_what_is_not_understood_refuses_the_whole_document(content: bytes, message: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        read_vex(content, "x")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        openvex(said(justification="because")),
        cyclonedx_vex(analysed(analysis={"state": "not_affected", "justification": "because"}), components=[SSL]),
        csaf(
            {"cve": "CVE-1", "product_status": {"known_not_affected": ["curl"]}, "flags": [{"label": "because", "product_ids": ["curl"]}]}
        ),
    ],
)
def test_a_reason_that_nobody_knows_is_none(content: bytes) -> None:
    statement = only(content)
    assert (statement.status, statement.justification, statement.suppresses) == (VexStatus.NOT_AFFECTED, "", False)
