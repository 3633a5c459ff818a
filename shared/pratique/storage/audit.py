"""The audit trail: who did what. Append-only; the database itself refuses to change or delete a row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession


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


async def record_audit(  # noqa: PLR0913
    session: AsyncSession, *, actor: str, verb: str, subject: str, detail: Mapping[str, Any], correlation_id: str
) -> str:
    """Append a line; answer its id."""
    raise NotImplementedError


async def load_audit(
    session: AsyncSession, *, subject: str | None = None, actor: str | None = None, after: str | None = None, limit: int = 100
) -> tuple[AuditRow, ...]:
    """Load lines, newest first; go on with `after` = the last id."""
    raise NotImplementedError
