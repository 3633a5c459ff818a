"""What matching covered, as coverage: the database's digest, its gaps, and the age of the feeds that speak about these packages."""

from __future__ import annotations

from collections.abc import Iterable

from pratique.advisories.database import AdvisoryDatabase
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus
from pratique.inventory.package import Package

NAME = "advisories"


def matching_coverage(database: AdvisoryDatabase, packages: Iterable[Package], gaps: Iterable[CoverageItem]) -> Coverage:
    """Describe a finished matching of `packages` that left `gaps`. Only feeds that speak about one of the packages are named."""
    ecosystems = {package.ecosystem.partition(":")[0] for package in packages}
    done = CoverageItem(name=NAME, version=str(database.digest), status=CoverageStatus.COMPLETE)
    return Coverage(items=(done, *gaps), feeds=database.feeds_about(ecosystems))


def no_matching(reason: str) -> Coverage:
    """Describe a matching that could not take place: nothing is known about any package."""
    return Coverage(items=(CoverageItem(name=NAME, version="", status=CoverageStatus.FAILED, reason=reason),))
