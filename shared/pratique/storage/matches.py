"""Matches: which distinct package is affected by which advisory. Stored once, joined by every image, and kept when they end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.findings import Finding
from pratique.inventory.package import Package
from pratique.storage.advisory_state import UNPLACED
from pratique.storage.dialect import insert_missing, is_any, table_of, upsert
from pratique.storage.match_changes import MatchChange, MatchWrite, PackageMatch, compare_matches
from pratique.storage.match_rows import MATCH_COLUMNS, describe_advisory, describe_match, load_stored_matches
from pratique.storage.members import load_members
from pratique.storage.models import AdvisoryAlias, AdvisoryModel, ImagePackage, MatchEvent, PackageAdvisory, PackageModel
from pratique.storage.packages import load_packages
from pratique.storage.text import DigestLike, in_chunks, shorten_key, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchReport:
    """What recording matches changed. `gaps` are packages of which something could not be answered that could before, or the other way round."""

    changes: tuple[MatchChange, ...]
    gaps: frozenset[int]


async def load_unmatched_packages(session: AsyncSession, image_digest: DigestLike) -> list[tuple[int, Package]]:
    """Load an image's packages (an index: its children's) that no match with the state's database stands for."""
    members = await load_members(session, image_digest)
    inside = select(ImagePackage.package_id).where(ImagePackage.image_id.in_(members.ids), ImagePackage.owned_by.is_(None))
    query = select(PackageModel).where(PackageModel.id.in_(inside), is_to_match()).order_by(PackageModel.id)
    return await load_packages(session, query)


async def load_unplaced_packages(session: AsyncSession, *, limit: int) -> list[tuple[int, Package]]:
    """Load packages of the whole fleet that were matched with another database than the state's, by id."""
    query = select(PackageModel).where(is_to_match(), PackageModel.matched_position == UNPLACED).order_by(PackageModel.id).limit(limit)
    return await load_packages(session, query)


async def unplace_packages(session: AsyncSession, ecosystems: Iterable[str] | None = None) -> None:
    """Say that all packages, or those of some ecosystems (with release), have to be matched again."""
    query = update(PackageModel).where(PackageModel.matched_position > UNPLACED).values(matched_position=UNPLACED)
    if ecosystems is not None:
        query = query.where(PackageModel.ecosystem.in_(sorted(ecosystems)))
    await session.execute(query.execution_options(synchronize_session=False))


async def unplace_unmatched(session: AsyncSession) -> None:
    """Say of packages that were never matched, because there was no database or too many findings, that they have to be."""
    query = update(PackageModel).where(is_to_match(), PackageModel.matched_position.is_(None)).values(matched_position=UNPLACED)
    await session.execute(query.execution_options(synchronize_session=False))


async def record_matches(
    session: AsyncSession, matches: Sequence[PackageMatch], *, position: int, is_published: Callable[[str], bool] = lambda _: True
) -> MatchReport:
    """Store what is said about packages at a position of the state, in place of what was said before; answer what changed about those matched before.

    What is not said any more is resolved; retracted, if `is_published` denies that its advisory is there at all. Of several findings of one package by one
    advisory id the most severe is kept. Packages without findings count as matched too.
    """
    package_ids = [match.package_id for match in matches]
    earlier = await _load_gaps(session, package_ids)
    stored = await load_stored_matches(session, package_ids)
    steps = [step for match in matches for step in compare_matches(match, stored.get(match.package_id, {}), is_published)]
    ids = await _record_advisories(session, {write.finding.id: write.finding for write, _ in steps if write.is_open})
    ids |= {name: old.advisory_id for known in stored.values() for name, old in known.items()}
    now = utc_now()
    rows = [_describe(write, ids, now) for write, _ in steps]
    await upsert(
        session, PackageAdvisory, sorted(rows, key=_by_key), key=("package_id", "advisory_id"), update=(*MATCH_COLUMNS, "resolved_at")
    )
    changes = tuple(change for _, change in steps if change is not None and change.package_id in earlier)
    await record_events(session, changes, position=position)
    await _place(session, matches, earlier, position)
    return MatchReport(
        changes=changes, gaps=frozenset(match.package_id for match in matches if earlier.get(match.package_id, match.gap) != match.gap)
    )


async def record_events(session: AsyncSession, changes: Sequence[MatchChange], *, position: int) -> None:
    """Write down what became of matches, for ever."""
    known = await _load_advisories(session, {change.finding.id for change in changes})
    now = utc_now()
    rows = (
        {
            "package_id": change.package_id,
            "advisory_id": known[change.finding.id][0],
            "kind": str(kind),
            "position": position,
            "detail": _detail(change),
            "at": now,
        }
        for change in changes
        for kind in change.kinds
    )
    await insert_missing(session, MatchEvent, rows)


def is_to_match() -> ColumnElement[bool]:
    """The condition of the packages that no match with the state's database stands for, as the index of them has it."""
    return or_(PackageModel.matched_position.is_(None), PackageModel.matched_position == UNPLACED)


async def _load_gaps(session: AsyncSession, package_ids: Iterable[int]) -> dict[int, str]:
    """What could not be answered about packages when they were last matched; only of those that were."""
    found: dict[int, str] = {}
    for piece in in_chunks(package_ids, 5000):
        query = select(PackageModel.id, PackageModel.matching_gap).where(
            is_any(session, PackageModel.id, piece), PackageModel.matched_position.is_not(None)
        )
        found.update((number, gap or "") for number, gap in await session.execute(query))
    return found


async def _place(session: AsyncSession, matches: Sequence[PackageMatch], earlier: Mapping[int, str], position: int) -> None:
    """Say that packages are matched, and what could not be answered."""
    for piece in in_chunks(sorted(match.package_id for match in matches), 5000):
        query = update(PackageModel).where(is_any(session, PackageModel.id, piece)).values(matched_position=position)
        await session.execute(query.execution_options(synchronize_session=False))
    for match in matches:
        if earlier.get(match.package_id, "") != match.gap:
            query = update(PackageModel).where(PackageModel.id == match.package_id).values(matching_gap=match.gap or None)
            await session.execute(query.execution_options(synchronize_session=False))


async def _record_advisories(session: AsyncSession, advisories: Mapping[str, Finding]) -> dict[str, int]:
    """Record advisories and their names. Rows that say the same already are left alone: all workers share them."""
    wanted = {name: describe_advisory(name, finding) for name, finding in advisories.items()}
    known = await _load_advisories(session, wanted)
    changed = [row for name, row in sorted(wanted.items()) if name not in known or known[name][1] != row]
    if changed:
        await upsert(session, AdvisoryModel, changed, key=("name",), update=("kind", "title", "links"))
        known |= await _load_advisories(session, [str(row["name"]) for row in changed])
    ids = {name: number for name, (number, _) in known.items()}
    names = {(shorten_key(alias), ids[name]) for name, finding in advisories.items() for alias in (name, *finding.aliases)}
    await insert_missing(session, AdvisoryAlias, [{"alias": alias, "advisory_id": number} for alias, number in sorted(names)])
    return ids


async def _load_advisories(session: AsyncSession, names: Iterable[str]) -> dict[str, tuple[int, dict[str, Any]]]:
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    columns = table_of(AdvisoryModel).c
    for piece in in_chunks(names):
        query = select(columns.id, columns.name, columns.kind, columns.title, columns.links).where(is_any(session, columns.name, piece))
        for row in await session.execute(query):
            found[row.name] = (row.id, {"name": row.name, "kind": row.kind, "title": row.title, "links": row.links})
    return found


def _describe(write: MatchWrite, ids: Mapping[str, int], now: dt.datetime) -> dict[str, Any]:
    return {
        "package_id": write.package_id,
        "advisory_id": ids[write.finding.id],
        "first_seen": write.first_seen or now,
        "resolved_at": None if write.is_open else now,
        **describe_match(write.finding),
    }


def _by_key(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["package_id"], row["advisory_id"]


def _detail(change: MatchChange) -> str:
    before = f"{change.before.id} {change.before.severity} {change.before.fixed_in or '-'}" if change.before else ""
    after = f"{change.after.id} {change.after.severity} {change.after.fixed_in or '-'}" if change.after else ""
    return f"{before} → {after}"
