"""Matching of many packages one by one, as their matches are stored: what each has, and whether something about it could not be answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pratique.advisories.database import MAX_FINDINGS, AdvisoryDatabase
from pratique.findings import Finding
from pratique.inventory.package import Package

UNCOVERED = "uncovered"
INCOMPARABLE = "incomparable"


class Match(NamedTuple):
    """What a database says about a package. `gap` is UNCOVERED (nothing is known of its ecosystem), INCOMPARABLE (its version has no place in the order, or that of an advisory about it), or empty."""

    findings: tuple[Finding, ...]
    gap: str


def match_singly(database: AdvisoryDatabase, packages: Iterable[Package], *, limit: int = MAX_FINDINGS) -> Iterator[Match]:
    """Match packages in the order given; those that are left once there are `limit` findings are not matched at all. Blocking."""
    count = 0
    for package in packages:
        if count >= limit:
            return
        found = database.match_all([package])
        gap = "" if not found.gaps else INCOMPARABLE if database.covers(package.ecosystem) else UNCOVERED
        yield Match(found.findings[0], gap)
        count += len(found.findings[0])
