"""What stood before a decision."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.policy.verdict import VerdictStatus
from pratique.storage.decisions import DecisionRow
from pratique.storage.models import DecisionModel, VerdictModel


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
