"""Matches of the fleet's packages with the old database, made by two processes: the rows of packages and matches, and what each package does to verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.fleet.population import Population
from pratique.advisories.database import AdvisoryDatabase
from pratique.advisories.matching import match_singly
from pratique.findings import Finding
from pratique.inventory.package import Package
from pratique.policy.effect import effect_of
from pratique.policy.policy import PolicyDocument
from pratique.policy.verdict import VerdictStatus
from pratique.storage.exploitations import Exploit, exploits_of
from pratique.storage.match_changes import as_stored
from pratique.storage.match_rows import describe_advisory, describe_match
from pratique.storage.packages import clean_package, hash_matching, hash_package

_PIECE = 2000
_PROCESSES = 2

Row = Mapping[str, Any]


@dataclass(slots=True)
class Matched:
    """Rows of some packages and of their matches, which name advisories yet; `effects` are the worst verdicts of packages, policy by policy, where not `pass`."""

    packages: list[Row] = field(default_factory=list)
    matches: list[tuple[str, Row]] = field(default_factory=list)
    advisories: dict[str, Row] = field(default_factory=dict)
    aliases: set[tuple[str, str]] = field(default_factory=set)
    exploits: dict[str, Exploit] = field(default_factory=dict)
    effects: dict[int, tuple[VerdictStatus, ...]] = field(default_factory=dict)

    def add(self, number: int, package: Package, findings: Sequence[Finding], document: PolicyDocument) -> None:
        """Add a package's rows."""
        self.packages.append(_describe(number, package))
        for finding in map(as_stored, findings):
            self.matches.append((finding.id, {"package_id": number, **describe_match(finding)}))
            self.advisories[finding.id] = describe_advisory(finding.id, finding)
            self.aliases.update((alias, finding.id) for alias in (finding.id, *finding.aliases))
        effects = tuple(_worst(effect_of(policy.rules, finding) for finding in findings) for policy in document.policies)
        if set(effects) != {VerdictStatus.PASS}:
            self.effects[number] = effects


def match_all(fleet: Population, database: Path, document: PolicyDocument) -> Iterator[Matched]:
    """Match all packages of a fleet, piece by piece."""
    starts = range(1, len(fleet.packages) + 1, _PIECE)
    with get_context("fork").Pool(_PROCESSES, initializer=_prepare, initargs=(fleet, database, document)) as pool:
        yield from pool.imap(_match, starts)


def _prepare(fleet: Population, database: Path, document: PolicyDocument) -> None:
    _inherited[:] = [(fleet, AdvisoryDatabase.open(database), document)]


_inherited: list[tuple[Population, AdvisoryDatabase, PolicyDocument]] = []


def _match(start: int) -> Matched:
    fleet, database, document = _inherited[0]
    numbers = range(start, min(start + _PIECE, len(fleet.packages) + 1))
    packages = [clean_package(fleet.package(number)) for number in numbers]
    matched = Matched()
    for number, package, found in zip(numbers, packages, match_singly(database, packages), strict=True):
        if found.gap:
            raise AssertionError(f"{package.purl}: {found.gap}")
        matched.add(number, package, found.findings, document)
        matched.exploits.update(exploits_of(database, found.findings))
    return matched


def _worst(effects: Iterator[VerdictStatus]) -> VerdictStatus:
    return min(effects, key=lambda status: status.rank, default=VerdictStatus.PASS)


def _describe(number: int, package: Package) -> Row:
    first, *others = (hash_matching(package.ecosystem, name) for name, _ in package.matching_names)
    return {
        "id": number,
        "key": hash_package(package),
        "matching_key": first,
        "second_matching_key": next((key for key in others if key != first), None),
        "type": package.type,
        "namespace": package.namespace,
        "name": package.name,
        "version": package.version,
        "ecosystem": package.ecosystem,
        "architecture": package.architecture,
        "source_name": package.source_name,
        "source_version": package.source_version,
        "qualifiers": dict(package.qualifiers),
        "purl": package.purl,
        "matched_position": 1,
    }
