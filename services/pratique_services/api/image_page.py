"""The page of one image: may it ship, and if not, why not?

Everything is loaded in one transaction, so that verdict, findings and actions on a page belong together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.findings import Finding, count_by_severity
from pratique.inventory.coverage import Coverage
from pratique.inventory.eol import eol_state
from pratique.oci.reference import Reference
from pratique.reports.report import Report
from pratique.storage.audit import AuditRow, load_audit
from pratique.storage.decision_history import load_quarantining_decision
from pratique.storage.decisions import load_previous_digest
from pratique.storage.images import load_image
from pratique.storage.queries import StatusView, load_scan_attempts
from pratique.storage.scans import ScanRow
from pratique.vex.trust import VexTrust
from pratique_services.api import views, words
from pratique_services.api.browsing import Visit, see_other
from pratique_services.api.inputs import ImagePageQuery, parse_input, parse_reference
from pratique_services.api.lookup import load_artifact_kind, load_judged, load_known, load_report
from pratique_services.api.paging import FindingKey, decode_cursor, finding_key, page_of
from pratique_services.api.views import Change, image_path

_FINDINGS_SIZE = 50
_LINES = 20
_ADVICE = 8
_SUPPRESSED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """What is stored about an image; `report` is None while nothing was read of it."""

    status: StatusView
    artifact: str | None
    report: Report | None
    change: Change | None
    attempts: tuple[ScanRow, ...]
    audit: tuple[AuditRow, ...]
    is_quarantined: bool

    @property
    def findings(self) -> Sequence[Finding]:
        return self.report.findings if self.report else ()

    @property
    def coverage(self) -> Coverage | None:
        return self.report.coverage if self.report else None


async def show_image(visit: Visit) -> web.StreamResponse:
    """Show an image by its digest; a tag leads to the digest that it points to."""
    reference = parse_reference(visit.request.match_info["reference"])
    query = parse_input(ImagePageQuery, {name: value for name, value in visit.request.query.items() if value})
    after = decode_cursor(query.after, FindingKey)
    async with visit.database.reading() as session:
        status = await load_known(session, reference)
        if reference.digest is None and status.digest is not None:
            return see_other(image_path(status.host, status.repository, digest=status.digest))
        loaded = await _load(session, reference, status, visit.vex)
    wanted = [finding for finding in loaded.findings if query.severity in {None, str(finding.severity)}]
    page = page_of(wanted, finding_key, after=after, limit=_FINDINGS_SIZE)
    path = image_path(status.host, status.repository, digest=status.digest, tag=status.tag)
    shown = {"severity": query.severity, "is_first": after is None, "rows": tuple(map(views.finding_row, page.items)), "total": len(wanted)}
    links = {"path": path, "next": f"{path}?{urlencode(_present(query.severity, page.next))}" if page.next else None}
    return visit.show("image.html", {**await _describe(visit, reference, loaded), **links, "findings": shown})


async def _load(session: AsyncSession, reference: Reference, status: StatusView, vex: VexTrust) -> _Loaded:
    digest = status.digest
    report = attempts = None
    if digest is not None and await load_image(session, digest) is not None:
        report = await load_report(session, reference, status, digest, vex)
    if digest is not None:
        attempts = await load_scan_attempts(session, status.host, status.repository, digest=digest, limit=_LINES)
    name = f"{status.host}/{status.repository}"
    subject = f"{name}@{digest}" if digest else f"{name}:{status.tag}"
    return _Loaded(
        status=status,
        artifact=await load_artifact_kind(session, status),
        report=report,
        change=await _load_change(session, status, report, vex) if report else None,
        attempts=attempts or ((status.scan,) if status.scan else ()),
        audit=await load_audit(session, subject=subject, limit=_LINES),
        is_quarantined=status.decision is not None and await load_quarantining_decision(session, status.decision.scan_id) is not None,
    )


async def _load_change(session: AsyncSession, status: StatusView, report: Report, vex: VexTrust) -> Change | None:
    """Compare with what the tag pointed to before, where that was read as well."""
    tag = next(iter(status.tags), status.decision.tag if status.decision else None)
    owner = status.decision or status.scan
    if tag is None or owner is None or status.digest is None:
        return None
    before = await load_previous_digest(session, owner.repository_id, tag, status.digest)
    if before is None or before == status.digest or await load_image(session, before) is None:
        return None
    path = image_path(status.host, status.repository, digest=before)
    return views.make_change(tag, path, before, report.findings, (await load_judged(session, status, before, vex))[0].findings)


async def _describe(visit: Visit, reference: Reference, loaded: _Loaded) -> dict[str, object]:
    status, report, caller = loaded.status, loaded.report, visit.caller
    return {
        "reference": str(reference),
        "name": f"{status.host}/{status.repository}",
        "status": status,
        "target": report.target if report else None,
        "support": words.support_line(eol_state(report.target.distribution)) if report else "",
        "package_count": len(report.packages) if report else 0,
        "answer": words.answer(status, artifact=loaded.artifact),
        "cause": words.cause_lines(status.decision.cause) if status.decision else (),
        "newer_scan": words.newer_scan_line(status),
        "change": loaded.change,
        "advice": (await asyncio.to_thread(lambda: report.recommendations))[:_ADVICE] if report else (),
        "actions": tuple(map(views.action_row, status.actions)),
        "coverage": loaded.coverage,
        "feeds": views.feed_rows(loaded.coverage) if loaded.coverage else (),
        "counts": count_by_severity(loaded.findings),
        "exploited": views.exploited_names(loaded.findings),
        "suppressed": tuple(map(views.suppressed_row, report.suppressed[:_SUPPRESSED])) if report else (),
        "suppressed_total": len(report.suppressed) if report else 0,
        "notes": report.notes[:_LINES] if report else (),
        "attempts": loaded.attempts,
        "scan_line": words.scan_line,
        "audit": loaded.audit,
        "may_scan": caller.token is not None and caller.may("scan"),
        "may_release": caller.token is not None and caller.may("release") and loaded.is_quarantined,
    }


def _present(severity: str | None, after: str | None) -> dict[str, str]:
    return {name: value for name, value in (("severity", severity), ("after", after)) if value}
