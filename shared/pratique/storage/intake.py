"""Intake: webhook events, and the scans and messages they cause, in one transaction."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import DatabaseUnavailable, InvalidMessage
from pratique.messages import ImagePushed, PushEvent
from pratique.storage.dialect import insert_new
from pratique.storage.models import Event, Scan
from pratique.storage.outbox import enqueue
from pratique.storage.repositories import record_repository
from pratique.storage.tags import record_tag
from pratique.storage.text import DigestLike, new_id, shorten_key, utc_now

MAX_RAW_BYTES = 64 * 1024  # of a webhook's body, kept for replay: protects the ledger against large bodies
_OPEN = ("queued", "running")
_RANKS = {"push": 0, "demand": 1, "rescan": 2}
_TRIES = 5  # a rival's scan can open and end between two statements; more often than this it does not


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What became of an event: its row and its scan. `duplicate`: it was known and nothing was done; `coalesced`: an open scan already covers it.

    `scan_id` is None only for a duplicate whose event has no scan.
    """

    event_id: str
    scan_id: str | None
    duplicate: bool
    coalesced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """A scan that somebody wants."""

    repository_id: str
    tag: str | None
    digest: str | None
    priority: str
    correlation_id: str
    requested_by: str

    @property
    def subject(self) -> str:
        return self.digest or f"tag:{self.tag}"


async def record_push(  # noqa: PLR0913
    session: AsyncSession, event: PushEvent, *, correlation_id: str, raw: bytes, priority: str = "push", image_window: float = 0.0
) -> Intake:
    """Record a push and queue its scan, unless the event is known or an open scan covers it.

    An event is known by (source, event id). The tag moves when both tag and digest are known and the event is not older than the last move. A scan of the same digest
    that finished less than `image_window` seconds ago covers the event too, when it brings no tag or the one the scan came under. `raw` is cut at 64 KiB.
    Raises InvalidMessage for an event with neither tag nor digest.
    """
    if event.tag is None and event.digest is None:
        raise InvalidMessage("expected a push event with a tag or a digest, got neither")
    # 1. The ledger row comes first: of two deliveries of one event, the second waits here for the first, and ends.
    row = _describe(event, correlation_id=correlation_id, raw=raw)
    if not await insert_new(session, Event, row):
        return await _load_duplicate(session, event)
    # 2. Find or open the scan.
    repository_id = await record_repository(session, event.host, event.repository)
    digest = str(event.digest) if event.digest else None
    requested_by = event.actor or event.source
    wish = _Wish(
        repository_id=repository_id,
        tag=event.tag,
        digest=digest,
        priority=priority,
        correlation_id=correlation_id,
        requested_by=requested_by,
    )
    scan_id = await _find_finished(session, wish, since=utc_now() - dt.timedelta(seconds=image_window)) if image_window > 0 else None
    is_new = False
    if scan_id is None:
        scan_id, is_new = await _open_scan(session, wish)
    # 3. Only then move the tag: everybody locks scans before tags.
    if event.tag is not None and digest is not None:
        await record_tag(session, repository_id, event.tag, digest, seen_at=event.occurred_at)
    links = {"scan_id": scan_id, "repository_id": repository_id, "state": "queued" if is_new else "coalesced"}
    await session.execute(update(Event).where(Event.id == row["id"]).values(**links))
    return Intake(event_id=str(row["id"]), scan_id=scan_id, duplicate=False, coalesced=not is_new)


async def record_rejected(session: AsyncSession, *, source: str, reason: str, raw: bytes) -> None:
    """Record an authenticated event that means nothing to us. `raw` is cut at 64 KiB.

    It gets an id of its own: the sender's stays unused, so that the same event counts when it comes again and the settings have changed.
    """
    row = {
        "id": new_id(),
        "source": shorten_key(source),
        "event_id": new_id(),
        "state": "rejected",
        "reason": reason,
        "received_at": utc_now(),
        "correlation_id": "",
        "raw": raw[:MAX_RAW_BYTES],
    }
    await insert_new(session, Event, row)


async def request_scan(  # noqa: PLR0913
    session: AsyncSession,
    *,
    host: str,
    repository: str,
    tag: str | None,
    digest: DigestLike | None,
    priority: str,
    correlation_id: str,
    requested_by: str,
) -> str:
    """Queue a scan that a person or the scheduler wants, or find the open one of the same target; answer its id.

    `priority` is `push`, `demand` or `rescan`; an open scan of a lower class that still waits is raised to the higher one.
    Raises InvalidMessage without tag and digest.
    """
    if tag is None and digest is None:
        raise InvalidMessage("expected a tag or a digest to scan, got neither")
    repository_id = await record_repository(session, host, repository)
    known = str(digest) if digest else None
    wish = _Wish(
        repository_id=repository_id, tag=tag, digest=known, priority=priority, correlation_id=correlation_id, requested_by=requested_by
    )
    scan_id, _ = await _open_scan(session, wish)
    return scan_id


def _describe(event: PushEvent, *, correlation_id: str, raw: bytes) -> dict[str, object]:
    return {
        "id": new_id(),
        "source": shorten_key(event.source),
        "event_id": shorten_key(event.event_id),
        "state": "queued",
        "tag": event.tag,
        "digest": str(event.digest) if event.digest else None,
        "media_type": event.media_type,
        "actor": event.actor,
        "user_agent": event.user_agent,
        "occurred_at": event.occurred_at,
        "received_at": utc_now(),
        "correlation_id": correlation_id,
        "raw": raw[:MAX_RAW_BYTES],
    }


async def _load_duplicate(session: AsyncSession, event: PushEvent) -> Intake:
    query = select(Event.id, Event.scan_id).where(Event.source == shorten_key(event.source), Event.event_id == shorten_key(event.event_id))
    known = (await session.execute(query)).one()
    return Intake(event_id=known.id, scan_id=known.scan_id, duplicate=True, coalesced=False)


async def _find_finished(session: AsyncSession, wish: _Wish, *, since: dt.datetime) -> str | None:
    query = select(Scan.id).where(
        Scan.repository_id == wish.repository_id, Scan.subject == wish.subject, Scan.state == "scanned", Scan.finished_at > since
    )
    if wish.tag is not None:
        query = query.where(Scan.tag == wish.tag)
    return (await session.execute(query.order_by(Scan.id.desc()).limit(1))).scalar_one_or_none()


async def _open_scan(session: AsyncSession, wish: _Wish) -> tuple[str, bool]:
    """Find the open scan of the target and lock it, or insert one with its message; tell whether it is new."""
    for _ in range(_TRIES):
        query = select(Scan.id, Scan.state, Scan.priority).where(
            Scan.repository_id == wish.repository_id, Scan.target == wish.subject, Scan.state.in_(_OPEN)
        )
        found = (await session.execute(query.with_for_update())).one_or_none()
        if found is not None:
            if found.state == "queued" and _RANKS[wish.priority] < _RANKS[found.priority]:
                await session.execute(update(Scan).where(Scan.id == found.id).values(priority=wish.priority))
                await _announce(session, found.id, wish)
            return found.id, False
        scan_id = new_id()
        if await insert_new(session, Scan, _describe_scan(scan_id, wish)):
            await _announce(session, scan_id, wish)
            return scan_id, True
    raise DatabaseUnavailable("others opened and ended scans of this target faster than we could join one")


def _describe_scan(scan_id: str, wish: _Wish) -> dict[str, object]:
    now = utc_now()
    return {
        "id": scan_id,
        "repository_id": wish.repository_id,
        "target": wish.subject,
        "subject": wish.subject,
        "tag": wish.tag,
        "digest": wish.digest,
        "state": "queued",
        "priority": wish.priority,
        "attempt": 0,
        "correlation_id": wish.correlation_id,
        "requested_by": wish.requested_by,
        "created_at": now,
        "queued_at": now,
    }


async def _announce(session: AsyncSession, scan_id: str, wish: _Wish) -> None:
    await enqueue(session, ImagePushed(scan_id=scan_id, correlation_id=wish.correlation_id, priority=wish.priority))
