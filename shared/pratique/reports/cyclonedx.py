"""CycloneDX 1.6 through its library: an SBOM, with vulnerabilities when the report has findings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from cyclonedx.model import Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.impact_analysis import ImpactAnalysisAffectedStatus
from cyclonedx.model.vulnerability import (
    BomTarget,
    BomTargetVersionRange,
    Vulnerability,
    VulnerabilityAdvisory,
    VulnerabilityRating,
    VulnerabilitySeverity,
    VulnerabilitySource,
)
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from pratique import __version__
from pratique.findings import Finding, FindingKind, Severity
from pratique.inventory.package import InstalledPackage
from pratique.reports.report import Report

_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*"
_URL_PART = r"(?:[A-Za-z0-9\-._~:/?@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*"
_URL = re.compile(rf"https?://[A-Za-z0-9._-]+(?::[0-9]{{1,5}})?(?:[/?]{_URL_PART})?(?:#{_URL_PART})?")
_SEVERITIES = {
    Severity.CRITICAL: VulnerabilitySeverity.CRITICAL,
    Severity.HIGH: VulnerabilitySeverity.HIGH,
    Severity.MEDIUM: VulnerabilitySeverity.MEDIUM,
    Severity.LOW: VulnerabilitySeverity.LOW,
    Severity.NEGLIGIBLE: VulnerabilitySeverity.INFO,
    Severity.UNKNOWN: VulnerabilitySeverity.UNKNOWN,
}


def render_cyclonedx(report: Report) -> bytes:
    """Render the report as a CycloneDX 1.6 JSON document."""
    bom = Bom()
    bom.metadata.component = _image_component(report)
    bom.metadata.tools.components.add(Component(type=ComponentType.APPLICATION, name="pratique", version=__version__))
    bom.metadata.properties.add(Property(name="pratique:coverage", value=str(report.coverage.status)))
    components = {installed.package.purl: _component(installed) for installed in report.packages}
    bom.components.update(components.values())
    bom.register_dependency(bom.metadata.component, components.values())
    bom.vulnerabilities.update(_vulnerabilities(report.findings, components))
    return JsonV1Dot6(bom).output_as_string(indent=2).encode() + b"\n"


def _image_component(report: Report) -> Component:
    target = report.target
    return Component(type=ComponentType.CONTAINER, name=target.reference, version=target.digest, bom_ref=target.digest or target.reference)


def _component(installed: InstalledPackage) -> Component:
    package = installed.package
    properties = [Property(name="pratique:path", value=path) for path in installed.paths]
    if installed.layer:
        properties.append(Property(name="pratique:layer", value=installed.layer))
    if package.is_os_package:
        properties.append(Property(name="pratique:source", value=f"{package.matching_name} {package.matching_version}"))
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        group=package.namespace if package.type == "npm" and package.namespace else None,
        version=package.version,
        purl=PackageURL.from_string(package.purl),
        bom_ref=package.purl,
        properties=properties,
    )


def _vulnerabilities(findings: Iterable[Finding], components: dict[str, Component]) -> list[Vulnerability]:
    by_id: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.kind is FindingKind.VULNERABILITY and finding.package in components:
            by_id.setdefault(finding.id, []).append(finding)
    return [_vulnerability(group) for group in by_id.values()]


def _vulnerability(group: list[Finding]) -> Vulnerability:
    first = max(group, key=lambda finding: finding.severity)
    return Vulnerability(
        bom_ref=BomRef(f"vulnerability:{first.id}"),
        id=first.id,
        source=VulnerabilitySource(name="OSV", url=XsUri(f"https://osv.dev/vulnerability/{quote(first.id)}")),
        description=first.title or None,
        recommendation=first.recommendation or None,
        ratings=[VulnerabilityRating(severity=_SEVERITIES[first.severity])],
        advisories=[VulnerabilityAdvisory(url=XsUri(url)) for url in _valid(first.references)],
        affects=[_affected(finding) for finding in group],
    )


def _valid(references: Iterable[str]) -> list[str]:
    """The references that the format takes: feeds hold URLs with spaces, which can be quoted, and text that is no URL, which cannot be kept."""
    quoted = (quote(url, safe=_URL_CHARACTERS) for url in references)
    return [url for url in quoted if _URL.fullmatch(url)]


def _affected(finding: Finding) -> BomTarget:
    version = BomTargetVersionRange(version=finding.installed, status=ImpactAnalysisAffectedStatus.AFFECTED)
    return BomTarget(ref=finding.package or "", versions=[version])
