"""A small fleet for tests of the API and its pages, made through the storage functions as the services make it.

team/app    1.3 passed, was pushed anew and failed: in quarantine; its names are hostile
team/web    2.0 passed and was promoted
data/etl    nightly is incomplete
team/multi  an index of two platforms, passed
team/new    a tag that was never resolved: queued again after an error
team/broken a scan that was given up
team/chart  an artifact
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.findings import Finding, Severity, count_by_severity
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus, FeedState
from pratique.inventory.package import Package
from pratique.oci.digest import Digest
from pratique.oci.manifest import Platform
from pratique.policy.verdict import Reason, Verdict, VerdictStatus
from pratique.runtime.service import listening
from pratique.runtime.settings import RegistrySettings, Settings
from pratique.storage.actions import load_actions, plan_actions, record_action
from pratique.storage.audit import record_audit
from pratique.storage.decisions import DecisionRow, NewDecision, finish_decision, record_decision
from pratique.storage.engine import Database
from pratique.storage.findings import load_findings, record_coverage
from pratique.storage.images import record_image, record_inventory
from pratique.storage.matches import load_unmatched_packages
from pratique.storage.scans import fail_scan, finish_scan, lease_scan, release_scan
from pratique.storage.tokens import hash_token, record_token
from pratique_services.api.app import add_routes
from tests.support.stored import HOST, child, digest_of, finding, image, inventory, match, package, push

_Contents = Sequence[tuple[Package, Sequence[Finding]]]
SNAPSHOT = "sha256:" + "5" * 64
APP, OLD_APP, WEB, ETL, MULTI, ARM, AMD, CHART = map(digest_of, ("app", "old-app", "web", "etl", "multi", "arm", "amd", "chart"))
HOSTILE = "<script>alert(1)</script>"
HOSTILE_PACKAGE = package('evil"><img src=x onerror=alert(1)>', "1.0'--", source_name="evil")
TOKENS = {
    "reader": ("prq_reader", ("read",)),
    "scanner": ("prq_scanner", ("read", "scan")),
    "releaser": ("prq_releaser", ("read", "release")),
    "root": ("prq_root", ("admin",)),
}
_CRITICAL = finding(
    "DSA-4963-1",
    Severity.CRITICAL,
    title="openssl: SM2 decryption buffer overflow, and read buffer overruns processing ASN.1 strings",
    aliases=("CVE-2021-3711",),
    installed="1.1.1k-1",
    fixed_in="1.1.1k-1+deb11u1",
    status="fixed",
    references=("javascript:alert(1)", "https://security-tracker.debian.org/tracker/CVE-2021-3711"),
    recommendation="update openssl",
)
_HIGH = finding(
    "CVE-2022-0778",
    Severity.HIGH,
    title="Infinite loop in BN_mod_sqrt()",
    installed="1.1.1k-1",
    fixed_in="1.1.1k-1+deb11u2",
    status="fixed",
)
_UNFIXED = finding("CVE-2023-4039", Severity.MEDIUM, title=HOSTILE, installed="10.2.1-6")
_LOW = [
    finding(f"CVE-2011-{number:04d}", Severity.LOW, installed="2.31-13", title=f"glibc: an old one, number {number}")
    for number in range(60)
]


def settings(**more: Any) -> Settings:
    """Settings that know the registry of these tests."""
    return Settings(registries=(RegistrySettings(host=HOST),), **more)


@contextlib.asynccontextmanager
async def serving(database: Database, configured: Settings, wakes: list[None] | None = None) -> AsyncIterator[str]:
    """Run the API service on a free port; yields its address."""
    app = web.Application()
    heard = [] if wakes is None else wakes
    add_routes(app, configured, database, lambda: heard.append(None))
    async with listening(app, "127.0.0.1", 0) as (host, port):
        yield f"http://{host}:{port}"


async def record_tokens(database: Database) -> None:
    """Record the tokens of TOKENS."""
    async with database.transaction() as session:
        for name, (token, scopes) in TOKENS.items():
            await record_token(session, token_hash=hash_token(token), name=name, scopes=scopes, expires_at=None)


def bearer(name: str) -> dict[str, str]:
    """The header with one of TOKENS."""
    return {"Authorization": f"Bearer {TOKENS[name][0]}"}


async def record_fleet(database: Database) -> None:
    """Record everything."""
    await record_tokens(database)
    async with database.transaction() as session:
        await _record_app(session)
    async with database.transaction() as session:
        await _record_passing(session)
        await _record_index(session)
    async with database.transaction() as session:
        await _record_unfinished(session)


async def _record_app(session: AsyncSession) -> None:
    old_openssl = package("libssl1.1", "1.1.1j-1", source_name="openssl")
    scan = await _scan(session, OLD_APP, "team/app", "1.3", [(old_openssl, [replace(_LOW[0], installed="1.1.1j-1")])])
    await _decide(session, scan, OLD_APP, VerdictStatus.PASS, [("promote", {"repository": "team/app", "tag": "prod", "from_tag": "1.3"})])
    openssl = package("libssl1.1", "1.1.1k-1", source_name="openssl")
    contents: _Contents = [
        (openssl, [_CRITICAL, _HIGH]),
        (package("libgcc-s1", "10.2.1-6"), [_UNFIXED]),
        (package("libc6", "2.31-13", source_name="glibc"), _LOW),
        (HOSTILE_PACKAGE, []),
    ]
    scan = await _scan(session, APP, "team/app", "1.3", contents, requested_by=HOSTILE)
    actions = [
        ("attest", {"valid_for_s": 604800}),
        ("quarantine", {"repository": "quarantine/team/app", "tag": APP.hex[:12], "tags": ["1.3"]}),
        ("remove", {"tags": ["1.3"]}),
    ]
    await _decide(session, scan, APP, VerdictStatus.FAIL, actions)


async def _record_passing(session: AsyncSession) -> None:
    scan = await _scan(session, WEB, "team/web", "2.0", [(package("libc6", "2.36-9", source_name="glibc"), [])])
    actions = [
        ("sign", {}),
        ("attest", {"valid_for_s": 604800}),
        ("promote", {"repository": "prod/team/web", "tag": "2.0", "from_tag": "2.0"}),
    ]
    await _decide(session, scan, WEB, VerdictStatus.PASS, actions)
    gaps = [CoverageItem(name="sha256:77aa (layer 3)", version="", status=CoverageStatus.FAILED, reason=f"expected gzip, got {HOSTILE}")]
    scan = await _scan(session, ETL, "data/etl", "nightly", [(package("libc6", "2.31-13", source_name="glibc"), _LOW[:3])], gaps=gaps)
    await _decide(session, scan, ETL, VerdictStatus.INCOMPLETE, [])


async def _record_index(session: AsyncSession) -> None:
    for digest, architecture in ((AMD, "amd64"), (ARM, "arm64")):
        contents: _Contents = [(package("libc6", "2.36-9", source_name="glibc", architecture=architecture), [])]
        await record_image(session, image(digest, platform=Platform(os="linux", architecture=architecture)))
        await _record_contents(session, digest, contents, ())
    scan_id = await _lease(session, MULTI, "team/multi", "3.1")
    children = (child(AMD), child(ARM, architecture="arm64"), child(digest_of("attestation"), os="unknown", architecture="unknown"))
    await record_image(session, image(MULTI, kind="index", platform=None, children=children))
    assert await finish_scan(session, scan_id, "w", image_digest=MULTI, feed_snapshot=SNAPSHOT)
    await _decide(session, scan_id, MULTI, VerdictStatus.PASS, [])


async def _record_unfinished(session: AsyncSession) -> None:
    waiting = await push(session, "new", tag="0.1", repository="team/new")
    assert waiting.scan_id
    await lease_scan(session, waiting.scan_id, worker="w", ttl=60)
    await release_scan(session, waiting.scan_id, "w", "registry.example:5000 answered 503")
    broken = await _lease(session, digest_of("broken"), "team/broken", "9")
    await fail_scan(session, broken, "expected a manifest, got 20 bytes of HTML")
    chart = await _lease(session, CHART, "team/chart", "1")
    await record_image(session, image(CHART, kind="artifact", platform=None))
    await finish_scan(session, chart, "w", image_digest=CHART)


async def _lease(session: AsyncSession, digest: Digest, repository: str, tag: str, *, requested_by: str = "ci-bot") -> str:
    intake = await push(session, f"{repository}-{tag}-{digest}", tag=tag, digest=digest, repository=repository, actor=requested_by)
    assert intake.scan_id
    assert await lease_scan(session, intake.scan_id, worker="w", ttl=60)
    return intake.scan_id


async def _scan(
    session: AsyncSession,
    digest: Digest,
    repository: str,
    tag: str,
    contents: _Contents,
    *,
    gaps: Iterable[CoverageItem] = (),
    requested_by: str = "ci-bot",
) -> str:
    scan_id = await _lease(session, digest, repository, tag, requested_by=requested_by)
    await record_image(session, image(digest))
    await _record_contents(session, digest, contents, gaps)
    assert await finish_scan(session, scan_id, "w", image_digest=digest, feed_snapshot=SNAPSHOT)
    return scan_id


async def _record_contents(session: AsyncSession, digest: Digest, contents: _Contents, gaps: Iterable[CoverageItem]) -> None:
    listed = inventory((installed for installed, _ in contents), layer=str(digest_of("layer")))
    await record_inventory(session, digest, replace(listed, coverage=listed.coverage.with_items(gaps)), "analyzers")
    by_purl = {installed.purl: found for installed, found in contents}
    unmatched = await load_unmatched_packages(session, digest)
    await match(session, {row: by_purl.get(found.purl, ()) for row, found in unmatched})
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(hours=26)
    feeds = (FeedState(name="Debian", updated=yesterday.isoformat()), FeedState(name="PyPI", updated="2025-01-02T03:04:05Z"))
    matched = CoverageItem(name="matching", version="1", status=CoverageStatus.COMPLETE)
    await record_coverage(session, digest, "matching", Coverage(items=(matched,), feeds=feeds))


_REASONS = {
    VerdictStatus.PASS: (),
    VerdictStatus.FAIL: (
        Reason(rule="no-critical", message="1 critical vulnerability has a fix: CVE-2021-3711 in openssl", count=1),
        Reason(rule="no-high", message="1 high vulnerability has a fix", count=1),
    ),
    VerdictStatus.INCOMPLETE: (Reason(rule="coverage", message="layer 3 could not be read", count=1),),
}


async def _decide(
    session: AsyncSession, scan_id: str, digest: Digest, status: VerdictStatus, actions: Sequence[tuple[str, dict[str, Any]]]
) -> DecisionRow:
    verdict = Verdict(status=status, reasons=_REASONS[status], policy="production", policy_digest="sha256:" + "9" * 64)
    counts = count_by_severity(await load_findings(session, digest))
    decision = await record_decision(
        session,
        NewDecision(
            scan_id=scan_id, image_digest=digest, verdict=verdict, feed_snapshot=SNAPSHOT, inventory_digest=str(digest), counts=counts
        ),
    )
    subject = f"{decision.host}/{decision.repository}@{digest}"
    common = {"subject": subject, "correlation_id": decision.correlation_id}
    await record_audit(session, actor="pratique", verb="decided", detail={"verdict": str(status)}, **common)
    await plan_actions(session, decision.id, actions)
    for action in await load_actions(session, decision.id):
        await record_action(session, action.id, outcome="done", detail=f"{action.kind} was done", attempt=1)
        await record_audit(session, actor="pratique", verb=action.kind, detail={"outcome": "done"}, **common)
    await finish_decision(session, decision.id)
    return decision
