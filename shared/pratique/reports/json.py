"""The JSON report: a stable contract, described by `report.schema.json` beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.findings import Finding, count_by_severity
from pratique.inventory.coverage import Coverage
from pratique.inventory.package import InstalledPackage
from pratique.policy.verdict import Verdict
from pratique.reports.file_document import account_document
from pratique.reports.report import SCHEMA_VERSION, ImageFiles, Report

if TYPE_CHECKING:
    from pratique.vex.applying import SuppressedFinding

SCHEMA_PATH = Path(__file__).with_name("report.schema.json")


def render_json(report: Report) -> bytes:
    """Render the report as indented JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(report_document(report)), indent=2) + b"\n"


def report_document(report: Report) -> Mapping[str, Any]:
    """Build the JSON document of a report."""
    target = report.target
    distribution = target.distribution
    return {
        "schema_version": SCHEMA_VERSION,
        "target": {
            "reference": target.reference,
            "digest": target.digest,
            "platform": target.platform,
            "os": {"id": distribution.id, "version_id": distribution.version_id, "eol": target.eol} if distribution else None,
        },
        "packages": [package_document(package) for package in report.packages],
        "findings": [finding_document(finding) for finding in report.findings],
        "suppressed": [suppressed_document(suppressed) for suppressed in report.suppressed],
        "notes": list(report.notes),
        "coverage": coverage_document(report.coverage),
        "files": [files_document(image) for image in report.files],
        "summary": count_by_severity(report.findings),
        "recommendations": list(report.recommendations),
        "verdict": verdict_document(report.verdict) if report.verdict else None,
    }


def package_document(installed: InstalledPackage) -> Mapping[str, Any]:
    """Build one entry of `packages`."""
    package = installed.package
    has_source = package.source_name is not None or package.source_version is not None
    source = {"name": package.matching_name, "version": package.matching_version} if has_source else None
    return {
        "purl": package.purl,
        "name": package.name,
        "version": package.version,
        "ecosystem": package.ecosystem,
        "source": source,
        "layer": installed.layer,
        "paths": list(installed.paths),
        "architecture": package.architecture,
        "vendor": package.vendor,
        "licenses": list(package.licenses),
        "cpes": list(package.cpes),
        "owned_by": installed.owned_by,
    }


def files_document(image: ImageFiles) -> Mapping[str, Any]:
    """Build one entry of `files`."""
    return {
        "digest": image.digest,
        "platform": image.platform,
        **account_document(image.account),
        "entries": [
            {
                "path": entry.path,
                "state": str(entry.state),
                "layer": entry.layer,
                "owner": entry.owner,
                "executable": entry.executable is not None,
            }
            for entry in image.files
        ],
    }


def finding_document(finding: Finding) -> Mapping[str, Any]:
    """Build one entry of `findings`."""
    return {
        "kind": str(finding.kind),
        "id": finding.id,
        "aliases": list(finding.aliases),
        "severity": str(finding.severity),
        "severity_source": finding.severity_source,
        "ratings": [{"source": one.source, "severity": str(one.severity), "vector": one.vector} for one in finding.ratings],
        "exploited_since": finding.exploited_since,
        "epss": finding.epss,
        "title": finding.title,
        "package": finding.package,
        "installed": finding.installed,
        "fixed_in": finding.fixed_in,
        "status": finding.status,
        "path": finding.path,
        "layer": finding.layer,
        "references": list(finding.references),
        "recommendation": finding.recommendation,
    }


def suppressed_document(suppressed: SuppressedFinding) -> Mapping[str, Any]:
    """Build one entry of `suppressed`."""
    return {
        "finding": finding_document(suppressed.finding),
        "statements": [
            {
                "vulnerability": statement.vulnerability,
                "status": str(statement.status),
                "justification": statement.justification,
                "impact": statement.impact,
                "author": statement.author,
                "timestamp": statement.holds_since.isoformat() if statement.timestamp or statement.last_updated else None,
                "source": statement.source,
            }
            for statement in suppressed.statements
        ],
    }


def coverage_document(coverage: Coverage) -> Mapping[str, Any]:
    """Build `coverage`."""
    return {
        "status": str(coverage.status),
        "items": [
            {"name": item.name, "version": item.version, "status": str(item.status), "reason": item.reason} for item in coverage.items
        ],
        "feeds": [{"name": feed.name, "updated": feed.updated, "failure": feed.failure} for feed in coverage.feeds],
    }


def verdict_document(verdict: Verdict) -> Mapping[str, Any]:
    """Build `verdict`."""
    return {
        "status": str(verdict.status),
        "reasons": [{"rule": reason.rule, "message": reason.message, "count": reason.count} for reason in verdict.reasons],
        "policy": verdict.policy,
        "policy_digest": verdict.policy_digest,
        "waived": verdict.waived,
    }
