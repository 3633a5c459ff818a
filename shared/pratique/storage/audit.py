"""The audit trail: who did what. Append-only; the database itself refuses to change or delete a row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.storage.dialect import insert_missing
from pratique.storage.models import Audit
from pratique.storage.text import new_id, shorten_key, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One line of the trail."""

    id: str
    at: dt.datetime
    actor: str
    verb: str
    subject: str
    detail: Mapping[str, Any]
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAudit:
    """A line to append."""

    actor: str
    verb: str
    subject: str
    detail: Mapping[str, Any]
    correlation_id: str


async def record_audits(session: AsyncSession, lines: Iterable[NewAudit]) -> None:
    """Append many lines, in this order."""
    await insert_missing(session, Audit, (_describe(line) for line in lines))


async def record_audit(  # noqa: PLR0913
    session: AsyncSession, *, actor: str, verb: str, subject: str, detail: Mapping[str, Any], correlation_id: str
) -> str:
    """Append a line; answer its id."""
    row = _describe(NewAudit(actor=actor, verb=verb, subject=subject, detail=detail, correlation_id=correlation_id))
    await insert_missing(session, Audit, [row])
    return str(row["id"])


async def load_audit(
    session: AsyncSession, *, subject: str | None = None, actor: str | None = None, after: str | None = None, limit: int = 100
) -> tuple[AuditRow, ...]:
    """Load lines, newest first; go on with `after` = the last id."""
    query = select(Audit).order_by(Audit.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(Audit.subject == shorten_key(subject))
    if actor is not None:
        query = query.where(Audit.actor == shorten_key(actor))
    if after is not None:
        query = query.where(Audit.id < after)
    return tuple(
        AuditRow(
            id=row.id,
            at=row.at,
            actor=row.actor,
            verb=row.verb,
            subject=row.subject,
            detail=row.detail,
            correlation_id=row.correlation_id,
        )
        for row in (await session.execute(query)).scalars()
    )


def _describe(line: NewAudit) -> dict[str, Any]:
    return {
        "id": new_id(),
        "at": utc_now(),
        "actor": shorten_key(line.actor),
        "verb": line.verb,
        "subject": shorten_key(line.subject),
        "detail": dict(line.detail),
        "correlation_id": line.correlation_id,
    }
