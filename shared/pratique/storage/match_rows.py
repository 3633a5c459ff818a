"""Rows of matches and the findings that they stand for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.findings import Finding, FindingKind, Rating, Severity
from pratique.storage.dialect import is_any
from pratique.storage.match_changes import StoredMatch
from pratique.storage.models import AdvisoryModel, PackageAdvisory, PackageModel
from pratique.storage.text import in_chunks

MATCH_COLUMNS = ("severity", "severity_source", "aliases", "installed", "fixed_in", "status", "recommendation", "ratings")


async def load_stored_matches(session: AsyncSession, package_ids: Iterable[int]) -> Mapping[int, Mapping[str, StoredMatch]]:
    """Load all matches of packages, those that ended too, by package and by the advisory's id."""
    found: dict[int, dict[str, StoredMatch]] = defaultdict(dict)
    for piece in in_chunks(package_ids, 1000):
        for row in await session.execute(_select_matches().where(is_any(session, PackageAdvisory.package_id, piece))):
            match = StoredMatch(
                advisory_id=row.advisory_id, finding=read_finding(row), first_seen=row.first_seen, resolved_at=row.resolved_at
            )
            found[row.package_id][row.name] = match
    return found


async def load_open_findings(session: AsyncSession, package_ids: Iterable[int]) -> Mapping[int, Mapping[int, Finding]]:
    """Load the findings of packages that last, by package and the advisory's key."""
    found: dict[int, dict[int, Finding]] = defaultdict(dict)
    for piece in in_chunks(package_ids, 1000):
        query = _select_matches().where(is_any(session, PackageAdvisory.package_id, piece), PackageAdvisory.resolved_at.is_(None))
        for row in await session.execute(query):
            found[row.package_id][row.advisory_id] = read_finding(row)
    return found


def read_finding(row: Row[Any]) -> Finding:
    """Read a row as the finding that was recorded, without its place in an image."""
    return Finding(
        kind=FindingKind(row.kind),
        id=row.name,
        severity=Severity(row.severity),
        title=row.title,
        aliases=tuple(row.aliases),
        package=row.purl,
        installed=row.installed,
        fixed_in=row.fixed_in,
        status=row.status,
        references=tuple(row.links),
        recommendation=row.recommendation,
        severity_source=row.severity_source,
        ratings=msgspec.convert(row.ratings or (), tuple[Rating, ...]),
    )


def describe_advisory(name: str, finding: Finding) -> dict[str, Any]:
    """Describe what the findings of an advisory share; they are clean."""
    return {"name": name, "kind": str(finding.kind), "title": finding.title, "links": list(finding.references)}


def describe_match(finding: Finding) -> dict[str, Any]:
    """Describe what is a match's own; the finding is clean."""
    return {
        "severity": int(finding.severity),
        "severity_source": finding.severity_source,
        "aliases": list(finding.aliases),
        "installed": finding.installed,
        "fixed_in": finding.fixed_in,
        "status": finding.status,
        "recommendation": finding.recommendation,
        "ratings": msgspec.to_builtins(finding.ratings) or None,
    }


def _select_matches() -> Select[Any]:
    return (
        select(
            *(PackageAdvisory.package_id, PackageAdvisory.advisory_id, PackageAdvisory.first_seen, PackageAdvisory.resolved_at),
            *(getattr(PackageAdvisory, name) for name in MATCH_COLUMNS),
            *(AdvisoryModel.name, AdvisoryModel.kind, AdvisoryModel.title, AdvisoryModel.links, PackageModel.purl),
        )
        .join(AdvisoryModel, AdvisoryModel.id == PackageAdvisory.advisory_id)
        .join(PackageModel, PackageModel.id == PackageAdvisory.package_id)
    )
