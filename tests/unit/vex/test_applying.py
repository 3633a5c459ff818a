"""Which findings a statement takes away: those it is about, and no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pratique.findings import Finding
from pratique.oci.manifest import Platform
from pratique.vex.applying import MAX_NOTES, VexOutcome, apply_vex
from pratique.vex.matching import ProductMatcher, VexImage
from pratique.vex.reading import read_vex
from pratique.vex.statement import VexComponent, VexProduct
from tests.support.reports import ANGULAR, DIGEST, EOL, LIBSSL, SECRET, vulnerability
from tests.support.vex import CONTAINER, HEX, IMAGE, SERIAL, SSL, analysed, csaf, cyclonedx_vex, image_product, openvex, said

AMD64, ARM64 = Platform(os="linux", architecture="amd64"), Platform(os="linux", architecture="arm64", variant="v8")
HERE = VexImage(digests=frozenset({DIGEST}), repository="registry.example/team/app", tags=("v1",), platforms=(AMD64,))
OTHER = "sha256:" + "0" * 64
SSL_FINDING = vulnerability("DEBIAN-CVE-2023-1", aliases=("CVE-2023-1",))


def apply(*contents: bytes, findings: tuple[Finding, ...] = (SSL_FINDING,), image: VexImage = HERE) -> VexOutcome:
    return apply_vex(findings, [read_vex(content, f"{number}.json") for number, content in enumerate(contents)], image)


def suppressed(*contents: bytes, findings: tuple[Finding, ...] = (SSL_FINDING,), image: VexImage = HERE) -> list[str]:
    return [one.finding.id for one in apply(*contents, findings=findings, image=image).suppressed]


def test_what_is_suppressed_keeps_who_said_it_and_why() -> None:
    outcome = apply(openvex(said()))
    assert outcome.findings == ()
    assert outcome.suppressed[0].finding == SSL_FINDING
    statement = outcome.suppressed[0].statements[0]
    assert (statement.author, statement.source, statement.justification) == ("Team", "0.json", "vulnerable_code_not_present")


@pytest.mark.parametrize("document", [openvex(said()), cyclonedx_vex(analysed(), components=[SSL]), csaf()])
def test_every_format_suppresses(document: bytes) -> None:
    assert suppressed(document) == ["DEBIAN-CVE-2023-1"]


@pytest.mark.parametrize(("status", "goes"), [("fixed", True), ("affected", False), ("under_investigation", False)])
def test_only_not_affected_and_fixed_suppress(status: str, goes: bool) -> None:
    assert bool(suppressed(openvex(said(status=status)))) is goes


def test_what_affects_keeps_the_finding_and_recommends_the_action() -> None:
    (finding,) = apply(openvex(said(status="affected", action_statement="turn TLS 1.0 off"))).findings
    assert finding.recommendation == "turn TLS 1.0 off"
    (finding,) = apply(
        openvex(said(status="affected", action_statement="turn it off")), findings=(vulnerability("CVE-2023-1", recommendation="update"),)
    ).findings
    assert finding.recommendation == "turn it off; update"


def test_not_affected_without_a_reason_suppresses_nothing_and_is_told() -> None:
    outcome = apply(openvex({**said(), "justification": ""}))
    assert outcome.findings == (SSL_FINDING,)
    assert outcome.notes == ("Team (0.json): CVE-2023-1 is not_affected, without a known justification or an impact statement: ignored",)
    assert suppressed(openvex({**said(), "justification": "", "impact_statement": "not called"}))


def test_only_vulnerabilities_of_packages_are_suppressed() -> None:
    everything = openvex(*(said(finding.id, {"@id": IMAGE}) for finding in (EOL, SECRET)))
    assert suppressed(everything, findings=(EOL, SECRET)) == []


@pytest.mark.parametrize("name", ["CVE-2023-1", "cve-2023-1", "GHSA-abcd-1", "PYSEC-1"])
def test_a_vulnerability_is_known_by_any_of_its_names(name: str) -> None:
    finding = vulnerability("PYSEC-1", aliases=("CVE-2023-1", "GHSA-ABCD-1"))
    assert suppressed(openvex(said(name)), findings=(finding,)) == ["PYSEC-1"]
    by_alias = said("X-1", vulnerability={"name": "X-1", "aliases": [name]})
    assert suppressed(openvex(by_alias), findings=(finding,)) == ["PYSEC-1"]
    assert suppressed(openvex(said("CVE-2023-2")), findings=(finding,)) == []


SEVERAL = vulnerability("DSA-1", aliases=("CVE-2023-1", "CVE-2023-2"))


@pytest.mark.parametrize(
    ("statements", "goes"),
    [
        ([said("CVE-2023-1")], False),
        ([said("CVE-2023-1"), said("CVE-2023-2", status="fixed")], True),
        ([said("DSA-1")], True),
        ([said("DSA-1"), said("CVE-2023-2", status="affected", action_statement="x")], False),
        ([said("CVE-2023-1", vulnerability={"name": "CVE-2023-1", "aliases": ["DSA-1"]})], False),
        ([said("DSA-1", vulnerability={"name": "DSA-1", "aliases": ["CVE-2023-1", "CVE-2023-2"]})], True),
    ],
)
def test_an_advisory_about_several_cves_goes_when_each_of_them_does(statements: list[dict[str, object]], goes: bool) -> None:
    assert bool(suppressed(openvex(*statements), findings=(SEVERAL,))) is goes


PLAIN = LIBSSL.partition("?")[0]


@pytest.mark.parametrize(
    ("purl", "is_meant"),
    [
        (LIBSSL, True),
        (PLAIN, True),
        ("pkg:deb/debian/libssl1.1", True),
        ("pkg:deb/debian/libssl1.1?arch=amd64", True),
        ("pkg:deb/debian/libssl1.1?distro=debian-11.11", True),
        (f"{PLAIN}?upstream=openssl&arch=amd64", True),
        ("pkg:deb/debian/libssl1.1?arch=arm64", False),
        ("pkg:deb/debian/libssl1.1?distro=debian-1", False),
        ("pkg:deb/debian/libssl1.1?distro=debian-12", False),
        ("pkg:deb/debian/libssl1.1?epoch=1", False),
        ("pkg:deb/debian/libssl1.1@1.1.1n-0", False),
        (f"{PLAIN}#lib", False),
        ("pkg:deb/ubuntu/libssl1.1", False),
        ("pkg:deb/debian/openssl", False),
        ("pkg:generic/libssl1.1", False),
        ("not a purl", False),
        ("pkg:", False),
    ],
)
def test_a_package_url_means_all_that_has_what_it_says(purl: str, is_meant: bool) -> None:
    assert bool(suppressed(openvex(said("CVE-2023-1", {"@id": purl})))) is is_meant


@pytest.mark.parametrize(
    ("stated", "installed"),
    [
        ("pkg:rpm/redhat/bash@5.1-2?arch=x86_64", "pkg:rpm/rhel/bash@5.1-2?arch=x86_64&epoch=1"),
        ("pkg:golang/github.com/Azure/x@1.2.3", "pkg:golang/github.com/azure/x@v1.2.3"),
        ("pkg:pypi/Flask_Login", "pkg:pypi/flask-login@1"),
        ("pkg:npm/%40angular/core@11.0.0", ANGULAR),
    ],
)
def test_spellings_that_tools_differ_in_are_equal(stated: str, installed: str) -> None:
    product = VexProduct(component=VexComponent(purls=(stated,)))
    assert ProductMatcher([product], HERE).covers(installed)


@pytest.mark.parametrize(
    ("identifier", "is_meant"),
    [
        (IMAGE, True),
        (f"pkg:oci/renamed@sha256%3A{HEX}", True),
        (f"pkg:oci/app@sha256:{HEX}?arch=amd64", True),
        (f"pkg:docker/team/app@sha256:{HEX}", True),
        ("pkg:oci/app?repository_url=registry.example/team/app", True),
        ("pkg:oci/app?repository_url=https://Registry.Example/team/app&tag=v1", True),
        ("pkg:oci/app?repository_url=registry.example/team", True),
        ("pkg:oci/app", True),
        ("pkg:docker/team/app@v1?repository_url=registry.example", True),
        (f"registry.example/team/app@{DIGEST}", True),
        (f"pkg:oci/app@{OTHER}?repository_url=registry.example/team/app", False),
        (f"pkg:oci/app@sha256:{HEX}?arch=arm64", False),
        (f"pkg:oci/app@sha256:{HEX}?anything=else", False),
        ("pkg:oci/app?repository_url=registry.example/other/app", False),
        ("pkg:oci/app?tag=v2", False),
        ("pkg:docker/team/app", False),
        ("pkg:oci/team", False),
        (f"registry.example/team/app@{OTHER}", False),
        ("https://registry.example/team/app", False),
    ],
)
def test_an_image_is_meant_by_its_digest_or_its_name(identifier: str, is_meant: bool) -> None:
    for product in ({"@id": identifier}, image_product(LIBSSL, identifier=identifier)):
        assert bool(suppressed(openvex(said("CVE-2023-1", product)))) is is_meant


def test_docker_hub_has_one_name() -> None:
    debian = VexImage(repository="docker.io/library/debian", tags=("12",))
    for purl in ("pkg:docker/debian@12", "pkg:oci/debian?repository_url=index.docker.io/library/debian", "pkg:docker/library/debian"):
        assert debian.is_meant(VexComponent(purls=(purl,)))


def test_subcomponents_narrow_the_image_to_them() -> None:
    other = vulnerability("CVE-2023-1", ANGULAR)
    assert suppressed(openvex(said("CVE-2023-1", image_product(LIBSSL))), findings=(SSL_FINDING, other)) == ["DEBIAN-CVE-2023-1"]
    assert len(suppressed(openvex(said("CVE-2023-1", image_product())), findings=(SSL_FINDING, other))) == 2
    assert suppressed(openvex(said("CVE-2023-1", image_product("https://example.org/x")))) == []


def test_a_product_in_the_image_does_not_speak_for_other_packages() -> None:
    inside_angular = {"@id": ANGULAR, "subcomponents": [{"@id": LIBSSL}]}
    assert suppressed(openvex(said("CVE-2023-1", inside_angular))) == []


def test_a_platform_is_not_excused_by_another() -> None:
    both = VexImage(digests=frozenset({DIGEST}), platforms=(AMD64, ARM64))
    assert suppressed(openvex(said("CVE-2023-1", {"@id": f"{IMAGE}&arch=amd64"})), image=both) == []
    assert suppressed(openvex(said("CVE-2023-1", {"@id": f"{IMAGE}&os=linux"})), image=both)


def test_a_document_about_another_image_or_sbom_is_about_nothing_here() -> None:
    elsewhere = cyclonedx_vex(analysed(), components=[SSL], metadata={"component": {**CONTAINER, "version": OTHER}})
    assert suppressed(elsewhere) == []
    linked = cyclonedx_vex(analysed(ref=f"urn:cdx:{SERIAL}/2#{LIBSSL}"))
    assert suppressed(linked) == []
    assert suppressed(linked, image=VexImage(boms={f"urn:cdx:{SERIAL}/2": ""}))


OLD, NEW = "2024-01-01T00:00:00Z", "2024-06-01T00:00:00+02:00"


def test_of_one_author_the_latest_word_counts_whatever_the_order() -> None:
    fine, not_fine = said(timestamp=OLD), said(status="affected", action_statement="x", timestamp=NEW)
    for contents in (
        [openvex(fine, not_fine)],
        [openvex(not_fine, fine)],
        [openvex(fine), openvex(not_fine)],
        [openvex(not_fine), openvex(fine)],
    ):
        assert suppressed(*contents) == []
    assert suppressed(openvex(said(timestamp=NEW), said(status="under_investigation", timestamp=OLD)))
    assert suppressed(openvex(said(timestamp=OLD, last_updated=NEW), said(status="under_investigation", timestamp="2024-02-01T00:00:00Z")))


def test_of_two_words_at_one_time_the_careful_one_counts() -> None:
    for statements in ([said(), said(status="under_investigation")], [said(status="under_investigation"), said()]):
        assert suppressed(openvex(*statements)) == []


def test_between_authors_the_users_order_counts_and_the_conflict_is_told() -> None:
    vendor = openvex(said(timestamp=OLD), author="Vendor")
    team = openvex(said(status="affected", action_statement="x", timestamp=NEW), author="Team")
    first = apply(vendor, team)
    assert len(first.suppressed) == 1
    assert first.notes == (
        f"CVE-2023-1 in {LIBSSL}: Vendor (0.json) says not_affected, Team (1.json) says affected: the one given first counts",
    )
    assert apply(team, vendor).suppressed == ()


def test_a_document_without_author_speaks_for_itself() -> None:
    silent = openvex(said(timestamp=OLD), author=""), openvex(said(status="under_investigation", timestamp=NEW), author="")
    assert suppressed(*silent)
    assert suppressed(*reversed(silent)) == []


def test_an_author_that_a_key_vouches_for_is_not_the_author_of_a_file() -> None:
    file = read_vex(openvex(said(status="under_investigation", timestamp=OLD)), "file")
    attached = replace(read_vex(openvex(said(timestamp=NEW)), "attached"), voucher="a key")
    assert apply_vex([SSL_FINDING], [file, attached], HERE).suppressed == ()
    assert apply_vex([SSL_FINDING], [file, replace(attached, voucher="")], HERE).findings == ()


def test_problems_are_told_and_not_without_end() -> None:
    documents = [openvex({**said(f"CVE-{number}"), "products": []}) for number in range(MAX_NOTES + 5)]
    notes = apply(*documents).notes
    assert notes[0] == "0.json: CVE-0: the statement names no product"
    assert notes[-1] == "and 5 more"


def test_without_documents_all_findings_stand() -> None:
    assert apply() == VexOutcome(findings=(SSL_FINDING,))
