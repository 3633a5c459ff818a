"""Rows for storage tests: pushes, images, inventories and decisions with little to say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.findings import Finding, FindingKind, Severity
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus
from pratique.inventory.inventory import Inventory
from pratique.inventory.package import Distribution, InstalledPackage, Package
from pratique.messages import PushEvent
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Platform
from pratique.policy.verdict import Reason, Verdict, VerdictStatus
from pratique.storage.decisions import DecisionRow, NewDecision, record_decision
from pratique.storage.images import RecordedImage, record_image
from pratique.storage.intake import Intake, record_push
from pratique.storage.match_changes import PackageMatch
from pratique.storage.matches import MatchReport, record_matches
from pratique.storage.scans import finish_scan, lease_scan

HOST = "registry.example:5000"
REPOSITORY = "team/app"
COMPLETE = Coverage(items=(CoverageItem(name="dpkg", version="1", status=CoverageStatus.COMPLETE),))
DEBIAN = Distribution(id="debian", version_id="11", pretty_name="Debian 11", ecosystem="Debian:11", path="etc/os-release")


def digest_of(name: str) -> Digest:
    """A digest that belongs to a name."""
    return Digest("sha256", hashlib.sha256(name.encode()).hexdigest())


def push_event(event_id: str, *, tag: str | None = "v1", digest: Digest | None = None, **more: Any) -> PushEvent:
    """A push to the repository of these tests."""
    values: dict[str, Any] = {"source": "hub", "host": HOST, "repository": REPOSITORY} | more
    return PushEvent(event_id=event_id, tag=tag, digest=digest, **values)


async def push(session: AsyncSession, event_id: str, *, tag: str | None = "v1", digest: Digest | None = None, **more: Any) -> Intake:
    """Record a push."""
    return await record_push(session, push_event(event_id, tag=tag, digest=digest, **more), correlation_id=f"c-{event_id}", raw=b"{}")


def image(digest: Digest, **more: Any) -> RecordedImage:
    """An image for linux/amd64."""
    values: dict[str, Any] = {"kind": "image", "size": 1234, "platform": Platform(os="linux", architecture="amd64")} | more
    return RecordedImage(digest=digest, media_type="application/vnd.oci.image.manifest.v1+json", **values)


def child(digest: Digest, os: str = "linux", architecture: str = "amd64") -> Descriptor:
    """A child of an index."""
    platform = Platform(os=os, architecture=architecture)
    return Descriptor(media_type="application/vnd.oci.image.manifest.v1+json", digest=digest, size=1, platform=platform)


def package(name: str, version: str = "1.0", **more: Any) -> Package:
    """A Debian package."""
    values: dict[str, Any] = {"type": "deb", "namespace": "debian", "ecosystem": "Debian:11", "architecture": "amd64"} | more
    return Package(name=name, version=version, **values)


def inventory(packages: Iterable[Package], *, layer: str | None = None) -> Inventory:
    """An inventory of packages, sorted as inventories are."""
    installed = (InstalledPackage(package=package, paths=("var/lib/dpkg/status",), layer=layer) for package in packages)
    return Inventory(distribution=DEBIAN, packages=tuple(sorted(installed, key=lambda found: found.package.purl)), coverage=COMPLETE)


def finding(name: str, severity: Severity = Severity.HIGH, **more: Any) -> Finding:
    """A vulnerability."""
    return Finding(kind=FindingKind.VULNERABILITY, id=name, severity=severity, **more)


def verdict(status: VerdictStatus = VerdictStatus.FAIL) -> Verdict:
    """A verdict with one reason."""
    reasons = (Reason(rule="no-critical", message="2 critical findings", count=2),)
    return Verdict(status=status, reasons=reasons, policy="default", policy_digest=str(digest_of("policy")), waived=1)


async def scan_image(session: AsyncSession, name: str, *, tag: str | None = "v1", **more: Any) -> str:
    """Push and scan an image called `name`; answer the scan's id."""
    digest = digest_of(name)
    intake = await push(session, f"push-{name}-{tag}", tag=tag, digest=digest, **more)
    assert intake.scan_id
    assert await lease_scan(session, intake.scan_id, worker="w", ttl=60)
    await record_image(session, image(digest))
    assert await finish_scan(session, intake.scan_id, "w", image_digest=digest)
    return intake.scan_id


async def decide(
    session: AsyncSession, name: str, status: VerdictStatus = VerdictStatus.FAIL, *, tag: str | None = "v1", **more: Any
) -> DecisionRow:
    """Push, scan and judge an image called `name`."""
    scan_id = await scan_image(session, name, tag=tag, **more)
    new = NewDecision(scan_id=scan_id, image_digest=digest_of(name), verdict=verdict(status), counts={"critical": 2})
    return await record_decision(session, new)


async def match(session: AsyncSession, findings: Mapping[int, Iterable[Finding]], position: int = 1, **more: Any) -> MatchReport:
    """Record what is said about packages, given by id, at a position of the advisory state."""
    matches = [PackageMatch(package_id=number, findings=tuple(found)) for number, found in findings.items()]
    return await record_matches(session, matches, position=position, **more)


async def count(session: AsyncSession, table: str, where: str = "1 = 1") -> int:
    """Count rows of a table."""
    found: int = (await session.execute(text(f"SELECT count(*) FROM {table} WHERE {where}"))).scalar_one()
    return found
