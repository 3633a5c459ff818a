"""Tells, faster than a judgement and as surely, which verdict an image would get: the worst of what its findings, each by itself, and its coverage do to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from pratique.findings import Finding
from pratique.inventory.coverage import Coverage
from pratique.policy.effect import effect_of
from pratique.policy.evaluate import evaluate
from pratique.policy.policy import Policy
from pratique.policy.subject import Subject
from pratique.policy.verdict import VerdictStatus
from pratique.storage.holdings import Holding, PackageFindings


@dataclass(slots=True, kw_only=True)
class Glance:
    """Glances at many images that share packages and coverage: what those do to a verdict is worked out once a policy.

    Policies and coverages are told apart by what they are in memory, which is why coverages are kept: comparing them takes longer than all the rest.
    """

    known: PackageFindings
    packages: dict[tuple[int, int], VerdictStatus] = field(default_factory=dict)
    coverages: dict[tuple[int, int], tuple[Policy, Coverage, VerdictStatus]] = field(default_factory=dict)

    def status_of(self, policy: Policy | None, holding: Holding, subject: Subject, now: dt.datetime) -> VerdictStatus | None:
        """The status that a judgement would come to; None where waivers are for this image, so that only a judgement can tell."""
        if policy is None:
            return VerdictStatus.INCOMPLETE
        if any(waiver.covers_image(subject) for waiver in policy.waivers):
            return None
        effects = {self._effect_of_package(policy, number) for number in holding.package_ids}
        effects.add(_worst(effect_of(policy.rules, finding) for finding in holding.inspections))
        effects.add(self._effect_of_coverage(policy, holding.coverage, subject, now))
        return _worst(effects)

    def _effect_of_package(self, policy: Policy, number: int) -> VerdictStatus:
        key = (id(policy), number)
        if key not in self.packages:
            self.packages[key] = _worst(effect_of(policy.rules, finding) for finding in self.known.by_package[number])
        return self.packages[key]

    def _effect_of_coverage(self, policy: Policy, coverage: Coverage, subject: Subject, now: dt.datetime) -> VerdictStatus:
        key = (id(policy), id(coverage))
        if key not in self.coverages:
            no_findings: tuple[Finding, ...] = ()
            self.coverages[key] = (policy, coverage, evaluate(policy, no_findings, coverage, subject, now).status)
        return self.coverages[key][2]


def _worst(statuses: Iterable[VerdictStatus]) -> VerdictStatus:
    return min(statuses, key=lambda status: status.rank, default=VerdictStatus.PASS)
