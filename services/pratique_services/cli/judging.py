"""From what is in a target to the report on it, judged."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pratique.advisories.coverage import matching_coverage, no_matching
from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import InvalidPolicy, SettingsError
from pratique.findings import Finding, Severity
from pratique.inventory.coverage import Coverage
from pratique.inventory.eol import eol_findings
from pratique.inventory.eol_dates import EolDates
from pratique.inventory.package import Distribution, InstalledPackage, Package
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique.policy.evaluate import evaluate
from pratique.policy.policy import Policy, PolicyDocument, default_policy, select_policy
from pratique.policy.subject import Subject
from pratique.policy.verdict import Verdict
from pratique.reports.report import Report, Target, sorted_findings
from pratique_services.cli.reporting import describe_target
from pratique_services.cli.target_inventory import TargetInventory
from pratique_services.cli.targets import LOCAL

if TYPE_CHECKING:
    from pratique.vex.applying import VexOutcome
    from pratique_services.cli.vex_sources import VexSources


@dataclasses.dataclass(frozen=True, slots=True)
class Judge:
    """Matches advisories and evaluates the policy, as the options of `pratique scan` say. Without a database the coverage says so."""

    options: argparse.Namespace
    database: AdvisoryDatabase | None
    vex: VexSources | None

    @classmethod
    def open(cls, options: argparse.Namespace) -> Judge:
        """Open the advisory database and read the VEX documents that are files.

        Raises SettingsError, InvalidAdvisory; InputError for a VEX document that is none.
        """
        path = options.advisories or os.environ.get("PRATIQUE_ADVISORIES")
        return cls(options, AdvisoryDatabase.open(Path(path)) if path else None, _open_vex(options))

    def report(self, found: TargetInventory) -> Report:
        """Match, apply VEX, judge what is left, and report.

        Raises SettingsError for a policy that cannot be read; with `--vex oci` what a registry raises.
        """
        matched, matching = _match(self.database, [installed.package for installed in found.packages if installed.owned_by is None])
        dates = self.database.eol_dates if self.database else None
        findings = sorted_findings((*_placed(matched, found.packages), *_eol(found.distributions, dates)))
        judged = self._apply_vex(self.vex, findings, found) if self.vex else None
        standing = judged.findings if judged else findings
        coverage = found.coverage.with_items(matching.items, matching.feeds)
        target = describe_target(self.options.target, found, dates)
        verdict = _judge(self.options, standing, coverage, target)
        return Report(
            target=target,
            packages=found.packages,
            findings=standing,
            coverage=coverage,
            verdict=verdict,
            files=found.files,
            suppressed=judged.suppressed if judged else (),
            notes=judged.notes if judged else (),
        )

    def _apply_vex(self, vex: VexSources, findings: tuple[Finding, ...], found: TargetInventory) -> VexOutcome:
        from pratique.vex.applying import apply_vex
        from pratique_services.cli.vex_sources import describe_image

        return apply_vex(findings, vex.documents(found), describe_image(self.options, found))


def _open_vex(options: argparse.Namespace) -> VexSources | None:
    if not options.vex:
        return None
    from pratique_services.cli.vex_sources import VexSources  # most scans go without, and need not wait for it

    return VexSources(options)


def _match(database: AdvisoryDatabase | None, packages: Sequence[Package]) -> tuple[tuple[Finding, ...], Coverage]:
    if database is None:
        return (), no_matching(
            "no advisory database: give --advisories FILE or set PRATIQUE_ADVISORIES; `pratique advisories build` makes one"
        )
    result = database.match_all(packages)
    return tuple(finding for findings in result.findings for finding in findings), matching_coverage(database, packages, result.gaps)


def _placed(findings: tuple[Finding, ...], packages: Sequence[InstalledPackage]) -> list[Finding]:
    """Findings with the layer and path of the package they are about."""
    places = {one.package.purl: one for one in packages}
    placed = []
    for finding in findings:
        place = places.get(finding.package or "")
        path = place.paths[0] if place and place.paths else None
        placed.append(dataclasses.replace(finding, layer=place.layer if place else None, path=path))
    return placed


def _eol(distributions: Sequence[Distribution], dates: EolDates | None) -> list[Finding]:
    found = [finding for distribution in distributions for finding in eol_findings(distribution, dates=dates)]
    return list(dict.fromkeys(found))


def _judge(options: argparse.Namespace, findings: tuple[Finding, ...], coverage: Coverage, target: Target) -> Verdict:
    subject = _subject(options.target, target)
    policy: Policy | None
    if options.policy:
        policy = select_policy(_read_policy(options.policy), host=subject.host, repository=subject.repository, tags=subject.tags)
    else:
        policy = default_policy(Severity.parse(options.fail_on) if options.fail_on else None, fixable_only=options.fixable_only)
    return evaluate(policy, findings, coverage, subject, dt.datetime.now(dt.UTC))


def _subject(text: str, target: Target) -> Subject:
    digest = Digest.parse(target.digest) if target.digest else Digest.of(b"")
    if text.startswith(LOCAL):
        return Subject(host="localhost", repository="local", tags=(), digest=digest)
    reference = Reference.parse(text)
    return Subject(host=reference.host, repository=reference.repository, tags=(reference.tag,) if reference.tag else (), digest=digest)


def _read_policy(path: Path) -> PolicyDocument:
    from pratique.policy.parse import parse_policy  # reads a YAML parser, which nobody waits for who gives no policy

    try:
        return parse_policy(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"cannot read the policy {path}: {error.strerror}") from error
    except InvalidPolicy as error:
        raise SettingsError(f"policy {path}: {error}") from error
