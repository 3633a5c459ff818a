"""What callers may cause: a scan, and the release of a quarantined image. Each is one transaction with its audit line and its message."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import MissingError
from pratique.messages import ReleaseRequested
from pratique.oci.reference import Reference
from pratique.runtime.logging import bound_correlation
from pratique.runtime.settings import Settings
from pratique.storage.audit import record_audit
from pratique.storage.decision_history import load_quarantining_decision
from pratique.storage.decisions import DecisionRow, load_decision, load_latest_decision
from pratique.storage.engine import Database
from pratique.storage.intake import request_scan
from pratique.storage.outbox import enqueue
from pratique_services.api.access import Caller
from pratique_services.api.answers import Problem

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedScan:
    """A scan that was asked for."""

    scan_id: str
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """Carries out what callers ask for. `wake` tells the outbox relay of a commit."""

    settings: Settings
    database: Database
    wake: Callable[[], None]

    async def order_scan(self, caller: Caller, reference: Reference) -> OrderedScan:
        """Queue a scan, or join the open one of the same image. Raises Problem 422 for a registry that is not in the settings."""
        self._require_registry(reference)
        correlation_id = uuid.uuid4().hex
        with bound_correlation(correlation_id):
            async with self.database.transaction() as session:
                scan_id = await request_scan(
                    session,
                    host=reference.host,
                    repository=reference.repository,
                    tag=reference.tag,
                    digest=reference.digest,
                    priority="demand",
                    correlation_id=correlation_id,
                    requested_by=caller.name,
                )
                await record_audit(
                    session,
                    actor=caller.name,
                    verb="scan_requested",
                    subject=subject_of(reference),
                    detail={"scan_id": scan_id},
                    correlation_id=correlation_id,
                )
            self.wake()
            _log.info("scan.requested", scan_id=scan_id, reference=str(reference), requested_by=caller.name)
        return OrderedScan(scan_id=scan_id, correlation_id=correlation_id)

    async def order_release(self, caller: Caller, reference: Reference) -> DecisionRow:
        """Ask the enforcer to put a quarantined image back; answer the decision that put it there.

        Raises MissingError without a decision, Problem 409 when nothing is in quarantine.
        """
        async with self.database.transaction() as session:
            decision = await _load_quarantining(session, reference)
            detail = {"decision_id": decision.id}
            subject = f"{decision.host}/{decision.repository}@{decision.image_digest}"
            await record_audit(
                session,
                actor=caller.name,
                verb="release_requested",
                subject=subject,
                detail=detail,
                correlation_id=decision.correlation_id,
            )
            message = ReleaseRequested(decision_id=decision.id, correlation_id=decision.correlation_id, requested_by=caller.name)
            await enqueue(session, message)
        self.wake()
        with bound_correlation(decision.correlation_id):
            _log.info("release.requested", decision_id=decision.id, reference=str(reference), requested_by=caller.name)
        return decision

    def _require_registry(self, reference: Reference) -> None:
        if reference.host not in {registry.host for registry in self.settings.registries}:
            raise Problem(422, f"registry {reference.host} is not in the settings of this pratique")


def subject_of(reference: Reference) -> str:
    """Name an image as the audit trail does: by digest where it is known."""
    return f"{reference.name}@{reference.digest}" if reference.digest else f"{reference.name}:{reference.tag}"


async def _load_quarantining(session: AsyncSession, reference: Reference) -> DecisionRow:
    latest = await load_latest_decision(session, reference.host, reference.repository, digest=reference.digest, tag=reference.tag)
    if latest is None:
        raise MissingError(f"there is no decision on {reference}")
    decision_id = await load_quarantining_decision(session, latest.scan_id)
    decision = None if decision_id is None else await load_decision(session, decision_id)
    if decision is None:
        raise Problem(409, f"nothing of {reference} is in quarantine")
    return decision
