"""Scans: leases, results, and those that were forgotten."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Select, Update, and_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import MissingError
from pratique.messages import ImagePushed, InventoryRecorded
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique.storage.dialect import count_changed
from pratique.storage.models import Registry, Repository, Scan
from pratique.storage.outbox import enqueue
from pratique.storage.tags import forget_tag, record_tag
from pratique.storage.text import DigestLike, utc_now

_OPEN = ("queued", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanJob:
    """A leased scan: what to scan, as attempt number `attempt` (from 1). At least one of `tag` and `digest` is there."""

    scan_id: str
    correlation_id: str
    repository_id: str
    host: str
    repository: str
    tag: str | None
    digest: Digest | None
    attempt: int
    priority: str

    @property
    def reference(self) -> Reference:
        """What to resolve: the digest where it is known, with the tag it came under."""
        return Reference(host=self.host, repository=self.repository, tag=self.tag, digest=self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRow:
    """A scan as it stands. `state` is `queued`, `running`, `scanned` or `failed`; `image_digest` is set when scanned. Times are in UTC."""

    scan_id: str
    correlation_id: str
    repository_id: str
    host: str
    repository: str
    tag: str | None
    digest: Digest | None
    state: str
    priority: str
    attempt: int
    worker: str | None
    lease_until: dt.datetime | None
    last_error: str | None
    requested_by: str
    image_digest: str | None
    feed_snapshot: str | None
    created_at: dt.datetime
    queued_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


async def lease_scan(session: AsyncSession, scan_id: str, *, worker: str, ttl: float) -> ScanJob | None:
    """Lease a scan for `ttl` seconds and count the attempt; None when it is finished, unknown, or leased by someone alive.

    `worker` must be unique to the process: the lease is held in that name.
    """
    now = utc_now()
    query = select_scans().where(Scan.id == scan_id).with_for_update(of=Scan).execution_options(populate_existing=True)
    found = (await session.execute(query)).one_or_none()
    if found is None or not _is_free(found[0], now):
        return None
    scan, host, repository = found
    attempt = scan.attempt + 1
    values = {
        "state": "running",
        "worker": worker,
        "attempt": attempt,
        "started_at": scan.started_at or now,
        "lease_until": now + dt.timedelta(seconds=ttl),
        # From here on a new push of the tag may mean another digest than the one that this worker is told: it gets a scan of its own.
        "target": scan.target if scan.digest else f"resolving:{scan.id}",
    }
    await session.execute(_update(scan_id).values(**values))
    return ScanJob(
        scan_id=scan.id,
        correlation_id=scan.correlation_id,
        repository_id=scan.repository_id,
        host=host,
        repository=repository,
        tag=scan.tag,
        digest=Digest.parse(scan.digest) if scan.digest else None,
        attempt=attempt,
        priority=scan.priority,
    )


async def extend_lease(session: AsyncSession, scan_id: str, worker: str, ttl: float) -> bool:
    """Hold the lease for `ttl` seconds from now; False when it is lost, and the work with it."""
    until = utc_now() + dt.timedelta(seconds=ttl)
    return await count_changed(session, _held(scan_id, worker).values(lease_until=until)) == 1


async def record_resolved(session: AsyncSession, scan_id: str, digest: DigestLike, tag: str | None) -> None:
    """Record what the registry answered: the digest scanned, and the tag that points to it now (which moves the tag). Raises MissingError.

    When another scan of that digest is open, both go on: the second finds the layers known.
    """
    query = select(Scan.repository_id, Scan.target).where(Scan.id == scan_id).with_for_update()
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise MissingError(f"expected scan {scan_id}, found none")
    values = {"digest": str(digest), "subject": str(digest)} | ({"tag": tag} if tag else {})
    await session.execute(_update(scan_id).values(**values))
    if found.target != str(digest):
        await _take_target(session, scan_id, str(digest))
    if tag is not None:
        await record_tag(session, found.repository_id, tag, digest)


async def record_checked_tag(session: AsyncSession, scan_id: str, tag: str, digest: DigestLike | None, *, seen_at: dt.datetime) -> bool:
    """Record where the registry says, as of `seen_at`, that a scan's tag points; None when it has no such tag. Raises MissingError.

    False when that is not the digest to scan: the scan then goes on without the tag.
    """
    query = select(Scan.repository_id, Scan.digest).where(Scan.id == scan_id).with_for_update()
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise MissingError(f"expected scan {scan_id}, found none")
    holds = digest is not None and found.digest == str(digest)
    if not holds:
        await session.execute(_update(scan_id).values(tag=None))
    if digest is None:
        await forget_tag(session, found.repository_id, tag, seen_at=seen_at)
    else:
        await record_tag(session, found.repository_id, tag, digest, seen_at=seen_at)
    return holds


async def finish_scan(
    session: AsyncSession, scan_id: str, worker: str, *, image_digest: DigestLike, feed_snapshot: str | None = None
) -> bool:
    """Finish a scan and announce its inventory; False, and nothing done, when the lease is no longer held.

    `image_digest` is the manifest's or index's, as recorded by `record_image`; `feed_snapshot` the digest of the advisory database it was matched with.
    """
    now = utc_now()
    values = {
        "state": "scanned",
        "finished_at": now,
        "announced_at": now,
        "lease_until": None,
        "last_error": None,
        "image_digest": str(image_digest),
        "feed_snapshot": feed_snapshot,
    }
    if await count_changed(session, _held(scan_id, worker).values(**values)) == 0:
        return False
    correlation_id = (await session.execute(select(Scan.correlation_id).where(Scan.id == scan_id))).scalar_one()
    await enqueue(session, InventoryRecorded(scan_id=scan_id, correlation_id=correlation_id))
    return True


async def release_scan(session: AsyncSession, scan_id: str, worker: str, reason: str) -> bool:
    """Give a scan back to be tried again; False when the lease is no longer held. The message that led here is what comes back: none is written."""
    values = {"state": "queued", "queued_at": utc_now(), "worker": None, "lease_until": None, "last_error": reason}
    return await count_changed(session, _held(scan_id, worker).values(**values)) == 1


async def fail_scan(session: AsyncSession, scan_id: str, reason: str) -> bool:
    """Give a scan up for good; False when it was finished already."""
    values = {"state": "failed", "finished_at": utc_now(), "worker": None, "lease_until": None, "last_error": reason}
    return await count_changed(session, _update(scan_id).where(Scan.state.in_(_OPEN)).values(**values)) == 1


async def load_scan(session: AsyncSession, scan_id: str) -> ScanRow | None:
    """Load a scan."""
    rows = await load_scan_rows(session, select_scans().where(Scan.id == scan_id))
    return rows[0] if rows else None


async def load_overdue_scans(session: AsyncSession, *, now: dt.datetime, queued_for: float, limit: int) -> tuple[ScanRow, ...]:
    """Load scans whose lease ran out and scans that have waited for more than `queued_for` seconds, oldest first."""
    overdue = or_(
        and_(Scan.state == "running", Scan.lease_until < now),
        and_(Scan.state == "queued", Scan.queued_at < now - dt.timedelta(seconds=queued_for)),
    )
    return await load_scan_rows(
        session, select_scans().where(Scan.state.in_(_OPEN), overdue).order_by(Scan.queued_at, Scan.id).limit(limit)
    )


async def requeue_scan(session: AsyncSession, scan_id: str) -> bool:
    """Queue an open scan anew, with a new message; False when it is finished or leased by someone alive."""
    now = utc_now()
    scan = (
        await session.execute(select(Scan).where(Scan.id == scan_id).with_for_update().execution_options(populate_existing=True))
    ).scalar_one_or_none()
    if scan is None or not _is_free(scan, now):
        return False
    values: dict[str, object] = {"state": "queued", "queued_at": now, "worker": None, "lease_until": None}
    if scan.state == "running":
        values["last_error"] = f"worker {scan.worker} did not finish attempt {scan.attempt} in time"
    await session.execute(_update(scan_id).values(**values))
    await enqueue(session, ImagePushed(scan_id=scan_id, correlation_id=scan.correlation_id, priority=scan.priority))
    return True


def select_scans() -> Select[Scan, str, str]:
    """Select scans with their registry and repository, for `load_scan_rows`."""
    return (
        select(Scan, Registry.host, Repository.name)
        .join(Repository, Repository.id == Scan.repository_id)
        .join(Registry, Registry.id == Repository.registry_id)
    )


async def load_scan_rows(session: AsyncSession, query: Select[Scan, str, str]) -> tuple[ScanRow, ...]:
    """Load what a query made by `select_scans` finds, in its order."""
    rows = await session.execute(query.execution_options(populate_existing=True))
    return tuple(_read(scan, host, name) for scan, host, name in rows)


def _update(scan_id: str) -> Update:
    return update(Scan).where(Scan.id == scan_id).execution_options(synchronize_session=False)


def _held(scan_id: str, worker: str) -> Update:
    return _update(scan_id).where(Scan.worker == worker, Scan.state == "running")


def _is_free(scan: Scan, now: dt.datetime) -> bool:
    is_leased = scan.state == "running" and scan.lease_until is not None and scan.lease_until > now
    return scan.state in _OPEN and not is_leased


async def _take_target(session: AsyncSession, scan_id: str, digest: str) -> None:
    """Make later pushes of the digest join this scan, unless another one is open that they join."""
    try:
        async with session.begin_nested():
            await session.execute(_update(scan_id).values(target=digest))
    except IntegrityError:
        return


def _read(scan: Scan, host: str, repository: str) -> ScanRow:
    return ScanRow(
        scan_id=scan.id,
        correlation_id=scan.correlation_id,
        repository_id=scan.repository_id,
        host=host,
        repository=repository,
        tag=scan.tag,
        digest=Digest.parse(scan.digest) if scan.digest else None,
        state=scan.state,
        priority=scan.priority,
        attempt=scan.attempt,
        worker=scan.worker,
        lease_until=scan.lease_until,
        last_error=scan.last_error,
        requested_by=scan.requested_by,
        image_digest=scan.image_digest,
        feed_snapshot=scan.feed_snapshot,
        created_at=scan.created_at,
        queued_at=scan.queued_at,
        started_at=scan.started_at,
        finished_at=scan.finished_at,
    )
