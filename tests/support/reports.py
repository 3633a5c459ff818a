"""Reports for tests of the formats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pratique.findings import Finding, FindingKind, Severity
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus, FeedState
from pratique.inventory.package import Distribution, InstalledPackage, Package
from pratique.policy.verdict import Reason, Verdict, VerdictStatus
from pratique.reports.report import Report, Target, sorted_findings

DEBIAN = Distribution(id="debian", version_id="11", pretty_name="Debian GNU/Linux 11 (bullseye)", ecosystem="Debian:11")
DIGEST = "sha256:" + "ab" * 32
LAYER = "sha256:" + "cd" * 32
COMPLETE = CoverageItem(name="dpkg", version="1", status=CoverageStatus.COMPLETE)

PACKAGES = (
    Package(
        type="deb",
        namespace="debian",
        name="libssl1.1",
        version="1.1.1n-0+deb11u3",
        ecosystem="Debian:11",
        architecture="amd64",
        source_name="openssl",
        qualifiers={"distro": "debian-11"},
    ),
    Package(type="deb", namespace="debian", name="libstdc++6", version="1:10.2.1-6", ecosystem="Debian:11", architecture="amd64"),
    Package(type="npm", namespace="@angular", name="core", version="11.0.0", ecosystem="npm"),
    Package(type="pypi", name="requests", version="2.19.0", ecosystem="PyPI"),
)
LIBSSL, LIBSTDC, ANGULAR, REQUESTS = (package.purl for package in PACKAGES)


def vulnerability(identifier: str, purl: str | None = LIBSSL, severity: Severity = Severity.HIGH, **more: Any) -> Finding:
    """A vulnerability in one of the packages."""
    values = {"title": "A flaw", "installed": "1.1.1n-0+deb11u3", "fixed_in": "1.1.1w-0+deb11u1", "references": ("https://example.org/a",)}
    return Finding(kind=FindingKind.VULNERABILITY, id=identifier, severity=severity, package=purl, **(values | more))


EOL = Finding(
    kind=FindingKind.EOL,
    id="EOL-debian-11",
    severity=Severity.HIGH,
    title="Debian GNU/Linux 11 (bullseye) has had no regular security support since 2024-08-14",
    installed="11",
    path="usr/lib/os-release",
    recommendation="Build on a release of debian that is still supported.",
)
SECRET = Finding(
    kind=FindingKind.SECRET, id="private-key", severity=Severity.CRITICAL, title="A private key", path="home/app/.ssh/id_ed25519"
)
FAIL = Verdict(
    status=VerdictStatus.FAIL,
    reasons=(Reason(rule="no-high", message="3 findings of severity high or worse", count=3),),
    policy="default",
    policy_digest=DIGEST,
)


def report(findings: Sequence[Finding] = (), *, gaps: Sequence[CoverageItem] = (), **more: Any) -> Report:
    """A report on a Debian image with four packages."""
    installed = [InstalledPackage(package=package, paths=("var/lib/dpkg/status",), layer=LAYER) for package in PACKAGES]
    values: dict[str, Any] = {
        "target": Target(
            reference="registry.example/team/app:v1", digest=DIGEST, platform="linux/amd64", distribution=DEBIAN, eol="2024-08-14"
        ),
        "packages": tuple(sorted(installed, key=lambda one: one.package.purl)),
        "findings": sorted_findings(findings),
        "coverage": Coverage(items=(COMPLETE, *gaps), feeds=(FeedState(name="Debian", updated="2026-01-01T00:00:00Z"),)),
        "verdict": FAIL,
    }
    return Report(**(values | more))


def gap(name: str, reason: str) -> CoverageItem:
    """Something that could not be read."""
    return CoverageItem(name=name, version="1", status=CoverageStatus.FAILED, reason=reason)
