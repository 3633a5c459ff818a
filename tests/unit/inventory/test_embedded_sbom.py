"""SBOMs that came with the image's software."""

import json

import pytest
from hypothesis import given

from pratique.errors import InputError
from pratique.inventory.analyzers.embedded_sbom import ANALYZER, MAX_COMPONENTS, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

BITNAMI = "opt/bitnami/redis/.spdx-redis.spdx"
CPE = "cpe:2.3:a:redis:redis:7.4.0:*:*:*:*:*:*:*"


def reference(kind: str, locator: str) -> dict[str, str]:
    return {"referenceCategory": "PACKAGE-MANAGER", "referenceType": kind, "referenceLocator": locator}


SPDX = {
    "SPDXID": "SPDXRef-redis",
    "spdxVersion": "SPDX-2.3",
    "packages": [
        {
            "name": "redis",
            "versionInfo": "7.4.0-0",
            "licenseConcluded": "RSALv2",
            "licenseDeclared": "NOASSERTION",
            "externalRefs": [reference("cpe23Type", CPE), reference("purl", "pkg:bitnami/redis@7.4.0-0?arch=arm64&distro=debian-12")],
        },
        {"name": "lua", "versionInfo": "5.1", "externalRefs": [reference("purl", "pkg:bitnami/lua@5.1")]},
        {"name": "lua", "primaryPackagePurpose": "SOURCE", "externalRefs": [reference("purl", "pkg:generic/lua@5.1")]},
        {"name": "only-cpe", "versionInfo": "1", "externalRefs": [reference("http://spdx.org/rdf/references/cpe23Type", CPE)]},
        {"name": "a file", "versionInfo": "1"},
    ],
}
CYCLONEDX = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "metadata": {"component": {"type": "container", "name": "image", "purl": "pkg:npm/described@1"}},
    "components": [
        {
            "type": "library",
            "purl": "pkg:npm/a@1",
            "licenses": [{"license": {"id": "MIT"}}, {"expression": "A OR B"}],
            "components": [{"purl": "pkg:npm/b@2"}, {"purl": "pkg:npm/a@1"}],
        },
        {"purl": "pkg:npm/test@3", "scope": "excluded", "components": [{"purl": "pkg:npm/test2@3"}]},
        {"type": "operating-system", "name": "debian", "version": "12", "cpe": CPE},
        {"type": "application", "name": "redis", "version": "7.4.0", "cpe": CPE},
        {"type": "library", "name": "no purl", "version": "1"},
    ],
}
XML = """<?xml version="1.0"?>
<bom xmlns="http://cyclonedx.org/schema/bom/1.4" version="1"><metadata><component type="application"><purl>pkg:npm/described@1</purl></component></metadata>
<components><component type="library"><name>a</name><version>1</version><purl>pkg:npm/a@1</purl>
  <components><component type="library"><version>2</version><purl>pkg:npm/b</purl></component></components></component>
<component type="library"><scope>excluded</scope><purl>pkg:npm/test@3</purl></component>
<component type="file"><name>x</name></component></components></bom>
"""
TAG_VALUE = """SPDXVersion: SPDX-2.3
DataLicense: CC0-1.0
PackageName: redis
PackageVersion: 7.4.1-0
ExternalRef: SECURITY cpe23Type cpe:2.3:*:redis:redis:7.4.1:*:*:*:*:*:*:*
ExternalRef: PACKAGE-MANAGER purl pkg:bitnami/redis@7.4.1-0?arch=arm64
PackageName: b
PackageVersion: 2
ExternalRef: PACKAGE_MANAGER purl pkg:npm/b
PackageName: c
ExternalRef: PACKAGE_MANAGER purl pkg:npm/c
"""
SPDX_3 = {
    "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
    "@graph": [
        {"type": "software_Package", "software_packageUrl": "pkg:pypi/a", "software_packageVersion": "1"},
        {"type": "software_Package", "software_packageUrl": "pkg:pypi/b@1", "software_primaryPurpose": "source"},
        {"type": "Person", "name": "x"},
    ],
}
SYFT = {"artifacts": [{"purl": "pkg:pypi/a@1", "version": "1"}, {"purl": "", "name": "b"}], "artifactRelationships": []}
LIST = {"mongodb": {"arch": "amd64", "digest": "0", "distro": "debian-10", "type": "NAMI", "version": "4.4.11-2"}}


def purls(path: str, content: object) -> tuple[list[str], str]:
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    facts, error = read(parse, layer_file(path, text))
    return [fact.purl for fact in facts if isinstance(fact, Package)], error


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        (BITNAMI, SPDX, ["pkg:bitnami/redis@7.4.0-0?arch=arm64", "pkg:bitnami/lua@5.1", "pkg:generic/only-cpe@1"]),
        ("app/bom.json", CYCLONEDX, ["pkg:npm/a@1", "pkg:npm/b@2", "pkg:generic/redis@7.4.0"]),
        ("app/bom.xml", XML, ["pkg:npm/a@1", "pkg:npm/b@2"]),
        (BITNAMI, TAG_VALUE, ["pkg:bitnami/redis@7.4.1-0?arch=arm64", "pkg:npm/b@2"]),
        ("app/a.spdx.json", SPDX_3, ["pkg:pypi/a@1"]),
        ("app/a.syft.json", SYFT, ["pkg:pypi/a@1"]),
        ("opt/bitnami/.bitnami_components.json", LIST, ["pkg:bitnami/mongodb@4.4.11-2?arch=amd64"]),
    ],
    ids=["spdx", "cyclonedx", "xml", "tag-value", "spdx-3", "syft", "bitnami"],
)
def test_every_form_names_its_packages_once_and_in_order(path: str, content: object, expected: list[str]) -> None:
    assert ANALYZER.paths.matches(path)
    assert purls(path, content) == (expected, "")


def test_licences_and_cpe_names_come_along() -> None:
    facts = [fact for fact in parse(layer_file(BITNAMI, json.dumps(SPDX))) if isinstance(fact, Package)]
    others = [fact for fact in parse(layer_file("bom.json", json.dumps(CYCLONEDX))) if isinstance(fact, Package)]

    assert (facts[0].licenses, facts[0].cpes, facts[0].ecosystem) == (("RSALv2",), (CPE,), "Bitnami")
    assert (others[0].licenses, others[2].cpes) == (("MIT", "A OR B"), (CPE,))


def test_a_component_of_bitnami_owns_its_directory() -> None:
    facts = list(parse(layer_file(BITNAMI, json.dumps(SPDX))))
    trees = [(fact.name, fact.directories) for fact in facts if isinstance(fact, PackageDetails)]

    assert trees == [("redis", ("opt/bitnami/redis",))]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("app/bom.json", '{"name": "no sbom"}'),
        ("app/bom.json", "{"),
        ("app/bom.xml", "<project><artifactId>bom</artifactId></project>"),
        ("app/LICENSE.spdx", "SPDX-License-Identifier: MIT\n"),
        ("app/sbom", "\x7fELF"),
        ("app/a.spdx.json", ""),
        ("app/a.cdx.json", '{"bomFormat": "CycloneDX"}'),
        ("app/a.spdx.json", {"spdxVersion": "SPDX-2.3", "packages": None}),
    ],
)
def test_what_is_only_named_like_an_sbom_means_nothing(path: str, content: object) -> None:
    assert purls(path, content) == ([], "")


NESTED = '{"bomFormat": "CycloneDX", "components": [' + '{"components": [' * 60 + "]}" * 60 + "]}"
BROKEN = [
    ("a.cdx.json", '{"bomFormat": "CycloneDX", "components": [', "an SBOM"),
    ("a.cdx.json", '{"bomFormat": "CycloneDX", "components": {}}', "an SBOM"),
    ("a.spdx.json", '{"spdxVersion": "SPDX-2.2", "packages": [{"externalRefs": [1]}]}', "an SBOM"),
    ("a.cdx.json", NESTED, "nested deeper than 50"),
    ("a.cdx.json", '{"bomFormat": "CycloneDX", "components": [' + '{"components": [' * 50_000, "an SBOM"),
    ("a.cdx.json", '{"bomFormat": "CycloneDX", "components": [' + "{}," * 2_000_001 + "{}]}", "more than 2000000 values"),
    ("a.cdx.xml", XML[:400], "expected XML"),
    ("a.cdx.xml", XML.replace("<bom", "<!DOCTYPE bom [<!ENTITY a 'b'>]><bom"), "without a document type"),
    ("a.cdx.xml", XML.replace("<metadata>", "<x>" * 300), "deeper than 200"),
    ("a.spdx.yaml", "spdxVersion: SPDX-2.3\npackages: []\n", "RDF or YAML"),
    ("a.spdx.rdf", '<rdf:RDF xmlns:spdx="http://spdx.org/rdf/terms#">', "RDF or YAML"),
    ("opt/bitnami/.bitnami_components.json", "[]", "list of components"),
    ("opt/bitnami/.bitnami_components.json", '{"a": {"arch": "amd64"}}', "no version of a"),
]


@pytest.mark.parametrize(("path", "content", "reason"), BROKEN)
def test_an_sbom_that_cannot_be_read_is_a_gap(path: str, content: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        list(parse(layer_file(path, content)))


def test_the_other_components_count_though_one_is_unreadable() -> None:
    found, error = purls("a.cdx.json", {"bomFormat": "CycloneDX", "components": [{"purl": "pkg:npm/"}, {"purl": "pkg:npm/b@1"}]})

    assert found == ["pkg:npm/b@1"]
    assert "package URL" in error


def test_more_components_than_any_image_has_are_a_gap() -> None:
    components = [{"purl": f"pkg:npm/a@{number}"} for number in range(MAX_COMPONENTS + 1)]
    facts, error = read(parse, layer_file("a.cdx.json", json.dumps({"bomFormat": "CycloneDX", "components": components})))

    assert len(facts) == MAX_COMPONENTS
    assert f"more than {MAX_COMPONENTS} components" in error


def test_sboms_are_told_by_the_names_that_tools_give_them() -> None:
    wanted = ("var/lib/db/sbom/a-1.spdx.json", "a.cdx", "app/sbom.json", "opt/python/.spdx.python.json", "x.dist-info/sboms/a.cdx.json")
    others = ("package.json", "a.json", "spdx", "bom.txt", "a.spdx.md")

    assert all(map(ANALYZER.paths.matches, wanted))
    assert not any(map(ANALYZER.paths.matches, others))


@given(mutated(*(json.dumps(form).encode() for form in (SPDX, CYCLONEDX, SPDX_3, SYFT, LIST)), XML.encode(), TAG_VALUE.encode()))
def test_any_bytes_give_facts_or_an_input_error(content: bytes) -> None:
    answer_or_refuse(parse, layer_file(BITNAMI, content))
    answer_or_refuse(parse, layer_file("opt/bitnami/.bitnami_components.json", content))
