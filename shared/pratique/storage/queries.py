"""Read models of the API and the web pages."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Select, and_, exists, false, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from pratique.findings import Severity
from pratique.storage.decisions import ActionRow, DecisionRow, load_actions, load_latest_decision
from pratique.storage.models import (
    AdvisoryAlias,
    DecisionModel,
    Image,
    ImagePackage,
    IndexChild,
    PackageAdvisory,
    PackageModel,
    Registry,
    Repository,
    Scan,
    VerdictModel,
)
from pratique.storage.notifications import NotificationRow, load_notifications
from pratique.storage.places import load_places, select_places
from pratique.storage.repositories import load_repository_id
from pratique.storage.scans import ScanRow, load_scan_rows, select_scans
from pratique.storage.tags import load_tag, load_tags_of, load_tags_pointing_to
from pratique.storage.text import DigestLike, shorten_key, utc_now

_STATES = ("queued", "running", "scanned", "failed")
_PRIORITIES = ("push", "demand", "rescan")


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
    notifications: tuple[NotificationRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedPackage:
    """A package that an advisory names. `severity` is a word; `since` is when both the image and the advisory were known here."""

    purl: str
    installed: str | None
    fixed_in: str | None
    severity: str
    since: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedImage:
    """An image, or an index of one, with packages that an advisory names."""

    host: str
    repository: str
    digest: str
    tags: tuple[str, ...]
    packages: tuple[AffectedPackage, ...]


async def list_images(
    session: AsyncSession, *, repository: str | None = None, status: str | None = None, after: str | None = None, limit: int = 50
) -> tuple[ImageSummary, ...]:
    """List images, last asked for first; go on with `after` = the last cursor.

    `repository` is a repository's name, with or without its host. `status` is a verdict (`pass`, `fail`, `incomplete`) or a scan state (`queued`, `running`,
    `scanned`, `failed`).
    """
    query = _select_latest_scans().order_by(Scan.id.desc()).limit(limit)
    if repository is not None:
        query = query.where(or_(Repository.name == repository, Registry.host + "/" + Repository.name == repository))
    if status is not None:
        query = query.where(Scan.state == status if status in _STATES else VerdictModel.status == status)
    if after is not None:
        query = query.where(Scan.id < after)
    rows = (await session.execute(query.execution_options(populate_existing=True))).all()
    tags = await load_tags_of(session, ((scan.repository_id, scan.digest) for scan, *_ in rows if scan.digest))
    return tuple(
        ImageSummary(
            cursor=scan.id,
            host=host,
            repository=name,
            digest=scan.digest,
            tags=tags.get((scan.repository_id, scan.digest), ()) if scan.digest else (scan.tag,) if scan.tag else (),
            verdict=None if verdict is None else verdict.status,
            counts={} if decision is None else decision.counts,
            decided_at=None if decision is None else decision.created_at,
            scan_id=scan.id,
            scan_state=scan.state,
            last_error=scan.last_error,
            scanned_at=scan.finished_at,
        )
        for scan, host, name, decision, verdict in rows
    )


async def load_status(
    session: AsyncSession, host: str, repository: str, *, tag: str | None = None, digest: DigestLike | None = None
) -> StatusView | None:
    """Load all about a tag or a digest; None when it was never heard of."""
    repository_id = await load_repository_id(session, host, repository)
    if repository_id is None:
        return None
    pointer = await load_tag(session, host, repository, tag) if tag is not None and digest is None else None
    known = str(digest) if digest is not None else pointer.digest if pointer is not None else None
    scan = await _load_latest_scan(session, repository_id, tag=tag if digest is None else None, digest=known)
    decision = None if known is None else await load_latest_decision(session, host, repository, digest=known)
    if scan is None and decision is None and pointer is None:
        return None
    is_waiting = scan is not None and scan.state == "queued"
    return StatusView(
        host=host,
        repository=repository,
        tag=tag,
        digest=known,
        tags=() if known is None else await load_tags_pointing_to(session, repository_id, known),
        scan=scan,
        queue_age=(utc_now() - scan.queued_at).total_seconds() if scan is not None and is_waiting else None,
        decision=decision,
        actions=() if decision is None else await load_actions(session, decision.id),
        notifications=() if decision is None else await load_notifications(session, decision.id),
    )


async def load_scan_attempts(
    session: AsyncSession, host: str, repository: str, *, digest: DigestLike, limit: int = 20
) -> tuple[ScanRow, ...]:
    """Load the scans of a digest, newest first."""
    query = select_scans().where(Registry.host == host, Repository.name == repository, Scan.subject == str(digest))
    return await load_scan_rows(session, query.order_by(Scan.id.desc()).limit(limit))


async def list_affected_images(
    session: AsyncSession, vulnerability: str, *, after: tuple[str, str, str] | None = None, limit: int = 100
) -> tuple[AffectedImage, ...]:
    """List where a CVE (or an advisory by any of its names) is, by (host, repository, digest); go on with `after` = the last of these."""
    # 1. A page of places that hold an affected package, in a platform's image or in an index of one.
    place = (Registry.host, Repository.name, DecisionModel.image_digest)
    holders = _select_affected(Image.digest, vulnerability)
    query = select_places(holders).order_by(*place).limit(limit)
    places = await load_places(session, query if after is None else query.where(tuple_(*place) > after))
    # 2. The packages and tags of that page.
    packages = await _load_affected(session, vulnerability, {found.digest for found in places})
    tags = await load_tags_of(session, ((found.repository_id, found.digest) for found in places))
    return tuple(
        AffectedImage(
            host=found.host,
            repository=found.repository,
            digest=found.digest,
            tags=tags.get((found.repository_id, found.digest), ()),
            packages=tuple(sorted(packages[found.digest], key=lambda package: package.purl)),
        )
        for found in places
    )


async def oldest_queued_age(session: AsyncSession, *, now: dt.datetime) -> Mapping[str, float]:
    """Answer for how many seconds the oldest queued scan of each priority has waited; 0 where none waits."""
    query = select(Scan.priority, func.min(Scan.queued_at)).where(Scan.state == "queued").group_by(Scan.priority)
    ages = {priority: max(0.0, (now - oldest).total_seconds()) for priority, oldest in await session.execute(query)}
    return dict.fromkeys(_PRIORITIES, 0.0) | ages


def _select_latest_scans() -> Select[Scan, str, str, DecisionModel, VerdictModel]:
    """Select the last scan of each subject with its latest decision. A tag that was not resolved is left out once a later scan came under it."""
    newer, latest = aliased(Scan), aliased(DecisionModel)
    is_same = or_(newer.subject == Scan.subject, and_(Scan.digest.is_(None), newer.tag == Scan.tag))
    decided = (
        select(func.max(latest.id))
        .where(latest.repository_id == Scan.repository_id, latest.image_digest == Scan.digest)
        .correlate(Scan)
        .scalar_subquery()
    )
    return (
        select(Scan, Registry.host, Repository.name, DecisionModel, VerdictModel)
        .join(Repository, Repository.id == Scan.repository_id)
        .join(Registry, Registry.id == Repository.registry_id)
        .outerjoin(DecisionModel, DecisionModel.id == decided)
        .outerjoin(VerdictModel, VerdictModel.id == DecisionModel.verdict_id)
        .where(~exists().where(newer.repository_id == Scan.repository_id, newer.id > Scan.id, is_same))
    )


async def _load_latest_scan(session: AsyncSession, repository_id: str, *, tag: str | None, digest: str | None) -> ScanRow | None:
    wanted = [Scan.tag == tag] if tag is not None else []
    wanted += [Scan.subject == digest] if digest is not None else []
    query = select_scans().where(Scan.repository_id == repository_id, or_(false(), *wanted)).order_by(Scan.id.desc()).limit(1)
    rows = await load_scan_rows(session, query) if wanted else ()
    return rows[0] if rows else None


def _select_affected(column: InstrumentedAttribute[str], vulnerability: str) -> Select[str]:
    """Select from images (and packages and matches) those that an advisory of this name affects."""
    return (
        select(column)
        .join(ImagePackage, ImagePackage.image_id == Image.id)
        .join(PackageModel, PackageModel.id == ImagePackage.package_id)
        .join(PackageAdvisory, PackageAdvisory.package_id == PackageModel.id)
        .join(AdvisoryAlias, AdvisoryAlias.advisory_id == PackageAdvisory.advisory_id)
        .where(AdvisoryAlias.alias == shorten_key(vulnerability), PackageAdvisory.resolved_at.is_(None), ImagePackage.owned_by.is_(None))
    )


async def _load_affected(session: AsyncSession, vulnerability: str, digests: set[str]) -> Mapping[str, set[AffectedPackage]]:
    """Load the affected packages of images, and of indexes by their children."""
    index = aliased(Image)
    children = select(index.digest, IndexChild.digest).join(IndexChild, IndexChild.image_id == index.id).where(index.digest.in_(digests))
    holders = defaultdict(set, {digest: {digest} for digest in digests})
    for parent, child in await session.execute(children):
        holders[child].add(parent)
    times = (PackageAdvisory.first_seen, Image.recorded_at)
    match = (PackageModel.purl, PackageAdvisory.installed, PackageAdvisory.fixed_in, PackageAdvisory.severity, *times)
    query = _select_affected(Image.digest, vulnerability).add_columns(*match).where(Image.digest.in_(list(holders)))
    found: dict[str, set[AffectedPackage]] = defaultdict(set)
    for holder, purl, installed, fixed_in, severity, *seen in await session.execute(query):
        package = AffectedPackage(purl=purl, installed=installed, fixed_in=fixed_in, severity=str(Severity(severity)), since=max(seen))
        for digest in holders[holder]:
            found[digest].add(package)
    return found
