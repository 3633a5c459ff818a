"""The table of the API: every route with its description. Routes and OpenAPI document are both made from it, so none is without the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from pratique_services.api import documents, endpoints, inputs
from pratique_services.api.access import Scope

PREFIX = "/api"
REPORT: Literal["Report"] = "Report"
"""The answer that is described by the JSON report's own schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route. `path` follows PREFIX; `errors` are the statuses of its own, beside those that every operation has.

    `answer` is the document that `run` returns; REPORT is bytes of JSON.
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    scope: Scope
    summary: str
    takes: type[inputs.Input]
    answer: type[documents.Document] | Literal["Report"]
    run: Callable[[endpoints.Call, Any], Awaitable[documents.Document | bytes]]
    status: int = 200
    errors: tuple[int, ...] = ()

    @property
    def place(self) -> Literal["body", "path", "query"]:
        """Where the input comes from."""
        if self.method == "POST":
            return "body"
        return "path" if "{" in self.path else "query"


OPERATIONS = (
    Operation(
        name="read_status",
        method="GET",
        path="/v1/status",
        scope="read",
        summary="May this image ship? Its newest scan, the verdict that stands, and the actions that followed.",
        takes=inputs.OfImage,
        answer=documents.Status,
        run=endpoints.read_status,
        errors=(404,),
    ),
    Operation(
        name="list_images",
        method="GET",
        path="/v1/images",
        scope="read",
        summary="Images, last asked for first.",
        takes=inputs.ImagesQuery,
        answer=documents.Images,
        run=endpoints.read_images,
    ),
    Operation(
        name="list_findings",
        method="GET",
        path="/v1/findings",
        scope="read",
        summary="Findings of an image, worst first.",
        takes=inputs.FindingsQuery,
        answer=documents.Findings,
        run=endpoints.read_findings,
        errors=(404,),
    ),
    Operation(
        name="list_packages",
        method="GET",
        path="/v1/packages",
        scope="read",
        summary="Packages installed in an image.",
        takes=inputs.PackagesQuery,
        answer=documents.Packages,
        run=endpoints.read_packages,
        errors=(404,),
    ),
    Operation(
        name="read_report",
        method="GET",
        path="/v1/report",
        scope="read",
        summary="The whole report on an image in one document, as `pratique scan --format json` writes it.",
        takes=inputs.OfImage,
        answer=REPORT,
        run=endpoints.read_report,
        errors=(404,),
    ),
    Operation(
        name="read_decision",
        method="GET",
        path="/v1/decisions/{id}",
        scope="read",
        summary="One decision, with all that is needed to take it again.",
        takes=inputs.DecisionPath,
        answer=documents.Decision,
        run=endpoints.read_decision,
        errors=(404,),
    ),
    Operation(
        name="list_attempts",
        method="GET",
        path="/v1/attempts",
        scope="read",
        summary="The scans of an image, newest first.",
        takes=inputs.AttemptsQuery,
        answer=documents.Attempts,
        run=endpoints.read_attempts,
        errors=(404,),
    ),
    Operation(
        name="list_audit",
        method="GET",
        path="/v1/audit",
        scope="read",
        summary="Who did what, newest first.",
        takes=inputs.AuditQuery,
        answer=documents.AuditLines,
        run=endpoints.read_audit,
    ),
    Operation(
        name="list_affected",
        method="GET",
        path="/v1/where",
        scope="read",
        summary="The images that a vulnerability is in.",
        takes=inputs.WhereQuery,
        answer=documents.Where,
        run=endpoints.read_where,
    ),
    Operation(
        name="order_scan",
        method="POST",
        path="/v1/scans",
        scope="scan",
        summary="Queue a scan, ahead of re-scans; an open one of the same image is joined.",
        takes=inputs.OfImage,
        answer=documents.ScanRequested,
        run=endpoints.order_scan,
        status=202,
        errors=(422,),
    ),
    Operation(
        name="order_release",
        method="POST",
        path="/v1/releases",
        scope="release",
        summary="Put a quarantined image back where it was; 409 when nothing of it is in quarantine.",
        takes=inputs.OfImage,
        answer=documents.ReleaseAccepted,
        run=endpoints.order_release,
        status=202,
        errors=(404, 409),
    ),
)
