"""SPDX 3.0.1 JSON-LD, built directly: the library takes six times as long; it judges in tests what is written here.

Inventories: Core, Software, SimpleLicensing and Extension profiles. The image contains its packages, and an OS package the language packages that came in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from pratique import __version__
from pratique.inventory.package import InstalledPackage
from pratique.reports.report import Report
from pratique.reports.sbom_parts import TOOL, LicenseRefs, created_at, document_id, is_cpe, reference_name, refs_in, unique_keys
from pratique.reports.spdx import NAMESPACE_ROOT
from pratique.sboms.facts import CPE, NAMESPACE, Fact, coverage_facts, distribution_facts, package_facts

CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"

_CREATION = "_:creation"

_Object = dict[str, Any]


def render_spdx3(report: Report) -> bytes:
    """Render the report's inventory as an SPDX 3.0.1 JSON-LD document. Packages stay in their order; the same report gives the same bytes but for the time."""
    graph = _Graph(f"{NAMESPACE_ROOT}/{document_id(report)}")
    graph.add_head(report)
    owners = dict[str, list[str]]()
    ids = {key: graph.id("package", key) for key in unique_keys(report.packages)}
    parts = [graph.add_system(report)] if report.target.distribution else []
    for installed, one in zip(report.packages, ids.values(), strict=True):
        graph.add_package(installed, one)
        owner = ids.get(installed.owned_by or "", one)
        (parts if owner == one else owners.setdefault(owner, [])).append(one)
    completeness = "complete" if report.coverage.items and not report.coverage.gaps else "incomplete"
    for owner, owned in {graph.image: parts, **owners}.items():
        graph.add_relationship(owner, "contains", owned, completeness=completeness if owner == graph.image else "noAssertion")
    graph.add_licenses()
    document = {"@context": CONTEXT, "@graph": graph.elements}
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


class _Graph:
    """The elements of one document, in which each has an id below the document's own namespace."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.image = f"{root}#image"
        self.elements: list[_Object] = []
        self._refs = LicenseRefs()
        self._suppliers: dict[str, str] = {}
        self._licenses: dict[str, str] = {}

    def id(self, kind: str, key: str) -> str:
        """Make an id of what the element is."""
        return f"{self._root}#{kind}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"

    def add_head(self, report: Report) -> None:
        """Add who made the document, the document, the SBOM in it, and the image that this is about."""
        tool, sbom, name = f"{self._root}#tool", f"{self._root}#sbom", reference_name(report)
        self.elements.append(
            {"type": "CreationInfo", "@id": _CREATION, "specVersion": "3.0.1", "created": created_at(), "createdBy": [tool]}
        )
        self._add("SoftwareAgent", tool, name=f"{TOOL}-{__version__}")
        profiles = ["core", "software", "simpleLicensing", "extension"]
        self._add("SpdxDocument", f"{self._root}#document", name=name, profileConformance=profiles, rootElement=[sbom])
        self._add(
            "software_Sbom",
            sbom,
            name=name,
            software_sbomType=["analyzed"],
            rootElement=[self.image],
            extension=_extension(coverage_facts(report.coverage)),
        )
        version = {"software_packageVersion": report.target.digest} if report.target.digest else {}
        self._add("software_Package", self.image, name=name, software_primaryPurpose="container", **version)

    def add_system(self, report: Report) -> str:
        """Add the distribution."""
        one, distribution = f"{self._root}#operating-system", report.target.distribution
        assert distribution is not None  # noqa: S101 - the only caller asks
        stated = {"software_packageVersion": distribution.version_id, "description": distribution.pretty_name}
        self._add(
            "software_Package",
            one,
            name=distribution.id,
            software_primaryPurpose="operatingSystem",
            extension=_extension(distribution_facts(distribution)),
            **{key: value for key, value in stated.items() if value},
        )
        return one

    def add_package(self, installed: InstalledPackage, one: str) -> None:
        """Add a package, its supplier and the licences that it declares."""
        package = installed.package
        facts = package_facts(installed)
        if package.namespace and not package.is_os_package:
            facts.append((NAMESPACE, package.namespace))
        cpes = [cpe for cpe in package.cpes if is_cpe(cpe)]
        facts += [(CPE, cpe) for cpe in package.cpes if cpe not in cpes]
        stated: _Object = {
            "software_packageVersion": package.version,
            "software_packageUrl": package.purl,
            "software_primaryPurpose": "library",
            "extension": _extension(facts),
        }
        if package.is_os_package:
            stated["software_sourceInfo"] = f"built package from: {package.matching_name} {package.matching_version}"
        if cpes:
            stated["externalIdentifier"] = [
                {"type": "ExternalIdentifier", "externalIdentifierType": "cpe23", "identifier": cpe} for cpe in cpes
            ]
        if package.vendor.strip():
            stated["suppliedBy"] = self._supplier(package.vendor)
        self._add("software_Package", one, name=package.name, **stated)
        if package.licenses:
            self.add_relationship(one, "hasDeclaredLicense", [self._license(package.licenses)])

    def add_relationship(self, one: str, kind: str, others: Sequence[str], **more: str) -> None:
        """Add a relationship, unless it is one to nothing."""
        if others:
            name = f"{one.rpartition('#')[2]}-{kind}"
            self._add("Relationship", f"{self._root}#{name}", **{"from": one, "relationshipType": kind, "to": list(others), **more})

    def add_licenses(self) -> None:
        """Add the licences that packages declare, and those among them that SPDX's list does not have."""
        texts = {ref: self.id("license-text", ref) for ref in self._refs.texts}
        for ref, one in texts.items():
            text = self._refs.texts[ref]
            self._add("simplelicensing_SimpleLicensingText", one, name=text, simplelicensing_licenseText=text)
        for expression, one in self._licenses.items():
            used = [(ref, texts[ref]) for ref in refs_in(expression) if ref in texts]
            custom = [{"type": "DictionaryEntry", "key": ref, "value": text} for ref, text in used]
            more = {"simplelicensing_customIdToUri": custom} if custom else {}
            self._add("simplelicensing_LicenseExpression", one, simplelicensing_licenseExpression=expression, **more)

    def _add(self, kind: str, one: str, **fields: object) -> None:
        self.elements.append({"type": kind, "spdxId": one, "creationInfo": _CREATION, **fields})

    def _supplier(self, vendor: str) -> str:
        if vendor not in self._suppliers:
            self._suppliers[vendor] = self.id("supplier", vendor)
            self._add("Organization", self._suppliers[vendor], name=vendor)
        return self._suppliers[vendor]

    def _license(self, licenses: tuple[str, ...]) -> str:
        expression = self._refs.declare(licenses)
        return self._licenses.setdefault(expression, self.id("license", expression))


def _extension(facts: Sequence[Fact]) -> list[_Object]:
    """CycloneDX's properties, which SPDX 3 has an extension for."""
    entries = [
        {"type": "extension_CdxPropertyEntry", "extension_cdxPropName": name, "extension_cdxPropValue": value} for name, value in facts
    ]
    return [{"type": "extension_CdxPropertiesExtension", "extension_cdxProperty": entries}]
