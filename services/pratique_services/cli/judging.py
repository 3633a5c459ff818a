"""From what is in an image to the report on it, judged or as a mere inventory."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path

from pratique.advisories.coverage import matching_coverage, no_matching
from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import InvalidPolicy, SettingsError
from pratique.findings import Finding, Severity
from pratique.inventory.coverage import Coverage
from pratique.inventory.eol import eol_findings, eol_state
from pratique.inventory.package import InstalledPackage, Package
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique.policy.evaluate import evaluate
from pratique.policy.parse import parse_policy
from pratique.policy.policy import Policy, PolicyDocument, default_policy, select_policy
from pratique.policy.subject import Subject
from pratique.policy.verdict import Verdict
from pratique.reports.report import ImageFiles, Report, Target, sorted_findings
from pratique.scanning import InspectedImage, Inspection
from pratique_services.cli.inspecting import LOCAL


@dataclasses.dataclass(frozen=True, slots=True)
class InventoryReporter:
    """Reports what is in `target`, and nothing about it."""

    target: str

    def report(self, inspection: Inspection) -> Report:
        """Make a report without findings and verdict."""
        return Report(
            target=_target(self.target, inspection),
            packages=_packages(inspection),
            findings=(),
            coverage=_coverage_of(inspection),
            files=_files(inspection),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Judge:
    """Matches advisories and evaluates the policy, as the options of `pratique scan` say. Without a database the coverage says so."""

    options: argparse.Namespace
    database: AdvisoryDatabase | None

    @classmethod
    def open(cls, options: argparse.Namespace) -> Judge:
        """Open the advisory database.

        Raises SettingsError, InvalidAdvisory.
        """
        path = options.advisories or os.environ.get("PRATIQUE_ADVISORIES")
        return cls(options, AdvisoryDatabase.open(Path(path)) if path else None)

    def report(self, inspection: Inspection) -> Report:
        """Match, judge and report.

        Raises SettingsError for a policy that cannot be read.
        """
        packages = _packages(inspection)
        matched, matching = _match(self.database, [installed.package for installed in packages if installed.owned_by is None])
        findings = sorted_findings((*_placed(matched, inspection), *_eol(inspection)))
        coverage = _coverage_of(inspection).with_items(matching.items, matching.feeds)
        target = _target(self.options.target, inspection)
        verdict = _judge(self.options, findings, coverage, target)
        return Report(target=target, packages=packages, findings=findings, coverage=coverage, verdict=verdict, files=_files(inspection))


def _files(inspection: Inspection) -> tuple[ImageFiles, ...]:
    return tuple(
        ImageFiles(
            digest=str(image.digest) if image.digest else None,
            platform=str(image.config.platform) if image.config else None,
            account=image.account,
            files=image.files,
        )
        for image in inspection.images
        if image.account is not None
    )


def _packages(inspection: Inspection) -> tuple[InstalledPackage, ...]:
    """What is installed in any of the images, each once, sorted by purl."""
    installed = (one for image in inspection.images for one in image.inventory.packages)
    unique = {(one.package.purl, one.layer): one for one in installed}
    return tuple(sorted(unique.values(), key=lambda one: one.package.purl))


def _match(database: AdvisoryDatabase | None, packages: Sequence[Package]) -> tuple[tuple[Finding, ...], Coverage]:
    if database is None:
        return (), no_matching(
            "no advisory database: give --advisories FILE or set PRATIQUE_ADVISORIES; `pratique advisories build` makes one"
        )
    result = database.match_all(packages)
    return tuple(finding for findings in result.findings for finding in findings), matching_coverage(database, packages, result.gaps)


def _placed(findings: tuple[Finding, ...], inspection: Inspection) -> list[Finding]:
    """Findings with the layer and path of the package they are about."""
    places = {one.package.purl: one for image in inspection.images for one in image.inventory.packages}
    placed = []
    for finding in findings:
        place = places.get(finding.package or "")
        path = place.paths[0] if place and place.paths else None
        placed.append(dataclasses.replace(finding, layer=place.layer if place else None, path=path))
    return placed


def _eol(inspection: Inspection) -> list[Finding]:
    found = [finding for image in inspection.images for finding in eol_findings(image.inventory.distribution)]
    return list(dict.fromkeys(found))


def _coverage_of(inspection: Inspection) -> Coverage:
    items = [item for image in inspection.images for item in image.inventory.coverage.items]
    return Coverage(items=tuple(dict.fromkeys(items)))


def _target(text: str, inspection: Inspection) -> Target:
    root = inspection.root
    readable: list[InspectedImage] = [image for image in inspection.images if image.config is not None]
    platforms = [str(image.config.platform) for image in readable if image.config]
    distribution = next((image.inventory.distribution for image in inspection.images if image.inventory.distribution), None)
    state = eol_state(distribution)
    return Target(
        reference=text.encode("utf-8", "backslashreplace").decode(),  # a path may hold any bytes
        digest=str(root.descriptor.digest) if root else _described_digest(inspection),
        platform=",".join(platforms) or None,
        distribution=distribution,
        eol=state.eol.isoformat() if state and state.eol else None,
        described=inspection.described,
    )


def _described_digest(inspection: Inspection) -> str | None:
    """The digest of the image that an SBOM is about, as it says."""
    digests = [str(image.digest) for image in inspection.images if image.digest and inspection.described]
    return digests[0] if digests else None


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
    try:
        return parse_policy(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"cannot read the policy {path}: {error.strerror}") from error
    except InvalidPolicy as error:
        raise SettingsError(f"policy {path}: {error}") from error
