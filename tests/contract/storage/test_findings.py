from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import MissingError
from pratique.feeds.health import FeedFailure
from pratique.findings import Finding, FindingKind, Severity
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus, FeedState
from pratique.inventory.package import Package
from pratique.oci.digest import Digest
from pratique.storage.advisory_state import UNPLACED, advance_state, begin_state, record_failures, seize_state
from pratique.storage.engine import Database
from pratique.storage.exploitations import Exploit, record_exploits
from pratique.storage.findings import load_coverage, load_findings, record_coverage, record_inspections
from pratique.storage.images import record_image, record_inventory
from pratique.storage.matches import load_unmatched_packages, unplace_packages
from pratique.storage.queries import list_affected_images
from pratique.storage.text import utc_now
from tests.support.stored import COMPLETE, child, decide, digest_of, finding, image, inventory, match, package

A, B, C = digest_of("a"), digest_of("b"), digest_of("c")
LAYER = str(digest_of("layer"))
OPENSSL, ZLIB = package("openssl", "1.1.1n"), package("zlib1g", source_name="zlib")
FLASK = Package(type="pypi", name="Flask_Login", version="1", ecosystem="PyPI")
SECRET = Finding(kind=FindingKind.SECRET, id="aws-key", severity=Severity.CRITICAL, path="root/.aws/\0", layer=LAYER)


def matched(target: Package, name: str, severity: Severity = Severity.HIGH, **more: object) -> Finding:
    details = {
        "title": f"{name} is bad",
        "aliases": ("CVE-2024-1", "GHSA-x"),
        "package": target.purl,
        "installed": target.version,
        "references": ("https://example/1",),
        "severity_source": "NVD",
        "recommendation": "update",
        "fixed_in": "2",
        "status": "fixed",
    }
    return finding(name, severity, **(details | more))


async def store(session: AsyncSession, digest: Digest, *packages: Package) -> dict[str, int]:
    """Record an image with packages; answer the ids of those not matched with any database, by name."""
    await record_image(session, image(digest))
    await record_inventory(session, digest, inventory(packages, layer=LAYER), "k1")
    return {found.name: number for number, found in await load_unmatched_packages(session, digest)}


async def test_findings_of_an_image_are_those_of_its_packages_and_inspections_worst_first(db: Database) -> None:
    low, high = matched(OPENSSL, "DSA-1", Severity.LOW), matched(ZLIB, "DSA-2")
    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL, ZLIB)
        await match(session, {ids["openssl"]: [low], ids["zlib1g"]: [high]})
        await record_inspections(session, A, [finding("other")])
        await record_inspections(session, A, [SECRET])
        await store(session, B, ZLIB)
    async with db.reading() as session:
        located = {"path": "var/lib/dpkg/status", "layer": LAYER}
        assert await load_findings(session, A) == (
            replace(SECRET, path="root/.aws/\ufffd"),
            replace(high, **located),  # type: ignore[arg-type]
            replace(low, **located),  # type: ignore[arg-type]
        )
        assert [found.id for found in await load_findings(session, B)] == ["DSA-2"]
        assert await load_findings(session, C) == ()


async def test_packages_are_matched_once_for_all_images(db: Database) -> None:
    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL, ZLIB)
        unmatched = [found for _, found in await load_unmatched_packages(session, A)]
        assert sorted(unmatched, key=lambda found: found.name) == [OPENSSL, ZLIB]
        await match(session, dict.fromkeys(ids.values(), ()))
        assert await load_unmatched_packages(session, A) == []
        await store(session, B, ZLIB, FLASK)
        assert [found for _, found in await load_unmatched_packages(session, B)] == [FLASK]
        await unplace_packages(session)
        assert len(await load_unmatched_packages(session, B)) == 2


async def test_findings_and_coverage_of_an_index_are_those_of_its_platforms(db: Database) -> None:
    index, attestation = digest_of("index"), digest_of("attestation")
    children = (child(A), child(B, architecture="arm64"), child(attestation, "unknown", "unknown"))
    async with db.transaction() as session:
        await record_image(session, image(index, kind="index", platform=None, children=children))
        ids = await store(session, A, OPENSSL)
        await match(session, {ids["openssl"]: [matched(OPENSSL, "DSA-1")]})
        assert [gap.name for gap in (await load_coverage(session, index)).gaps] == [str(B)]
        await store(session, B, OPENSSL)
        await record_inspections(session, B, [SECRET])
        assert [found.id for found in await load_findings(session, index)] == ["aws-key", "DSA-1"]
        assert (await load_coverage(session, index)).status is CoverageStatus.COMPLETE


async def test_an_index_that_names_itself_ends_and_is_not_complete(db: Database) -> None:
    async with db.transaction() as session:
        await record_image(session, image(A, kind="index", platform=None, children=(child(A),)))
        assert (await load_coverage(session, A)).status is CoverageStatus.FAILED
        assert await load_findings(session, A) == ()


async def test_coverage_is_the_sum_of_all_stages(db: Database) -> None:
    gap = CoverageItem(name="advisories/Wolfi", version="1", status=CoverageStatus.PARTIAL, reason="no feed of Wolfi")
    feed = FeedState(name="Debian", updated="2026-01-01T00:00:00Z")
    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL)
        await match(session, {ids["openssl"]: []})
        await record_coverage(session, A, "matching", Coverage(items=()))
        await record_coverage(session, A, "matching", Coverage(items=(gap,), feeds=(feed,)))
        assert await load_coverage(session, A) == Coverage(items=(*COMPLETE.items, gap), feeds=(feed,))


async def test_packages_matched_with_another_database_than_the_fleets_are_a_gap(db: Database) -> None:
    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL, ZLIB)
        await match(session, {ids["openssl"]: []})
        await match(session, {ids["zlib1g"]: []}, position=UNPLACED)
        (gap,) = (await load_coverage(session, A)).gaps
        assert gap.status is CoverageStatus.PARTIAL
        assert gap.reason.startswith("1 packages were matched with another advisory database than the one in force")
        await match(session, {ids["zlib1g"]: []})
        assert (await load_coverage(session, A)).status is CoverageStatus.COMPLETE


async def test_feeds_are_as_old_as_the_fleets_database_and_say_what_failed(db: Database) -> None:
    done = CoverageItem(name="advisories", version="sha256:old", status=CoverageStatus.COMPLETE)
    old, new = (FeedState(name="Debian", updated=f"2026-01-0{day}T00:00:00Z") for day in (1, 2))
    gone = FeedState(name="Alpine", updated="2026-01-01T00:00:00Z")
    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL)
        await match(session, {ids["openssl"]: []})
        await record_coverage(session, A, "matching", Coverage(items=(done,), feeds=(old, gone)))
        await begin_state(session, "sha256:old", [old, gone])
        assert (await load_coverage(session, A)).feeds == (old, gone)
        assert await seize_state(session)
        assert await advance_state(session, "sha256:new", [new]) == 2
        await record_failures(session, [FeedFailure(name="osv/Debian", reason="not JSON", since="2026-01-03T00:00:00Z")])
        coverage = await load_coverage(session, A)
        assert coverage.feeds == (replace(new, failure="not JSON (since 2026-01-03T00:00:00Z)"), gone)
        assert [item.version for item in coverage.items if item.name == "advisories"] == ["sha256:new"]


async def test_findings_say_what_is_known_of_exploitation(db: Database) -> None:
    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL)
        await match(session, {ids["openssl"]: [matched(OPENSSL, "DSA-1", aliases=("CVE-2024-1", "CVE-2024-2"))]})
        await record_exploits(session, {"CVE-2024-1": Exploit(None, 0.25), "CVE-2024-2": Exploit("2024-05-01", 0.125)})
        (found,) = await load_findings(session, A)
        assert (found.exploited_since, found.epss) == ("2024-05-01", 0.25)


async def test_an_artifact_that_an_index_names_as_an_image_is_a_gap(db: Database) -> None:
    index = digest_of("index")
    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL)
        await match(session, {ids["openssl"]: []})
        await record_image(session, image(B, kind="artifact", platform=None))
        bare = replace(child(B), platform=None)
        await record_image(session, image(index, kind="index", platform=None, children=(child(A), bare)))
        assert (await load_coverage(session, index)).status is CoverageStatus.COMPLETE
        await record_image(session, image(index, kind="index", platform=None, children=(child(A), child(B))))
        (gap,) = (await load_coverage(session, index)).gaps
        assert (gap.name, gap.reason) == (str(B), "its index names it as an image, but it is an artifact")


async def test_what_is_missing_is_never_complete(db: Database) -> None:
    async with db.transaction() as session:
        assert (await load_coverage(session, A)).status is CoverageStatus.FAILED
        await record_image(session, image(A))
        assert [gap.reason for gap in (await load_coverage(session, A)).gaps] == ["its inventory is not recorded"]
        await store(session, A, OPENSSL, ZLIB)
        assert [gap.reason for gap in (await load_coverage(session, A)).gaps] == ["2 packages were never matched with advisories"]
        await record_image(session, image(B, kind="artifact", platform=None))
        assert (await load_coverage(session, B)).status is CoverageStatus.FAILED
        for record in (record_inspections(session, C, []), record_coverage(session, C, "matching", COMPLETE)):
            with pytest.raises(MissingError):
                await record


async def test_a_vulnerability_is_found_where_it_is_by_any_of_its_names(db: Database) -> None:
    async with db.transaction() as session:
        for name in ("a", "b", "index"):
            await decide(session, name, tag=f"tag-{name}")
        ids = await store(session, A, OPENSSL, ZLIB)
        await store(session, B, ZLIB)
        await record_image(session, image(digest_of("index"), kind="index", platform=None, children=(child(A),)))
        await match(session, {ids["openssl"]: [matched(OPENSSL, "DSA-1")]})
    async with db.reading() as session:
        for name in ("DSA-1", "CVE-2024-1", "GHSA-x"):
            found = await list_affected_images(session, name)
            assert {(each.digest, each.tags) for each in found} == {(str(A), ("tag-a",)), (str(digest_of("index")), ("tag-index",))}
            assert {package.purl for each in found for package in each.packages} == {OPENSSL.purl}
            assert {(package.fixed_in, package.severity) for each in found for package in each.packages} == {("2", "high")}
        first = (await list_affected_images(session, "DSA-1", limit=1))[0]
        rest = await list_affected_images(session, "DSA-1", after=(first.host, first.repository, first.digest))
        assert (first, *rest) == found
        assert await list_affected_images(session, "CVE-2024-2") == ()


async def test_a_vulnerability_is_somewhere_since_both_the_image_and_the_advisory_are_known(db: Database) -> None:
    async def since(image_digest: Digest) -> dt.datetime:
        async with db.reading() as session:
            return next(one.packages[0].since for one in await list_affected_images(session, "DSA-1") if one.digest == str(image_digest))

    async with db.transaction() as session:
        await decide(session, "a", tag="tag-a")
        ids = await store(session, A, OPENSSL)
    between = utc_now()
    async with db.transaction() as session:
        await match(session, {ids["openssl"]: [matched(OPENSSL, "DSA-1")]})
    first = await since(A)
    async with db.transaction() as session:
        await decide(session, "b", tag="tag-b")
        await store(session, B, OPENSSL)
        await store(session, A, OPENSSL)
        await match(session, {ids["openssl"]: [matched(OPENSSL, "DSA-1")]})
    assert between <= first < await since(B)
    assert await since(A) == first
