"""Findings and coverage of an image: joins over matches, and what inspections recorded."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import MissingError
from pratique.findings import Finding
from pratique.inventory.coverage import Coverage
from pratique.storage.coverages import record_section
from pratique.storage.dialect import insert_missing
from pratique.storage.evidence import load_evidence
from pratique.storage.models import Image, Inspection
from pratique.storage.text import DigestLike


async def record_inspections(session: AsyncSession, image_digest: DigestLike, findings: Iterable[Finding]) -> None:
    """Store the findings that are no package's (misconfiguration, secret, malware, end of life …) in place of earlier ones. Raises MissingError."""
    image_id = await _load_image_id(session, image_digest)
    await session.execute(delete(Inspection).where(Inspection.image_id == image_id))
    rows = [
        {
            "image_id": image_id,
            "position": position,
            "kind": str(finding.kind),
            "rule": finding.id,
            "severity": int(finding.severity),
            "finding": msgspec.to_builtins(finding),
        }
        for position, finding in enumerate(findings)
    ]
    await insert_missing(session, Inspection, rows)


async def record_coverage(session: AsyncSession, image_digest: DigestLike, section: str, coverage: Coverage) -> None:
    """Store what a stage (`inspection`, `matching`) covered, in place of what it said before. `inventory` is written by `record_inventory`. Raises MissingError."""
    await record_section(session, await _load_image_id(session, image_digest), section, coverage)


async def load_findings(session: AsyncSession, image_digest: DigestLike) -> tuple[Finding, ...]:
    """Load all findings of an image, worst first; of an index, those of its children."""
    return (await load_evidence(session, [image_digest]))[str(image_digest)].findings


async def load_coverage(session: AsyncSession, image_digest: DigestLike) -> Coverage:
    """Load the coverage of all stages, as `load_evidence` tells it; of an index, its children's."""
    return (await load_evidence(session, [image_digest]))[str(image_digest)].coverage


async def _load_image_id(session: AsyncSession, image_digest: DigestLike) -> int:
    found = (await session.execute(select(Image.id).where(Image.digest == str(image_digest)).with_for_update())).scalar_one_or_none()
    if found is None:
        raise MissingError(f"expected image {image_digest} to be recorded, found none")
    return found
