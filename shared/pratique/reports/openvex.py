"""OpenVEX 0.2.0: what a scan found as the beginning of statements, and what VEX said of it already.

A finding with an update is `affected`, and the update its action; one without is `under_investigation`, since nobody has looked at it yet. Suppressed findings keep their status.
Source: openvex/spec `OPENVEX-SPEC.md`, `openvex_json_schema.json`. The schema wants one statement at least: where nothing was found, there is none, which readers take.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from pratique import __version__
from pratique.errors import InputError
from pratique.findings import Finding, FindingKind
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique.reports.report import Report, Target
from pratique.reports.sbom_parts import TOOL, created_at
from pratique.vex.statement import CYCLONEDX_JUSTIFICATIONS, JUSTIFICATIONS, VexStatement, VexStatus

CONTEXT = "https://openvex.dev/ns/v0.2.0"
_NAMESPACE = "https://pratique.dev/vex"
_LOCAL = ("oci:", "docker-archive:", "dir:", "sbom:")
_HASHES = {"sha256": "sha-256", "sha512": "sha-512"}

_Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What statements about several packages have in common."""

    vulnerability: str
    aliases: tuple[str, ...]
    status: VexStatus
    justification: str = ""
    impact: str = ""
    action: str = ""


def render_openvex(report: Report) -> bytes:
    """Render the vulnerabilities of the report as an OpenVEX document. The same report gives the same bytes but for the time, and the same `@id`."""
    groups: dict[_Kind, dict[str, None]] = {}
    for kind, package in _statements(report):
        groups.setdefault(kind, {})[package] = None
    statements = [_statement(kind, list(packages), report.target) for kind, packages in groups.items()]
    number = hashlib.sha256(msgspec.json.encode(statements)).hexdigest()
    document = {
        "@context": CONTEXT,
        "@id": f"{_NAMESPACE}/{number}",
        "author": TOOL,
        "timestamp": created_at(),
        "version": 1,
        "tooling": f"{TOOL} {__version__}",
        "statements": statements,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _statements(report: Report) -> Iterator[tuple[_Kind, str]]:
    for finding in report.findings:
        if finding.kind is FindingKind.VULNERABILITY and finding.package:
            yield _open(finding), finding.package
    for suppressed in report.suppressed:
        for statement in suppressed.statements:
            yield _said(statement), suppressed.finding.package or ""


def _open(finding: Finding) -> _Kind:
    action = finding.recommendation or (f"update to {finding.fixed_in}" if finding.fixed_in else "")
    status = VexStatus.AFFECTED if action else VexStatus.UNDER_INVESTIGATION
    return _Kind(vulnerability=finding.cve, aliases=_others(finding), status=status, action=action)


def _others(finding: Finding) -> tuple[str, ...]:
    names = dict.fromkeys((finding.id, *finding.aliases))
    return tuple(name for name in names if name != finding.cve)


def _said(statement: VexStatement) -> _Kind:
    """In OpenVEX's words; where another format's label is not among those, it stands in the impact statement."""
    label = statement.justification
    known = label if label in JUSTIFICATIONS else CYCLONEDX_JUSTIFICATIONS.get(label, "")
    impact = ": ".join(filter(None, ["" if known == label else label, statement.impact]))
    is_open = statement.status is VexStatus.NOT_AFFECTED
    return _Kind(
        vulnerability=statement.vulnerability,
        aliases=tuple(dict.fromkeys(alias for alias in statement.aliases if alias != statement.vulnerability)),
        status=statement.status,
        justification=known if is_open else "",
        impact=impact if is_open else "",
    )


def _statement(kind: _Kind, packages: list[str], target: Target) -> _Object:
    optional = {"justification": kind.justification, "impact_statement": kind.impact, "action_statement": kind.action}
    vulnerability: _Object = {"name": kind.vulnerability}
    if kind.aliases:
        vulnerability["aliases"] = list(kind.aliases)
    return {
        "vulnerability": vulnerability,
        "products": _products(target, packages),
        "status": str(kind.status),
        **{key: value for key, value in optional.items() if value},
    }


def _products(target: Target, packages: list[str]) -> list[_Object]:
    """The image with the packages in it; without a digest, the packages alone."""
    parts: list[_Object] = [{"@id": package} for package in packages]
    if target.digest is None:
        return parts
    digest = Digest.parse(target.digest)
    purl = _image_purl(target.reference, digest)
    named: _Object = {"@id": purl, "identifiers": {"purl": purl}} if purl else {"@id": str(digest)}
    return [{**named, "hashes": {_HASHES[digest.algorithm]: digest.hex}, "subcomponents": parts}]


def _image_purl(reference: str, digest: Digest) -> str:
    """The image by name and digest (purl-spec, "oci"); empty for what lies in no registry."""
    if reference.startswith(_LOCAL):
        return ""
    try:
        place = Reference.parse(reference)
    except InputError:
        return ""
    name = place.repository.rpartition("/")[2]
    return f"pkg:oci/{name}@{digest.algorithm}%3A{digest.hex}?repository_url={place.name.replace(':', '%3A')}"
