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
        findings, is_covered, is_comparable = database.match_one(package)
        yield Match(findings, UNCOVERED if not is_covered else "" if is_comparable else INCOMPARABLE)
        count += len(findings)
