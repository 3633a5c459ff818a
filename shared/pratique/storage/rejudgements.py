"""Standing decisions that a change of advisories may overturn: ordered with the change, judged afterwards in pieces, and not lost in between."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import CTE, BigInteger, ColumnElement, and_, delete, exists, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from pratique.storage.dialect import insert_into, is_any, is_any_pair
from pratique.storage.models import (
    AdvisoryModel,
    DecisionModel,
    Image,
    ImagePackage,
    IndexChild,
    MatchEvent,
    PackageAdvisory,
    PackageModel,
    Registry,
    Rejudgement,
    Repository,
    StandingDecision,
    Tag,
)
from pratique.storage.text import in_chunks

_PACKAGES_A_QUERY = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class RejudgedImage:
    """A standing decision to look at again, and what it was taken on."""

    image_id: int
    repository_id: str
    host: str
    repository: str
    digest: str
    scan_id: str
    revision: int
    tag: str | None
    status: str
    position: int
    is_covered_anew: bool

    @property
    def key(self) -> tuple[int, str]:
        """What tells it apart."""
        return self.image_id, self.repository_id


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """What became of a match. `severity` is the match's, as it is now or was last."""

    package_id: int
    kind: str
    advisory: str
    aliases: tuple[str, ...]
    package: str
    severity: int

    @property
    def cve(self) -> str:
        """The name people know it by."""
        return next((name for name in (self.advisory, *self.aliases) if name.startswith("CVE-")), self.advisory)


async def order_rejudgements(  # noqa: PLR0913
    session: AsyncSession,
    position: int,
    package_ids: Iterable[int],
    *,
    statuses: Collection[str] = (),
    only_tagged: bool = False,
    is_covered_anew: bool = False,
) -> None:
    """Order the standing decisions on images with these packages, and on indexes of such, to be judged again: those of some verdicts, or of any if none is named."""
    for holders in in_chunks(sorted(await _load_holders(session, package_ids)), 1000):
        standing = (
            select(
                *(StandingDecision.image_id, StandingDecision.repository_id),
                *(literal(position, BigInteger).label("position"), literal(is_covered_anew).label("is_covered_anew")),
            )
            .where(is_any(session, StandingDecision.image_id, holders))
            .order_by(StandingDecision.image_id, StandingDecision.repository_id)
        )
        if statuses:
            standing = standing.where(StandingDecision.status.in_(sorted(statuses)))
        if only_tagged:
            root = aliased(Image)
            is_tagged = exists().where(Tag.repository_id == StandingDecision.repository_id, Tag.digest == root.digest)
            standing = standing.join(root, root.id == StandingDecision.image_id).where(is_tagged)
        columns = ["image_id", "repository_id", "position", "is_covered_anew"]
        statement = insert_into(session, Rejudgement).from_select(columns, standing)
        changed = {
            "position": statement.excluded.position,
            "is_covered_anew": or_(Rejudgement.is_covered_anew, statement.excluded.is_covered_anew),
        }
        await session.execute(statement.on_conflict_do_update(index_elements=["image_id", "repository_id"], set_=changed))


async def claim_rejudgements(session: AsyncSession, *, limit: int) -> tuple[RejudgedImage, ...]:
    """Load what is to be judged again, and lock it until the end of the transaction."""
    claimed = (
        await session.execute(
            select(Rejudgement.image_id, Rejudgement.repository_id)
            .order_by(Rejudgement.image_id, Rejudgement.repository_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    ).all()
    keys = [(image_id, repository_id) for image_id, repository_id in claimed]
    query = (
        select(
            Rejudgement,
            StandingDecision.status,
            DecisionModel.scan_id,
            DecisionModel.revision,
            DecisionModel.tag,
            Image.digest,
            Registry.host,
            Repository.name,
        )
        .join(StandingDecision, _is_same_place())
        .join(DecisionModel, DecisionModel.id == StandingDecision.decision_id)
        .join(Image, Image.id == Rejudgement.image_id)
        .join(Repository, Repository.id == Rejudgement.repository_id)
        .join(Registry, Registry.id == Repository.registry_id)
        .where(is_any_pair(session, (Rejudgement.image_id, Rejudgement.repository_id), keys))
        .order_by(Rejudgement.image_id, Rejudgement.repository_id)
        .execution_options(populate_existing=True)
    )
    return tuple(
        RejudgedImage(
            image_id=row.image_id,
            repository_id=row.repository_id,
            host=host,
            repository=repository,
            digest=digest,
            scan_id=scan_id,
            revision=revision,
            tag=tag,
            status=status,
            position=row.position,
            is_covered_anew=row.is_covered_anew,
        )
        for row, status, scan_id, revision, tag, digest, host, repository in (await session.execute(query) if keys else ())
    )


async def finish_rejudgements(session: AsyncSession, keys: Iterable[tuple[int, str]]) -> None:
    """Say that these have been judged."""
    for piece in in_chunks(keys, 2000):
        query = delete(Rejudgement).where(is_any_pair(session, (Rejudgement.image_id, Rejudgement.repository_id), piece))
        await session.execute(query.execution_options(synchronize_session=False))


async def load_events(session: AsyncSession, position: int) -> Mapping[int, Sequence[EventRow]]:
    """Load what became of matches at a position, by package."""
    query = (
        select(
            *(MatchEvent.package_id, MatchEvent.kind, AdvisoryModel.name, PackageAdvisory.aliases),
            *(PackageModel.purl, PackageAdvisory.severity),
        )
        .join(AdvisoryModel, AdvisoryModel.id == MatchEvent.advisory_id)
        .join(PackageModel, PackageModel.id == MatchEvent.package_id)
        .join(PackageAdvisory, _is_same_match())
        .where(MatchEvent.position == position)
        .order_by(MatchEvent.id)
    )
    found: dict[int, list[EventRow]] = {}
    for package_id, kind, name, aliases, purl, severity in await session.execute(query):
        event = EventRow(package_id=package_id, kind=kind, advisory=name, aliases=tuple(aliases), package=purl, severity=severity)
        found.setdefault(package_id, []).append(event)
    return found


def _is_same_place() -> ColumnElement[bool]:
    return and_(StandingDecision.image_id == Rejudgement.image_id, StandingDecision.repository_id == Rejudgement.repository_id)


def _is_same_match() -> ColumnElement[bool]:
    return and_(PackageAdvisory.package_id == MatchEvent.package_id, PackageAdvisory.advisory_id == MatchEvent.advisory_id)


async def _load_holders(session: AsyncSession, package_ids: Iterable[int]) -> set[int]:
    """Load the images that hold a package, the indexes that name one of them, and so on upwards.

    They are told to the next statement one by one: the planner cannot know how few they are, and would read all decisions there are.
    """
    found: set[int] = set()
    for piece in in_chunks(sorted(package_ids), _PACKAGES_A_QUERY):
        holders = _holders_of(session, piece)
        found.update((await session.execute(select(holders.c.image_id))).scalars())
    return found


def _holders_of(session: AsyncSession, package_ids: Sequence[int]) -> CTE:
    inside = select(ImagePackage.image_id).where(is_any(session, ImagePackage.package_id, package_ids), ImagePackage.owned_by.is_(None))
    holders = inside.cte("holders", recursive=True)
    named = (
        select(IndexChild.image_id)
        .join(Image, Image.digest == IndexChild.digest)
        .join(holders, holders.c.image_id == Image.id)
        .where(IndexChild.is_attestation.is_(False))
    )
    return holders.union(named)
