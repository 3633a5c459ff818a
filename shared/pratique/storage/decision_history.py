"""What stood before a decision, and what of it still holds."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.policy.verdict import VerdictStatus
from pratique.storage.decisions import DecisionRow
from pratique.storage.models import ActionModel, DecisionModel, VerdictModel


async def load_status_before(session: AsyncSession, decision: DecisionRow) -> VerdictStatus | None:
    """Load the status of the newest older decision on the same image in the same repository; None where there is none."""
    query = (
        select(VerdictModel.status)
        .join(DecisionModel, DecisionModel.verdict_id == VerdictModel.id)
        .where(
            DecisionModel.repository_id == decision.repository_id,
            DecisionModel.image_digest == decision.image_digest,
            DecisionModel.id < decision.id,
        )
        .order_by(DecisionModel.id.desc())
        .limit(1)
    )
    status = (await session.execute(query)).scalar_one_or_none()
    return None if status is None else VerdictStatus(status)


async def load_quarantining_decision(session: AsyncSession, scan_id: str) -> str | None:
    """Load the id of the newest decision on a scan that put the image into quarantine, if no release has taken it out again; None where it is not there.

    It is not always the last one: what newer advisories clear stays in quarantine until people let it out.
    """
    query = (
        select(ActionModel.decision_id, ActionModel.kind)
        .join(DecisionModel, DecisionModel.id == ActionModel.decision_id)
        .where(DecisionModel.scan_id == scan_id, ActionModel.kind.in_(("quarantine", "release")), ActionModel.outcome == "done")
        .order_by(DecisionModel.revision.desc(), ActionModel.id.desc())
        .limit(1)
    )
    last = (await session.execute(query)).one_or_none()
    return last.decision_id if last is not None and last.kind == "quarantine" else None
