"""Read models of the API and the web pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from pratique.storage.decisions import ActionRow, DecisionRow
from pratique.storage.scans import ScanRow
from pratique.storage.text import DigestLike


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSummary:
    """A digest in a repository: its last scan and its latest decision, which stands while a re-scan runs.

    `cursor` is what `after` takes. `digest` is None while a tag is not resolved. `verdict` is None before the first decision.
    """

    cursor: str
    host: str
    repository: str
    digest: str | None
    tags: tuple[str, ...]
    verdict: str | None
    counts: Mapping[str, int]
    decided_at: dt.datetime | None
    scan_id: str
    scan_state: str
    last_error: str | None
    scanned_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """Everything about one reference at this moment. `queue_age` is in seconds, None unless the scan waits."""

    host: str
    repository: str
    tag: str | None
    digest: str | None
    tags: tuple[str, ...]
    scan: ScanRow | None
    queue_age: float | None
    decision: DecisionRow | None
    actions: tuple[ActionRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedImage:
    """An image with a package that an advisory names."""

    host: str
    repository: str
    digest: str
    tags: tuple[str, ...]
    package: str
    installed: str | None
    fixed_in: str | None
    severity: str


async def list_images(
    session: AsyncSession, *, repository: str | None = None, status: str | None = None, after: str | None = None, limit: int = 50
) -> tuple[ImageSummary, ...]:
    """List images, last scanned first; go on with `after` = the last cursor.

    `repository` is a repository's name, with or without its host. `status` is a verdict (`pass`, `fail`, `incomplete`) or a scan state (`queued`, `running`,
    `scanned`, `failed`).
    """
    raise NotImplementedError


async def load_status(
    session: AsyncSession, host: str, repository: str, *, tag: str | None = None, digest: DigestLike | None = None
) -> StatusView | None:
    """Load all about a tag or a digest; None when it was never heard of."""
    raise NotImplementedError


async def load_scan_attempts(
    session: AsyncSession, host: str, repository: str, *, digest: DigestLike, limit: int = 20
) -> tuple[ScanRow, ...]:
    """Load the scans of a digest, newest first."""
    raise NotImplementedError


async def list_affected_images(
    session: AsyncSession, vulnerability: str, *, after: tuple[str, str, str] | None = None, limit: int = 100
) -> tuple[AffectedImage, ...]:
    """List where a CVE (or an advisory by its id) is running, by (host, repository, digest)."""
    raise NotImplementedError


async def count_scans_by_state(session: AsyncSession) -> Mapping[str, int]:
    """Count scans, every state present."""
    raise NotImplementedError


async def count_decisions_by_verdict(session: AsyncSession) -> Mapping[str, int]:
    """Count decisions, every verdict present."""
    raise NotImplementedError


async def oldest_queued_age(session: AsyncSession, *, now: dt.datetime) -> Mapping[str, float]:
    """Answer for how many seconds the oldest queued scan of each priority has waited; 0 where none waits."""
    raise NotImplementedError
