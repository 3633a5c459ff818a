"""The operations of the API: from what was asked to the document that answers it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pratique.errors import MissingError
from pratique.findings import count_by_severity
from pratique.reports.json import finding_document, package_document, render_json, suppressed_document
from pratique.storage.audit import load_audit
from pratique.storage.decisions import load_actions, load_decision
from pratique.storage.engine import Database
from pratique.storage.queries import AffectedImage, list_affected_images, list_images, load_scan_attempts
from pratique.storage.scans import ScanRow
from pratique.vex.trust import VexTrust
from pratique_services.api import documents
from pratique_services.api.access import Caller
from pratique_services.api.commands import Commands
from pratique_services.api.inputs import (
    AttemptsQuery,
    AuditQuery,
    DecisionPath,
    FindingsQuery,
    ImagesQuery,
    OfImage,
    PackagesQuery,
    WhereQuery,
    parse_reference,
)
from pratique_services.api.lookup import load_artifact_kind, load_contents, load_judged, load_known, load_report, load_scanned
from pratique_services.api.paging import (
    AffectedKey,
    FindingKey,
    PackageKey,
    cut,
    decode_cursor,
    encode_cursor,
    finding_key,
    package_key,
    page_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: who asks, and what with. `vex` takes findings away."""

    caller: Caller
    database: Database
    commands: Commands
    vex: VexTrust


async def read_status(call: Call, asked: OfImage) -> documents.Status:
    """Answer all that is known about a reference."""
    reference = parse_reference(asked.reference)
    async with call.database.reading() as session:
        status = await load_known(session, reference)
        return documents.status_document(str(reference), status, artifact=await load_artifact_kind(session, status))


async def read_images(call: Call, asked: ImagesQuery) -> documents.Images:
    """Answer a page of images."""
    async with call.database.reading() as session:
        found = await list_images(session, repository=asked.repository, status=asked.status, after=asked.after, limit=asked.limit + 1)
    page = cut(found, asked.limit, lambda image: image.cursor)
    return documents.Images(images=tuple(map(documents.image_document, page.items)), next=page.next)


async def read_findings(call: Call, asked: FindingsQuery) -> documents.Findings:
    """Answer a page of an image's findings."""
    reference, after = parse_reference(asked.reference), decode_cursor(asked.after, FindingKey)
    async with call.database.reading() as session:
        status, digest = await load_scanned(session, reference)
        judged, _ = await load_judged(session, status, digest, call.vex)
    suppressed = {one.finding: one for one in judged.suppressed}
    listed = suppressed if asked.suppressed else judged.findings
    wanted = [finding for finding in listed if asked.severity in {None, str(finding.severity)}]
    page = page_of(wanted, finding_key, after=after, limit=asked.limit)
    return documents.Findings(
        reference=str(reference),
        digest=digest,
        summary=count_by_severity(judged.findings),
        suppressed_total=len(suppressed),
        findings=() if asked.suppressed else tuple(map(finding_document, page.items)),
        suppressed=tuple(suppressed_document(suppressed[finding]) for finding in page.items) if asked.suppressed else (),
        next=page.next,
    )


async def read_packages(call: Call, asked: PackagesQuery) -> documents.Packages:
    """Answer a page of an image's packages."""
    reference, after = parse_reference(asked.reference), decode_cursor(asked.after, PackageKey)
    async with call.database.reading() as session:
        _, digest = await load_scanned(session, reference)
        packages = (await load_contents(session, digest)).packages
    page = page_of(packages, package_key, after=after, limit=asked.limit)
    return documents.Packages(
        reference=str(reference),
        digest=digest,
        total=len(packages),
        packages=tuple(map(package_document, page.items)),
        next=page.next,
    )


async def read_report(call: Call, asked: OfImage) -> bytes:
    """Answer the whole report, as `pratique scan --format json` writes it."""
    reference = parse_reference(asked.reference)
    async with call.database.reading() as session:
        status, digest = await load_scanned(session, reference)
        report = await load_report(session, reference, status, digest, call.vex)
    return await asyncio.to_thread(render_json, report)  # some reports have tens of thousands of lines; others wait for the loop


async def read_decision(call: Call, asked: DecisionPath) -> documents.Decision:
    """Answer one decision."""
    async with call.database.reading() as session:
        decision = await load_decision(session, asked.id)
        if decision is None:
            raise MissingError(f"there is no decision {asked.id}")
        return documents.decision_document(decision, await load_actions(session, decision.id))


async def read_attempts(call: Call, asked: AttemptsQuery) -> documents.Attempts:
    """Answer the scans of an image."""
    reference = parse_reference(asked.reference)
    async with call.database.reading() as session:
        status = await load_known(session, reference)
        scans: tuple[ScanRow, ...] = (status.scan,) if status.scan else ()
        if status.digest is not None:
            scans = await load_scan_attempts(session, status.host, status.repository, digest=status.digest, limit=asked.limit)
    return documents.Attempts(reference=str(reference), attempts=tuple(map(documents.attempt_document, scans)))


async def read_audit(call: Call, asked: AuditQuery) -> documents.AuditLines:
    """Answer a page of the audit trail."""
    async with call.database.reading() as session:
        lines = await load_audit(session, subject=asked.subject, after=asked.after, limit=asked.limit + 1)
    page = cut(lines, asked.limit, lambda line: line.id)
    return documents.AuditLines(lines=tuple(map(documents.audit_document, page.items)), next=page.next)


async def read_where(call: Call, asked: WhereQuery) -> documents.Where:
    """Answer where a vulnerability is."""
    name, after = vulnerability_name(asked.vulnerability), decode_cursor(asked.after, AffectedKey)
    async with call.database.reading() as session:
        found = await list_affected_images(session, name, after=after, limit=asked.limit + 1)
    page = cut(found, asked.limit, affected_cursor)
    return documents.Where(vulnerability=name, images=tuple(map(documents.affected_document, page.items)), next=page.next)


async def order_scan(call: Call, asked: OfImage) -> documents.ScanRequested:
    """Queue a scan."""
    reference = parse_reference(asked.reference)
    ordered = await call.commands.order_scan(call.caller, reference)
    return documents.ScanRequested(reference=str(reference), scan_id=ordered.scan_id, correlation_id=ordered.correlation_id)


async def order_release(call: Call, asked: OfImage) -> documents.ReleaseAccepted:
    """Ask for a release."""
    reference = parse_reference(asked.reference)
    decision = await call.commands.order_release(call.caller, reference)
    return documents.ReleaseAccepted(reference=str(reference), digest=decision.image_digest, decision_id=decision.id)


def vulnerability_name(text: str) -> str:
    """Spell a name as advisories do: CVEs in capitals, however they were typed."""
    return text.upper() if text[:4].upper() == "CVE-" else text


def affected_cursor(image: AffectedImage) -> str:
    """Name an image in a list of affected ones."""
    return encode_cursor(AffectedKey(image.host, image.repository, image.digest))
