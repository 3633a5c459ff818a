"""What thousands of images hold, to tell which of them need to be judged anew: packages by their keys, whose findings all of them share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Text, cast, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.findings import Finding
from pratique.inventory.coverage import Coverage
from pratique.storage.dialect import is_any
from pratique.storage.evidence import Evidence, load_coverages, load_inspections, worst_first
from pratique.storage.exploited_findings import load_exploited_findings
from pratique.storage.members import load_members_of
from pratique.storage.models import ImagePackage, PackageAdvisory
from pratique.storage.text import DigestLike, in_chunks


@dataclass(slots=True, kw_only=True)
class PackageFindings:
    """The findings of packages as they are at one position of the advisory state, loaded once."""

    by_package: dict[int, Sequence[Finding]] = field(default_factory=dict)

    async def load(self, session: AsyncSession, package_ids: Iterable[int]) -> None:
        """Load those of packages that are not here yet."""
        missing = set(package_ids) - self.by_package.keys()
        if missing:
            self.by_package |= await load_exploited_findings(session, missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What an image, or an index with its images, holds: packages that have or had findings, findings that are no package's, and the coverage of all stages."""

    package_ids: tuple[int, ...]
    inspections: tuple[Finding, ...]
    coverage: Coverage

    def evidence(self, known: PackageFindings) -> Evidence:
        """What a verdict on it rests on. Findings of packages name no path and no layer, and are in no order."""
        found = [finding for number in self.package_ids for finding in known.by_package[number]]
        if len({(finding.id, finding.package) for finding in found}) < len(found):  # two packages of one purl may have the same finding
            found = list(worst_first(found))
        return Evidence(findings=(*found, *self.inspections), coverage=self.coverage)


async def load_holdings(session: AsyncSession, digests: Iterable[DigestLike], known: PackageFindings) -> Mapping[str, Holding]:
    """Load what each of some images holds, and the findings of its packages where they are not known yet."""
    members = await load_members_of(session, digests)
    image_ids = sorted({number for found in members.values() for number in found.ids})
    packages = await _load_packages(session, image_ids)
    await known.load(session, {number for of_image in packages.values() for number in of_image})
    inspections = await load_inspections(session, image_ids)
    coverages = await load_coverages(session, members)
    return {
        digest: Holding(
            package_ids=tuple(dict.fromkeys(package for number in found.ids for package in packages.get(number, ()))),
            inspections=tuple(finding for number in found.ids for finding in inspections.get(number, ())),
            coverage=coverages[digest],
        )
        for digest, found in members.items()
    }


async def _load_packages(session: AsyncSession, image_ids: Sequence[int]) -> Mapping[int, Sequence[int]]:
    """The packages of images that are, or were, affected by something, one row an image: there are a hundred in each."""
    found: dict[int, Sequence[int]] = defaultdict(tuple)
    for piece in in_chunks(image_ids, 500):
        query = (
            select(ImagePackage.image_id, func.aggregate_strings(cast(ImagePackage.package_id, Text), ","))
            .where(is_any(session, ImagePackage.image_id, piece), ImagePackage.owned_by.is_(None))
            .where(exists().where(PackageAdvisory.package_id == ImagePackage.package_id))
            .group_by(ImagePackage.image_id)
        )
        for image_id, package_ids in await session.execute(query):
            found[image_id] = sorted(map(int, package_ids.split(",")))
    return found
