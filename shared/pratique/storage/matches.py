"""Matches: which distinct package is affected by which advisory. Stored once, joined by every image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Update, delete, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import LimitExceeded
from pratique.findings import Finding
from pratique.inventory.package import Package
from pratique.storage.dialect import insert_missing, upsert
from pratique.storage.members import load_members
from pratique.storage.models import (
    AdvisoryAlias,
    AdvisoryModel,
    DecisionModel,
    Image,
    ImagePackage,
    PackageAdvisory,
    PackageModel,
)
from pratique.storage.packages import hash_matching, load_packages
from pratique.storage.places import ImagePlace, load_places, select_places
from pratique.storage.text import DigestLike, clean_json, clean_text, in_chunks, shorten_key, utc_now

MAX_PACKAGE_IDS = 10_000  # in one question: they are parameters of one statement
_STALE = ""  # `package.matched_with` of what was matched once and must be matched again
_MATCH = ("severity", "severity_source", "aliases", "installed", "fixed_in", "status", "recommendation", "matched_with")


async def load_unmatched_packages(session: AsyncSession, image_digest: DigestLike, database_digest: str) -> list[tuple[int, Package]]:
    """Load an image's packages (an index: its children's) that were not matched with this advisory database."""
    members = await load_members(session, image_digest)
    inside = select(ImagePackage.package_id).where(ImagePackage.image_id.in_(members.ids), ImagePackage.owned_by.is_(None))
    query = select(PackageModel).where(PackageModel.id.in_(inside), _is_unmatched(database_digest)).order_by(PackageModel.id)
    return await load_packages(session, query)


async def load_packages_to_match(
    session: AsyncSession, database_digest: str, *, after: int | None = None, limit: int = 1000
) -> list[tuple[int, Package]]:
    """Load packages of the whole fleet not matched with this advisory database, by id; go on with `after` = the last id."""
    query = select(PackageModel).where(_is_unmatched(database_digest)).order_by(PackageModel.id).limit(limit)
    return await load_packages(session, query if after is None else query.where(PackageModel.id > after))


async def record_matches(session: AsyncSession, database_digest: str, matches: Sequence[tuple[int, tuple[Finding, ...]]]) -> None:
    """Store the findings of packages in place of earlier ones; a match seen before keeps its first sight. Packages without findings count as matched too.

    Of several findings of one package by one advisory id the most severe is kept.
    """
    # 1. What the findings share, once an advisory.
    advisories = {clean_text(finding.id): finding for _, findings in matches for finding in findings}
    ids = await _record_advisories(session, advisories)
    # 2. The matches; those of these packages that this database does not repeat are gone.
    rows = {
        (package_id, ids[clean_text(finding.id)]): _describe_match(finding) | {"matched_with": database_digest}
        for package_id, findings in matches
        for finding in sorted(findings, key=lambda finding: finding.severity)
    }
    now = utc_now()
    described = [
        {"package_id": package_id, "advisory_id": advisory_id, "first_seen": now, **row}
        for (package_id, advisory_id), row in sorted(rows.items(), key=lambda entry: entry[0])
    ]
    await upsert(session, PackageAdvisory, described, key=("package_id", "advisory_id"), update=_MATCH)
    for piece in in_chunks(sorted(package_id for package_id, _ in matches)):
        gone = PackageAdvisory.package_id.in_(piece), PackageAdvisory.matched_with != database_digest
        await session.execute(delete(PackageAdvisory).where(*gone).execution_options(synchronize_session=False))
        await session.execute(_mark(database_digest).where(PackageModel.id.in_(piece)))


async def carry_matches(session: AsyncSession, from_database: str, to_database: str, changed: Iterable[tuple[str, str]]) -> int:
    """Say that matches with one advisory database hold with its successor, but for packages whose (ecosystem, matching name) changed; answer how many packages remain to match.

    `changed` may name the ecosystem with a release (`Debian:11`) or without: all its releases are meant. Names are compared as their ecosystem does.
    """
    for piece in in_chunks(sorted({hash_matching(ecosystem, name) for ecosystem, name in changed})):
        await session.execute(_mark(_STALE).where(PackageModel.matched_with == from_database, PackageModel.matching_key.in_(piece)))
    await session.execute(_mark(to_database).where(PackageModel.matched_with == from_database))
    count = select(func.count()).select_from(PackageModel).where(_is_unmatched(to_database))
    return (await session.execute(count)).scalar_one()


async def load_images_of_packages(
    session: AsyncSession, package_ids: Iterable[int], *, after: tuple[str, str] | None = None, limit: int = 1000
) -> tuple[ImagePlace, ...]:
    """Load where images and indexes with these packages have a decision, in order of (repository id, digest); go on with `after` = the last pair.

    Raises LimitExceeded for more than MAX_PACKAGE_IDS packages.
    """
    ids = list(package_ids)
    if len(ids) > MAX_PACKAGE_IDS:
        raise LimitExceeded(f"expected at most {MAX_PACKAGE_IDS} packages in one question, got {len(ids)}")
    holders = (
        select(Image.digest)
        .join(ImagePackage, ImagePackage.image_id == Image.id)
        .where(ImagePackage.package_id.in_(ids), ImagePackage.owned_by.is_(None))
    )
    query = select_places(holders).order_by(DecisionModel.repository_id, DecisionModel.image_digest).limit(limit)
    if after is not None:
        query = query.where(tuple_(DecisionModel.repository_id, DecisionModel.image_digest) > after)
    return await load_places(session, query)


def _is_unmatched(database_digest: str) -> ColumnElement[bool]:
    return or_(PackageModel.matched_with.is_(None), PackageModel.matched_with != database_digest)


def _mark(database_digest: str) -> Update:
    return update(PackageModel).values(matched_with=database_digest).execution_options(synchronize_session=False)


async def _record_advisories(session: AsyncSession, advisories: Mapping[str, Finding]) -> dict[str, int]:
    """Record advisories and their names. Rows that say the same already are left alone: all workers share them."""
    wanted = {name: _describe_advisory(name, finding) for name, finding in advisories.items()}
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
    for piece in in_chunks(names):
        for row in (await session.execute(select(AdvisoryModel).where(AdvisoryModel.name.in_(piece)))).scalars():
            found[row.name] = (row.id, {"name": row.name, "kind": row.kind, "title": row.title, "links": row.links})
    return found


def _describe_advisory(name: str, finding: Finding) -> dict[str, Any]:
    return {"name": name, "kind": str(finding.kind), "title": clean_text(finding.title), "links": clean_json(list(finding.references))}


def _describe_match(finding: Finding) -> dict[str, Any]:
    return {
        "severity": int(finding.severity),
        "severity_source": finding.severity_source,
        "aliases": list(finding.aliases),
        "installed": finding.installed,
        "fixed_in": finding.fixed_in,
        "status": finding.status,
        "recommendation": finding.recommendation,
    }
