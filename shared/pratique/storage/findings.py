"""Findings and coverage of an image: joins over matches, and what inspections recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.advisories.coverage import NAME as ADVISORIES
from pratique.errors import MissingError
from pratique.findings import Finding, FindingKind, Severity
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus
from pratique.storage.coverages import load_section, load_sections, record_section
from pratique.storage.dialect import insert_missing
from pratique.storage.members import load_members
from pratique.storage.models import AdvisoryModel, Image, ImagePackage, Inspection, Layer, PackageAdvisory, PackageModel
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
    members = await load_members(session, image_digest)
    found = [*await _load_matches(session, members.ids), *await _load_inspections(session, members.ids)]
    return tuple(sorted(dict.fromkeys(found), key=_rank))


async def load_coverage(session: AsyncSession, image_digest: DigestLike) -> Coverage:
    """Load the coverage of all stages; of an index, its children's.

    It is never complete where an image or child is missing or no image, has no inventory, or has packages that were never matched, or were matched with
    another advisory database than its own coverage speaks of: those are items of their own.
    """
    members = await load_members(session, image_digest)
    coverage = await load_sections(session, members.ids)
    gaps = [_gap(digest, "it is not recorded") for digest in members.missing]
    gaps += [_gap(digest, "its index names it as an image, but it is an artifact") for digest in members.strangers]
    if members.is_artifact:
        gaps.append(_gap(str(image_digest), "it is an artifact and no image"))
    gaps += [gap async for gap in _find_gaps(session, members.ids)]
    return coverage.with_items(gaps)


def _rank(finding: Finding) -> tuple[int, str, str, str]:
    return -finding.severity, finding.id, finding.package or "", finding.path or ""


def _gap(name: str, reason: str) -> CoverageItem:
    return CoverageItem(name=name, version="", status=CoverageStatus.FAILED, reason=reason)


async def _load_image_id(session: AsyncSession, image_digest: DigestLike) -> int:
    found = (await session.execute(select(Image.id).where(Image.digest == str(image_digest)).with_for_update())).scalar_one_or_none()
    if found is None:
        raise MissingError(f"expected image {image_digest} to be recorded, found none")
    return found


async def _load_matches(session: AsyncSession, image_ids: Sequence[int]) -> Iterator[Finding]:
    query = (
        select(PackageAdvisory, AdvisoryModel, PackageModel.purl, ImagePackage.paths, Layer.digest)
        .join(AdvisoryModel, AdvisoryModel.id == PackageAdvisory.advisory_id)
        .join(PackageModel, PackageModel.id == PackageAdvisory.package_id)
        .join(ImagePackage, ImagePackage.package_id == PackageAdvisory.package_id)
        .outerjoin(Layer, Layer.id == ImagePackage.layer_id)
        .where(ImagePackage.image_id.in_(image_ids), ImagePackage.owned_by.is_(None))
        .execution_options(populate_existing=True)
    )
    rows = (await session.execute(query)).all()
    return (
        Finding(
            kind=FindingKind(advisory.kind),
            id=advisory.name,
            severity=Severity(match.severity),
            title=advisory.title,
            aliases=tuple(match.aliases),
            package=purl,
            installed=match.installed,
            fixed_in=match.fixed_in,
            status=match.status,
            path=next(iter(paths), None),
            layer=layer,
            references=tuple(advisory.links),
            recommendation=match.recommendation,
            severity_source=match.severity_source,
        )
        for match, advisory, purl, paths, layer in rows
    )


async def _load_inspections(session: AsyncSession, image_ids: Sequence[int]) -> list[Finding]:
    query = select(Inspection.finding).where(Inspection.image_id.in_(image_ids))
    return [msgspec.convert(content, Finding) for content in (await session.execute(query)).scalars()]


async def _find_gaps(session: AsyncSession, image_ids: Sequence[int]) -> AsyncIterator[CoverageItem]:
    bare = select(Image.digest).where(Image.id.in_(image_ids), Image.inventory_digest.is_(None)).order_by(Image.digest)
    for digest in (await session.execute(bare)).scalars():
        yield _gap(digest, "its inventory is not recorded")
    unmatched = (
        select(func.count())
        .select_from(ImagePackage)
        .join(PackageModel, PackageModel.id == ImagePackage.package_id)
        .where(ImagePackage.image_id.in_(image_ids), ImagePackage.owned_by.is_(None), PackageModel.matched_with.is_(None))
    )
    count = (await session.execute(unmatched)).scalar_one()
    if count:
        yield _gap("matching", f"{count} packages were never matched with advisories")
    count = await _count_matched_since(session, image_ids)
    if count:
        reason = f"{count} packages were matched with another advisory database since"
        yield CoverageItem(name="matching", version="", status=CoverageStatus.PARTIAL, reason=reason)


async def _count_matched_since(session: AsyncSession, image_ids: Sequence[int]) -> int:
    """Count the packages whose matches, which all images share, are not those of the database that the image's own coverage names.

    Digests have no order: those of a newer database count as well, as that one's gaps and feeds are not in this image's coverage.
    """
    count = 0
    for image_id in image_ids:
        items = (await load_section(session, image_id, "matching")).items
        digest = next((item.version for item in items if item.name == ADVISORIES and item.version), None)
        if digest is None:
            continue  # nothing was matched for it, and its coverage says so
        query = (
            select(func.count())
            .select_from(ImagePackage)
            .join(PackageModel, PackageModel.id == ImagePackage.package_id)
            .where(ImagePackage.image_id == image_id, ImagePackage.owned_by.is_(None), PackageModel.matched_with != digest)
        )
        count += (await session.execute(query)).scalar_one()
    return count
