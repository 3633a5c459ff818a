"""`pratique scan` and `pratique sbom`: the whole judgement in one process, without a server."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import datetime as dt
import os
import sys
from pathlib import Path

from pratique import __version__
from pratique.advisories.coverage import matching_coverage, no_matching
from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import InvalidPolicy, InvalidReference, SettingsError
from pratique.findings import Finding, Severity
from pratique.inventory.coverage import Coverage
from pratique.inventory.eol import eol_findings, eol_state
from pratique.inventory.package import Package
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique.policy.evaluate import evaluate
from pratique.policy.parse import parse_policy
from pratique.policy.policy import Policy, PolicyDocument, default_policy, select_policy
from pratique.policy.subject import Subject
from pratique.policy.verdict import Verdict, VerdictStatus
from pratique.registry.access import RegistryAccess
from pratique.registry.client import Registries
from pratique.registry.targets import open_source
from pratique.reports.printable import printable
from pratique.reports.report import Report, Target, sorted_findings
from pratique.runtime.layer_pool import LayerPool
from pratique.scanning import InspectedImage, Inspection, MemoryLayerStore, Scanner
from pratique_services.cli.main import EXIT_OK, EXIT_UNFINISHED, EXIT_VIOLATED

_LOCAL = ("oci:", "docker-archive:", "dir:")


def scan(options: argparse.Namespace) -> int:
    """Scan, judge and report. Exits 0, 1 (policy or threshold violated) or 3 (could not be judged completely)."""
    report = asyncio.run(_report(options, with_findings=True))
    _write(_render(report, options.format, options.output), options.output)
    match report.verdict.status if report.verdict else VerdictStatus.PASS:
        case VerdictStatus.FAIL:
            return EXIT_VIOLATED
        case VerdictStatus.INCOMPLETE:
            return EXIT_UNFINISHED
        case _:
            return EXIT_OK


def sbom(options: argparse.Namespace) -> int:
    """Write the inventory. Exits 3 when a part of the image could not be read: the list is there, and is not whole."""
    report = asyncio.run(_report(options, with_findings=False))
    _write(_render(report, options.format, options.output), options.output)
    for gap in report.coverage.gaps:
        print(f"pratique: not covered: {printable(gap.name)}: {printable(gap.reason)}", file=sys.stderr)
    return EXIT_UNFINISHED if report.coverage.gaps else EXIT_OK


async def _report(options: argparse.Namespace, *, with_findings: bool) -> Report:
    database = _open_database(options) if with_findings else None
    inspection = await _inspect(options)
    packages = [installed for image in inspection.images for installed in image.inventory.packages]
    unique = tuple({(one.package.purl, one.layer): one for one in packages}.values())
    coverage = _coverage_of(inspection)
    findings: tuple[Finding, ...] = ()
    if with_findings:
        findings, matching = _match(database, [installed.package for installed in unique])
        findings = sorted_findings((*_placed(findings, inspection), *_eol(inspection)))
        coverage = coverage.with_items(matching.items, matching.feeds)
    target = _target(options.target, inspection)
    verdict = _judge(options, findings, coverage, target) if with_findings else None
    return Report(
        target=target,
        packages=tuple(sorted(unique, key=lambda one: one.package.purl)),
        findings=findings,
        coverage=coverage,
        verdict=verdict,
    )


async def _inspect(options: argparse.Namespace) -> Inspection:
    registries = Registries(_accesses(options), user_agent=f"pratique/{__version__}")
    try:
        source = open_source(options.target, registries)
        try:
            async with LayerPool(workers=os.cpu_count() or 1) as pool:
                inspection = await Scanner(pool, MemoryLayerStore()).inspect(source, platform=options.platform)
        finally:
            await source.close()
    finally:
        await registries.close()
    if inspection.is_artifact:
        raise InvalidReference(f"{options.target} is not an image: there is nothing to scan in it")
    return inspection


def _accesses(options: argparse.Namespace) -> dict[str, RegistryAccess]:
    if options.target.startswith(_LOCAL):
        return {}
    host = Reference.parse(options.target).host
    return {host: RegistryAccess(host=host, plain_http=options.plain_http)}


def _open_database(options: argparse.Namespace) -> AdvisoryDatabase | None:
    path = options.advisories or os.environ.get("PRATIQUE_ADVISORIES")
    return AdvisoryDatabase.open(Path(path)) if path else None


def _match(database: AdvisoryDatabase | None, packages: list[Package]) -> tuple[tuple[Finding, ...], Coverage]:
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
    distribution = next((image.inventory.distribution for image in readable if image.inventory.distribution), None)
    state = eol_state(distribution)
    return Target(
        reference=text.encode("utf-8", "backslashreplace").decode(),  # a path may hold any bytes
        digest=str(root.descriptor.digest) if root else None,
        platform=",".join(platforms) or None,
        distribution=distribution,
        eol=state.eol.isoformat() if state and state.eol else None,
    )


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
    if text.startswith(_LOCAL):
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


def _render(report: Report, form: str, output: Path | None) -> bytes:
    """Render in one of the formats; each is imported only when it is asked for."""
    match form:
        case "json":
            from pratique.reports.json import render_json

            return render_json(report)
        case "cyclonedx":
            from pratique.reports.cyclonedx import render_cyclonedx

            return render_cyclonedx(report)
        case _:
            from pratique.reports.table import render_table

            is_terminal = output is None and sys.stdout.isatty()
            width = os.get_terminal_size().columns if is_terminal else None
            return render_table(report, width=width, color=is_terminal and "NO_COLOR" not in os.environ)


def _write(content: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise SettingsError(f"cannot write {output}: {error.strerror}") from error
