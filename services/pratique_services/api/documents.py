"""What the API answers: one struct a document. They are encoded as they are, and they are what the OpenAPI document shows.

Findings, packages, coverage and verdicts look as they do in the JSON report, and are made by the same functions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from pratique.policy.cause import Cause, parse_cause
from pratique.reports.json import verdict_document
from pratique.storage.audit import AuditRow
from pratique.storage.decisions import ActionRow, DecisionRow
from pratique.storage.queries import AffectedImage, ImageSummary, StatusView
from pratique.storage.scans import ScanRow
from pratique.storage.text import utc_now
from pratique_services.api.settling import is_settled

_DocumentT = TypeVar("_DocumentT", bound="Document")


def _shown_as(name: str) -> msgspec.Meta:
    return msgspec.Meta(extra_json_schema={"$ref": f"#/components/schemas/{name}"})


Finding = Annotated[Mapping[str, Any], _shown_as("Finding")]
Suppressed = Annotated[Mapping[str, Any], _shown_as("Suppressed")]
Package = Annotated[Mapping[str, Any], _shown_as("Package")]
Verdict = Annotated[Mapping[str, Any], _shown_as("Verdict")]
_Counts = Annotated[Mapping[str, int], msgspec.Meta(description="Findings by severity word.")]
_Next = Annotated[str | None, msgspec.Meta(description="What `after` takes for the page that follows; null at the end.")]
_Seconds = Annotated[float | None, msgspec.Meta(description="For how many seconds the scan has waited; null unless it waits.")]
_Json = Annotated[Mapping[str, Any], msgspec.Meta(description="Facts that depend on what it is about.")]


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer, or a part of one."""


class ErrorDetail(Document, frozen=True, kw_only=True):
    """A word that programs tell problems apart by, and a sentence for people."""

    code: str
    message: str


class Error(Document, frozen=True, kw_only=True):
    """Every answer that is not 2xx."""

    error: ErrorDetail


class Scan(Document, frozen=True, kw_only=True):
    """A scan as it stands: `queued`, `running`, `scanned` or `failed`."""

    id: str
    state: str
    attempt: int
    priority: str
    last_error: str | None
    queued_at: dt.datetime
    queue_age_s: _Seconds
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


class Attempt(Scan, frozen=True, kw_only=True):
    """A scan with what it was asked to do and by whom."""

    tag: str | None
    digest: str | None
    requested_by: str
    correlation_id: str
    feed_snapshot: str | None


class Action(Document, frozen=True, kw_only=True):
    """What a decision causes. The outcome is `planned`, `done`, `failed` (to be tried again), `refused` or `skipped`."""

    kind: str
    parameters: _Json
    outcome: str
    detail: str
    attempts: int
    updated_at: dt.datetime


class Notification(Document, frozen=True, kw_only=True):
    """A message about a decision. The state is `pending` (to be tried, again or at all), `delivered` or `failed` (given up); `detail` says what went wrong last."""

    channel: str
    title: str
    state: str
    attempts: int
    detail: str
    next_attempt_at: dt.datetime | None


class AdvisoryChange(Document, frozen=True, kw_only=True):
    """What became of one advisory for one package (a purl) of the image: `appeared`, `worsened`, `exploited`, `retracted` and so on."""

    kind: str
    id: str
    package: str
    severity: str


class DecisionSummary(Document, frozen=True, kw_only=True):
    """The verdict that stands, and what it came from. `announced`: all its actions were performed; `age_s`: for how many seconds it has stood."""

    id: str
    verdict: Verdict
    counts: _Counts
    decided_at: dt.datetime
    age_s: float
    feed_snapshot: str | None
    inventory_digest: str | None
    announced: bool


class Decision(DecisionSummary, frozen=True, kw_only=True):
    """A decision with all that is needed to take it again.

    `revision` is 0 for a scan's own decision, and counts those that newer advisories led to: `changes` are then what they changed, worst first, and how many `more`.
    """

    host: str
    repository: str
    tag: str | None
    digest: str
    scan_id: str
    waivers_digest: str | None
    correlation_id: str
    revision: int
    changes: tuple[AdvisoryChange, ...]
    more_changes: int
    actions: tuple[Action, ...]


class Status(Document, frozen=True, kw_only=True):
    """Everything about one reference at this moment.

    `is_settled`: the newest scan has led to a decision whose actions are all done with, or can lead to none (it failed, or it was no image).
    `artifact`: what it is instead of an image, such as `helm chart`; null for an image.
    """

    reference: str
    host: str
    repository: str
    tag: str | None
    digest: str | None
    tags: tuple[str, ...]
    is_settled: bool
    artifact: str | None
    scan: Scan | None
    decision: DecisionSummary | None
    actions: tuple[Action, ...]
    notifications: tuple[Notification, ...]


class Image(Document, frozen=True, kw_only=True):
    """A digest in a repository, or a tag that is not resolved yet, with its newest scan and the verdict that stands."""

    host: str
    repository: str
    digest: str | None
    tags: tuple[str, ...]
    verdict: str | None
    counts: _Counts
    decided_at: dt.datetime | None
    scan_id: str
    scan_state: str
    last_error: str | None
    scanned_at: dt.datetime | None


class Images(Document, frozen=True, kw_only=True):
    """Images, last asked for first."""

    images: tuple[Image, ...]
    next: _Next


class Findings(Document, frozen=True, kw_only=True):
    """Findings of an image: worst first, those that an update ends before the others. `summary` counts all that count, filtered or not.

    `suppressed` are those that VEX takes away, where they were asked for; `suppressed_total` counts them always.
    """

    reference: str
    digest: str
    summary: _Counts
    suppressed_total: int
    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...]
    next: _Next


class Packages(Document, frozen=True, kw_only=True):
    """Packages of an image, by package URL; of an index, those of all its platforms."""

    reference: str
    digest: str
    total: int
    packages: tuple[Package, ...]
    next: _Next


class Attempts(Document, frozen=True, kw_only=True):
    """The scans of an image, newest first."""

    reference: str
    attempts: tuple[Attempt, ...]


class AuditLine(Document, frozen=True, kw_only=True):
    """Who did what."""

    id: str
    at: dt.datetime
    actor: str
    verb: str
    subject: str
    detail: _Json
    correlation_id: str


class AuditLines(Document, frozen=True, kw_only=True):
    """Lines of the audit trail, newest first."""

    lines: tuple[AuditLine, ...]
    next: _Next


class AffectedPackage(Document, frozen=True, kw_only=True):
    """A package that the advisory names, and since when that is known of this image."""

    purl: str
    installed: str | None
    fixed_in: str | None
    severity: str
    since: dt.datetime


class Affected(Document, frozen=True, kw_only=True):
    """An image that holds such a package."""

    host: str
    repository: str
    digest: str
    tags: tuple[str, ...]
    packages: tuple[AffectedPackage, ...]


class Where(Document, frozen=True, kw_only=True):
    """Where a vulnerability is, by host, repository and digest."""

    vulnerability: str
    images: tuple[Affected, ...]
    next: _Next


class ScanRequested(Document, frozen=True, kw_only=True):
    """The scan that was queued, or the open one of the same image."""

    reference: str
    scan_id: str
    correlation_id: str


class ReleaseAccepted(Document, frozen=True, kw_only=True):
    """The decision whose quarantine is about to be undone."""

    reference: str
    digest: str
    decision_id: str


def scan_document(scan: ScanRow) -> Scan:
    """Describe a scan."""
    return Scan(**_scan_fields(scan))


def attempt_document(scan: ScanRow) -> Attempt:
    """Describe a scan among others of its image."""
    return Attempt(
        **_scan_fields(scan),
        tag=scan.tag,
        digest=str(scan.digest) if scan.digest else None,
        requested_by=scan.requested_by,
        correlation_id=scan.correlation_id,
        feed_snapshot=scan.feed_snapshot,
    )


def status_document(reference: str, status: StatusView, *, artifact: str | None) -> Status:
    """Describe what is known about a reference."""
    return Status(
        reference=reference,
        host=status.host,
        repository=status.repository,
        tag=status.tag,
        digest=status.digest,
        tags=status.tags,
        is_settled=is_settled(status, is_artifact=artifact is not None),
        artifact=artifact,
        scan=scan_document(status.scan) if status.scan else None,
        decision=DecisionSummary(**_decision_fields(status.decision)) if status.decision else None,
        actions=tuple(map(action_document, status.actions)),
        notifications=tuple(_same_fields(Notification, told) for told in status.notifications),
    )


def decision_document(decision: DecisionRow, actions: tuple[ActionRow, ...]) -> Decision:
    """Describe a decision."""
    cause = parse_cause(decision.cause) or Cause()
    return Decision(
        **_decision_fields(decision),
        host=decision.host,
        repository=decision.repository,
        tag=decision.tag,
        digest=decision.image_digest,
        scan_id=decision.scan_id,
        waivers_digest=decision.waivers_digest,
        correlation_id=decision.correlation_id,
        revision=decision.revision,
        changes=tuple(_same_fields(AdvisoryChange, change) for change in cause.changes),
        more_changes=cause.more,
        actions=tuple(map(action_document, actions)),
    )


def action_document(action: ActionRow) -> Action:
    """Describe an action."""
    return _same_fields(Action, action)


def image_document(image: ImageSummary) -> Image:
    """Describe an image among others."""
    return _same_fields(Image, image)


def audit_document(line: AuditRow) -> AuditLine:
    """Describe a line of the audit trail."""
    return _same_fields(AuditLine, line)


def affected_document(image: AffectedImage) -> Affected:
    """Describe an image that a vulnerability is in."""
    packages = tuple(_same_fields(AffectedPackage, package) for package in image.packages)
    return Affected(host=image.host, repository=image.repository, digest=image.digest, tags=image.tags, packages=packages)


def _same_fields(kind: type[_DocumentT], row: object) -> _DocumentT:
    """Describe a row whose fields have the document's names."""
    return kind(**{name: getattr(row, name) for name in kind.__struct_fields__})


def _scan_fields(scan: ScanRow) -> dict[str, Any]:
    waits = scan.state == "queued"
    return {
        "id": scan.scan_id,
        "state": scan.state,
        "attempt": scan.attempt,
        "priority": scan.priority,
        "last_error": scan.last_error,
        "queued_at": scan.queued_at,
        "queue_age_s": max(0.0, (utc_now() - scan.queued_at).total_seconds()) if waits else None,
        "started_at": scan.started_at,
        "finished_at": scan.finished_at,
    }


def _decision_fields(decision: DecisionRow) -> dict[str, Any]:
    return {
        "id": decision.id,
        "verdict": verdict_document(decision.verdict),
        "counts": decision.counts,
        "decided_at": decision.created_at,
        "age_s": max(0.0, (utc_now() - decision.created_at).total_seconds()),
        "feed_snapshot": decision.feed_snapshot,
        "inventory_digest": decision.inventory_digest,
        "announced": decision.announced_at is not None,
    }
