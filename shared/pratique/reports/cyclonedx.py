"""CycloneDX 1.6 JSON, built directly: the library takes nine seconds for 4,000 packages where this takes a tenth of one, so it judges in tests what is written here.

Inventories and vulnerabilities. The image depends on its packages, and an OS package on the language packages that came in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from pratique import __version__
from pratique.findings import Finding, FindingKind, Severity
from pratique.inventory.package import InstalledPackage
from pratique.reports.report import Report, Target
from pratique.reports.sbom_parts import TOOL, created_at, document_id, is_cpe, is_license_id, reference_name, spdx_expression, unique_keys
from pratique.sboms.facts import CPE, Fact, coverage_facts, distribution_facts, package_facts
from pratique.vex.statement import CYCLONEDX_JUSTIFICATIONS, VexStatement, VexStatus

if TYPE_CHECKING:
    from pratique.vex.applying import SuppressedFinding

_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*"
_URL_PART = r"(?:[A-Za-z0-9\-._~:/?@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*"
_URL = re.compile(rf"https?://[A-Za-z0-9._-]+(?::[0-9]{{1,5}})?(?:[/?]{_URL_PART})?(?:#{_URL_PART})?")
_RATINGS = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "high",
    Severity.MEDIUM: "medium",
    Severity.LOW: "low",
    Severity.NEGLIGIBLE: "info",
    Severity.UNKNOWN: "unknown",
}
_JUSTIFICATIONS = {
    "vulnerable_code_not_present": "code_not_present",
    "vulnerable_code_not_in_execute_path": "code_not_reachable",
    "inline_mitigations_already_exist": "protected_by_mitigating_control",
}
_OS_REF = "operating-system"

_Object = dict[str, Any]


def render_cyclonedx(report: Report) -> bytes:
    """Render the report as a CycloneDX 1.6 JSON document. Packages stay in their order, and the same report gives the same bytes but for the time."""
    image = _image_component(report.target, reference_name(report))
    keys = unique_keys(report.packages)
    system = [_os_component(report.target)] if report.target.distribution else []
    components = system + [_component(installed, key) for installed, key in zip(report.packages, keys, strict=True)]
    is_whole = not report.coverage.gaps and bool(report.coverage.items)
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{document_id(report)}",
        "version": 1,
        "metadata": {
            "timestamp": created_at(),
            "tools": {"components": [{"type": "application", "name": TOOL, "version": __version__}]},
            "component": image,
            "properties": _properties(coverage_facts(report.coverage)),
        },
        "components": components,
        "dependencies": _dependencies(report, image["bom-ref"], keys),
        "compositions": [{"aggregate": "complete" if is_whole else "incomplete", "assemblies": [image["bom-ref"]]}],
    }
    vulnerabilities = [*_vulnerabilities(report.findings, set(keys)), *_suppressed(report.suppressed, set(keys))]
    if vulnerabilities:
        document["vulnerabilities"] = vulnerabilities
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _image_component(target: Target, name: str) -> _Object:
    component: _Object = {"type": "container", "bom-ref": target.digest or f"image:{name}", "name": name}
    if target.digest:
        component["version"] = target.digest
    if target.platform:
        component["properties"] = _properties([("pratique:platform", target.platform)])
    return component


def _os_component(target: Target) -> _Object:
    distribution = target.distribution
    assert distribution is not None  # noqa: S101 - the only caller asks
    component: _Object = {"type": "operating-system", "bom-ref": _OS_REF, "name": distribution.id}
    if distribution.version_id:
        component["version"] = distribution.version_id
    if distribution.pretty_name:
        component["description"] = distribution.pretty_name
    return {**component, "properties": _properties(distribution_facts(distribution))}


def _component(installed: InstalledPackage, key: str) -> _Object:
    package = installed.package
    facts = package_facts(installed)
    component: _Object = {
        "type": "library",
        "bom-ref": key,
        "name": package.name,
        "version": package.version,
        "purl": key.partition("#")[0],
    }
    if package.vendor:
        component["supplier"] = {"name": package.vendor}
    if package.namespace and not package.is_os_package:
        component["group"] = package.namespace
    if package.licenses:
        component["licenses"] = _licenses(package.licenses)
    if package.cpes:
        first, *others = package.cpes
        if is_cpe(first):
            component["cpe"] = first
        else:
            others = list(package.cpes)
        facts += [(CPE, cpe) for cpe in others]
    component["properties"] = _properties(facts)
    return component


def _licenses(licenses: Sequence[str]) -> list[_Object]:
    """Ids and names side by side, or one expression alone: the format takes no expression beside others."""
    known = [(text, spdx_expression(text)) for text in licenses]
    if len(known) == 1 and known[0][1] is not None and not is_license_id(known[0][1]):
        return [{"expression": known[0][1]}]
    named = [{"id": found} if found is not None and is_license_id(found) else {"name": text} for text, found in known]
    return [{"license": one} for one in named]


def _properties(facts: Iterable[Fact]) -> list[_Object]:
    return [{"name": name, "value": value} for name, value in facts]


def _dependencies(report: Report, image: str, keys: Sequence[str]) -> list[_Object]:
    known, owned = set(keys), dict[str, list[str]]()
    direct = [_OS_REF] if report.target.distribution else []
    for installed, key in zip(report.packages, keys, strict=True):
        is_part = installed.owned_by in known and installed.owned_by != key
        (owned.setdefault(installed.owned_by or "", []) if is_part else direct).append(key)
    parts = [{"ref": owner, "dependsOn": names} for owner, names in sorted(owned.items())]
    return [{"ref": image, "dependsOn": direct}, *parts]


def _vulnerabilities(findings: Iterable[Finding], known: set[str]) -> list[_Object]:
    by_id: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.kind is FindingKind.VULNERABILITY and finding.package in known:
            by_id.setdefault(finding.id, []).append(finding)
    return [_vulnerability(group) for group in by_id.values()]


def _suppressed(suppressed: Iterable[SuppressedFinding], known: set[str]) -> Iterator[_Object]:
    """Each with the analysis that takes it away: they may differ from package to package."""
    for one in suppressed:
        if one.finding.package in known:
            key = f"{one.finding.id}:{one.finding.package}"
            told = _vulnerability([one.finding], "unaffected")
            yield {**told, "bom-ref": f"vulnerability:{key}", "analysis": _analysis(one.statements[0])}


def _analysis(statement: VexStatement) -> _Object:
    """In CycloneDX's words; where there is none for a label, it stands in the detail."""
    label = statement.justification
    if statement.status is VexStatus.FIXED:
        return {"state": "resolved", **({"detail": statement.impact} if statement.impact else {})}
    if label == "false_positive":
        return {"state": label, **({"detail": statement.impact} if statement.impact else {})}
    known = label if label in CYCLONEDX_JUSTIFICATIONS else _JUSTIFICATIONS.get(label)
    detail = ": ".join(filter(None, ["" if known else label, statement.impact]))
    return {"state": "not_affected", **({"justification": known} if known else {}), **({"detail": detail} if detail else {})}


def _vulnerability(group: list[Finding], status: str = "affected") -> _Object:
    first = max(group, key=lambda finding: finding.severity)
    versions: dict[str, dict[str, None]] = {}
    for finding in group:
        versions.setdefault(finding.package or "", {})[finding.installed or ""] = None
    optional = {
        "description": first.title,
        "recommendation": first.recommendation,
        "advisories": [{"url": url} for url in _valid(first.references)],
        "properties": _properties(_exploitation(first)),
    }
    return {
        "bom-ref": f"vulnerability:{first.id}",
        "id": first.id,
        "source": {"name": "OSV", "url": f"https://osv.dev/vulnerability/{quote(first.id)}"},
        "ratings": [{"severity": _RATINGS[first.severity]}],
        **{key: value for key, value in optional.items() if value},
        "affects": [
            {"ref": ref, "versions": [{"version": version, "status": status} for version in found]} for ref, found in versions.items()
        ],
    }


def _exploitation(finding: Finding) -> Iterator[Fact]:
    """As properties: a rating with a score of its own would be taken for one of severity."""
    if finding.exploited_since is not None:
        yield "pratique:exploited_since", finding.exploited_since
    if finding.epss is not None:
        yield "pratique:epss", f"{finding.epss:g}"


def _valid(references: Iterable[str]) -> list[str]:
    """The references that the format takes: feeds hold URLs with spaces, which can be quoted, and text that is no URL, which cannot be kept."""
    quoted = (quote(url, safe=_URL_CHARACTERS) for url in references)
    return list(dict.fromkeys(url for url in quoted if _URL.fullmatch(url)))
