"""SBOMs as other tools write them: their packages are spelled as a scan spells them, and what is not understood is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pratique.errors import InvalidRecord
from pratique.inventory.coverage import CoverageStatus
from pratique.inventory.package import Package
from pratique.sboms.contents import SbomContents
from pratique.sboms.reading import read_sbom
from tests.support.reports import DIGEST, LAYER
from tests.support.sboms import REAL, cyclonedx, library, spdx, spdx3

EXPECTED = {
    "adduser": ("adduser", "3.118+deb11u1"),
    "libc6": ("glibc", "2.31-13+deb11u11"),
    "libssl1.1": ("openssl", "1.1.1w-0+deb11u1"),
    "perl-base": ("perl", "5.32.1-4+deb11u3"),
    "zlib1g": ("zlib", "1:1.2.11.dfsg-2+deb11u2"),
}


def _packages(contents: SbomContents) -> dict[str, Package]:
    return {one.package.name: one.package for one in contents.packages}


@pytest.mark.parametrize("name", REAL)
def test_syft_and_trivy_are_read_to_what_a_scan_finds(name: str) -> None:
    contents = read_sbom(REAL[name])
    found = _packages(contents)
    assert contents.problems == ()
    assert {one.name: (one.matching_name, one.matching_version) for one in found.values()} == EXPECTED
    assert {one.ecosystem for one in found.values()} == {"Debian:11"}
    assert contents.distribution is not None
    assert (contents.distribution.id, contents.distribution.ecosystem) == ("debian", "Debian:11")
    assert contents.inventory.coverage.status is CoverageStatus.COMPLETE


def test_there_are_excerpts_of_both_tools_in_both_formats() -> None:
    forms = {read_sbom(content).form for content in REAL.values()}
    assert forms == {"CycloneDX 1.2", "CycloneDX 1.5", "CycloneDX 1.6", "SPDX 2.2", "SPDX 2.3"}


def test_what_they_say_beside_the_package_url_is_kept() -> None:
    by_syft = _packages(read_sbom(REAL["syft-1.18-cyclonedx-1.6"]))["libssl1.1"]
    assert by_syft.vendor == "Debian OpenSSL Team <pkg-openssl-devel@lists.alioth.debian.org>"
    assert by_syft.cpes[0].startswith("cpe:2.3:a:libssl1.1:libssl1.1:1.1.1w")
    by_trivy = _packages(read_sbom(REAL["trivy-spdx-2.3"]))
    assert by_trivy["zlib1g"].licenses == ("Zlib",)
    assert by_trivy["zlib1g"].vendor == "Mark Brown <broonie@debian.org>"
    paths = {one.package.name: one.paths for one in read_sbom(REAL["syft-1.18-cyclonedx-1.6"]).packages}
    assert "var/lib/dpkg/status" in paths["zlib1g"]


def test_the_image_is_named_where_the_sbom_names_it() -> None:
    root = {"type": "container", "name": "registry.example/app:1", "version": DIGEST}
    contents = read_sbom(cyclonedx(library("pkg:npm/a@1"), metadata={"component": root}))
    assert (contents.reference, str(contents.digest)) == ("registry.example/app:1", DIGEST)
    purl = f"pkg:oci/app@{DIGEST.replace(':', '%3A')}?repository_url=registry.example/app"
    by_purl = read_sbom(cyclonedx(library("pkg:npm/a@1"), metadata={"component": {**root, "version": "", "purl": purl}}))
    assert str(by_purl.digest) == DIGEST
    assert read_sbom(cyclonedx(library("pkg:npm/a@1"), metadata={"component": {**root, "version": DIGEST + "0"}})).digest is None


def test_components_may_be_nested_and_excluded_ones_are_not_installed() -> None:
    inner = library("pkg:npm/inner@1", components=[library("pkg:npm/innermost@1")])
    outer = {"type": "application", "name": "package-lock.json", "components": [inner, library("pkg:npm/test@1", scope="excluded")]}
    described = {"type": "application", "name": "app", "components": [library("pkg:npm/bundled@1")]}
    contents = read_sbom(cyclonedx(outer, metadata={"component": described}))
    assert set(_packages(contents)) == {"inner", "innermost", "bundled"}
    assert contents.problems == ()


def test_the_distribution_is_told_by_package_urls_if_by_nothing_else() -> None:
    purls = ["pkg:rpm/redhat/a@1?distro=rhel-9.2", "pkg:rpm/redhat/b@1?distro=rhel-9.2", "pkg:deb/debian/c@1?distro=debian-11"]
    distribution = read_sbom(cyclonedx(*map(library, purls))).distribution
    assert distribution is not None
    assert (distribution.id, distribution.version_id) == ("rhel", "9.2")
    assert "Red Hat:enterprise_linux:9::baseos" in distribution.other_ecosystems


@pytest.mark.parametrize(
    ("name", "version", "found", "ecosystem"),
    [
        ("redhat", "9.2", "rhel", "Red Hat:enterprise_linux:9"),
        ("suse linux enterprise server", "15.5", "sles", "SUSE:Linux Enterprise Server 15 SP5"),
        ("opensuse.leap", "15.5", "opensuse-leap", "openSUSE:Leap 15.5"),
        ("alpine", "3.18.4", "alpine", "Alpine:v3.18"),
        ("rocky", "9.2", "rocky", "Rocky Linux:9"),
        ("wolfi", "", "wolfi", "Wolfi"),
    ],
)
def test_trivy_s_names_of_distributions_are_understood(name: str, version: str, found: str, ecosystem: str | None) -> None:
    system = {"type": "operating-system", "name": name, "version": version}
    distribution = read_sbom(cyclonedx(system, library("pkg:npm/a@1"))).distribution
    assert distribution is not None
    assert (distribution.id, distribution.ecosystem) == (found, ecosystem)


def test_a_package_of_the_distribution_s_own_kind_is_the_distribution_s() -> None:
    system = {"type": "operating-system", "name": "debian", "version": "12"}
    purls = ["pkg:deb/a@1", "pkg:deb/debian/b@1?distro=bookworm", "pkg:deb/ubuntu/c@1", "pkg:rpm/almalinux/d@1?distro=almalinux-8.1"]
    found = _packages(read_sbom(cyclonedx(system, *map(library, purls))))
    assert {name: package.ecosystem for name, package in found.items()} == {"a": "Debian:12", "b": "Debian:12", "c": "", "d": "AlmaLinux:8"}


def test_software_without_a_package_url_is_a_gap_and_files_are_not() -> None:
    named = [{"type": "library", "name": f"lib{number}", "version": "1"} for number in range(8)]
    others = [{"type": "file", "name": "/bin/x", "version": "1"}, {"type": "application", "name": "package-lock.json"}]
    contents = read_sbom(cyclonedx(library("pkg:npm/a@1"), *named, *others))
    assert contents.problems == ("8 components without a package URL: lib0 1, lib1 1, lib2 1, lib3 1, lib4 1, …",)
    assert contents.inventory.coverage.status is CoverageStatus.PARTIAL


def test_software_that_only_a_cpe_names_is_a_package() -> None:
    cpe = "cpe:2.3:a:f5:nginx:1.25:*:*:*:*:*:*:*"
    contents = read_sbom(cyclonedx({"type": "application", "name": "nginx", "version": "1.25", "cpe": cpe}))
    assert [(one.package.purl, one.package.cpes) for one in contents.packages] == [("pkg:generic/nginx@1.25", (cpe,))]
    assert contents.problems == ()


def test_an_unreadable_package_url_is_a_gap_and_the_others_count() -> None:
    contents = read_sbom(cyclonedx(library("pkg:npm/a@1"), library("pkg:npm/"), library("pkg:pypi/%00@1"), library("pkg:oci/x@1")))
    assert set(_packages(contents)) == {"a"}
    assert contents.problems == ("2 components with an unreadable package URL, name or version: pkg:npm/, pkg:pypi/%00@1",)


@pytest.mark.parametrize("content", [cyclonedx(), spdx(), spdx3(), cyclonedx({"type": "file", "name": "x"})])
def test_an_sbom_of_nothing_does_not_say_that_there_is_nothing(content: bytes) -> None:
    assert read_sbom(content).problems == ("the SBOM lists no package",)


def test_an_sbom_that_calls_itself_incomplete_is_a_gap() -> None:
    root = {"type": "container", "name": "app", "bom-ref": "root"}
    about_root, about_other = ([{"aggregate": "incomplete_third_party_only", "assemblies": [ref]}] for ref in ("root", "x"))
    given: dict[str, Any] = {"metadata": {"component": root}}
    assert read_sbom(cyclonedx(library("pkg:npm/a@1"), compositions=about_root, **given)).problems == (
        "the SBOM says that it is incomplete",
    )
    assert read_sbom(cyclonedx(library("pkg:npm/a@1"), compositions=about_other, **given)).problems == ()


def test_spdx_2_roots_are_told_by_any_of_three_ways() -> None:
    packages = [
        {"SPDXID": "SPDXRef-root", "name": "app:1", "versionInfo": DIGEST},
        {
            "SPDXID": "SPDXRef-a",
            "name": "a",
            "versionInfo": "1",
            "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:npm/a@1"}],
        },
    ]
    ways: list[dict[str, Any]] = [
        {"documentDescribes": ["SPDXRef-root"]},
        {"relationships": [_relationship("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-root")]},
        {"relationships": [_relationship("SPDXRef-root", "DESCRIBED_BY", "SPDXRef-DOCUMENT")]},
    ]
    for way in ways:
        contents = read_sbom(spdx(*packages, **way))
        assert (contents.reference, str(contents.digest), contents.problems) == ("app:1", DIGEST, ())


def _relationship(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def test_spdx_3_of_others_is_read() -> None:
    """As the SPDX project's own examples write it: `@type` and `@id` for blank nodes, purls as identifiers, concluded licences."""
    purl = {"type": "ExternalIdentifier", "externalIdentifierType": "packageUrl", "identifier": "pkg:npm/a@1.0"}
    contents = read_sbom(
        spdx3(
            {"@type": "software_Package", "@id": "a", "name": "a", "externalIdentifier": [purl], "suppliedBy": "me"},
            {"type": "Person", "spdxId": "me", "name": "Someone"},
            {
                "type": "software_Package",
                "spdxId": "os",
                "name": "alpine",
                "software_packageVersion": "3.18.2",
                "software_primaryPurpose": "operatingSystem",
            },
            {"type": "simplelicensing_LicenseExpression", "spdxId": "mit", "simplelicensing_licenseExpression": "MIT"},
            {"type": "simplelicensing_LicenseExpression", "spdxId": "bsd", "simplelicensing_licenseExpression": "BSD-3-Clause"},
            {"type": "Relationship", "spdxId": "r1", "from": "a", "relationshipType": "hasConcludedLicense", "to": ["bsd"]},
            {"type": "Relationship", "spdxId": "r2", "from": "a", "relationshipType": "hasDeclaredLicense", "to": ["mit"]},
            {"type": "Relationship", "spdxId": "r3", "from": "a", "relationshipType": "hasConcludedLicense", "to": ["bsd"]},
        )
    )
    package = _packages(contents)["a"]
    assert (package.purl, package.licenses, package.vendor) == ("pkg:npm/a@1.0", ("MIT",), "Someone")
    assert contents.distribution is not None
    assert contents.distribution.ecosystem == "Alpine:v3.18"
    assert contents.problems == ()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "expected an SBOM in JSON"),
        (b"[]", "expected an SBOM in JSON"),
        (b"{}", "CycloneDX, SPDX 2 or SPDX 3"),
        (b'{"bomFormat": "CycloneDX"}', "expected CycloneDX 1.x"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "2.0"}', "expected CycloneDX 1.x, got '2.0'"),
        (b'{"bomFormat": "CycloneDX", "specVersion": 1.6}', "expected CycloneDX 1.x"),
        (b'{"spdxVersion": "SPDX-4.0"}', "expected SPDX-2.x"),
        (b'{"@context": "https://example.org"}', "CycloneDX, SPDX 2 or SPDX 3"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": {}}', "expected a document of CycloneDX 1.6"),
        (b"SPDXVersion: SPDX-2.3\n", "expected an SBOM in JSON"),
        (b'<bom xmlns="http://cyclonedx.org/schema/bom/1.6"/>', "expected an SBOM in JSON"),
    ],
)
def test_what_is_no_sbom_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(InvalidRecord, match=problem):
        read_sbom(content)


def test_a_byte_order_mark_is_no_hindrance() -> None:
    assert read_sbom(b"\xef\xbb\xbf" + REAL["trivy-cyclonedx-1.5"]).packages


def test_the_same_package_twice_is_one() -> None:
    contents = read_sbom(cyclonedx(library("pkg:npm/a@1", **{"bom-ref": "1"}), library("pkg:npm/a@1?x=y", **{"bom-ref": "1"})))
    assert [one.package.purl for one in contents.packages] == ["pkg:npm/a@1"]


def test_facts_of_pratique_are_checked_like_everything_else() -> None:
    facts = {"ecosystem": "npm", "layer": "sha256:xyz", "owned_by": "x" * 5000, "path": "a\0b", "source": "not an OS package"}
    properties = [{"name": f"pratique:{name}", "value": value} for name, value in facts.items()]
    [found] = read_sbom(cyclonedx(library("pkg:npm/x@1", properties=properties))).packages
    assert (found.layer, found.owned_by, found.paths, found.package.source_name) == (None, None, (), None)
    good = [{"name": "pratique:layer", "value": LAYER}, {"name": "aquasecurity:trivy:FilePath", "value": "/a/b"}]
    [found] = read_sbom(cyclonedx(library("pkg:npm/x@1", properties=good))).packages
    assert (found.layer, found.paths) == (LAYER, ("a/b",))


def test_an_owner_that_is_not_there_hides_no_finding() -> None:
    """What an OS package owns is not matched, since its owner is."""
    said = [{"name": "pratique:ecosystem", "value": "npm"}, {"name": "pratique:owned_by", "value": "pkg:deb/debian/a@1"}]
    component = library("pkg:npm/x@1", properties=said)
    assert [one.owned_by for one in read_sbom(cyclonedx(component)).packages] == [None]
    both = read_sbom(cyclonedx(component, library("pkg:deb/debian/a@1"))).packages
    assert {one.package.name: one.owned_by for one in both} == {"a": None, "x": "pkg:deb/debian/a@1"}


def test_every_asset_is_json() -> None:
    assert all(json.loads(content) for content in REAL.values())
