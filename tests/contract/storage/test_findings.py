from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import LimitExceeded, MissingError
from pratique.findings import Finding, FindingKind, Severity
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus, FeedState
from pratique.inventory.package import Package
from pratique.oci.digest import Digest
from pratique.storage.engine import Database
from pratique.storage.findings import load_coverage, load_findings, record_coverage, record_inspections
from pratique.storage.images import record_image, record_inventory
from pratique.storage.matches import (
    MAX_PACKAGE_IDS,
    carry_matches,
    load_images_of_packages,
    load_packages_to_match,
    load_unmatched_packages,
    record_matches,
)
from pratique.storage.queries import list_affected_images
from pratique.storage.text import utc_now
from tests.support.stored import COMPLETE, child, count, decide, digest_of, finding, image, inventory, package

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
    return {found.name: number for number, found in await load_unmatched_packages(session, digest, "db0")}


async def test_findings_of_an_image_are_those_of_its_packages_and_inspections_worst_first(db: Database) -> None:
    low, high = matched(OPENSSL, "DSA-1", Severity.LOW), matched(ZLIB, "DSA-2")
    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL, ZLIB)
        await record_matches(session, "db1", [(ids["openssl"], (low,)), (ids["zlib1g"], (high,))])
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
        unmatched = [found for _, found in await load_unmatched_packages(session, A, "db1")]
        assert sorted(unmatched, key=lambda found: found.name) == [OPENSSL, ZLIB]
        await record_matches(session, "db1", [(number, ()) for number in ids.values()])
        assert await load_unmatched_packages(session, A, "db1") == []
        await store(session, B, ZLIB, FLASK)
        assert [found for _, found in await load_unmatched_packages(session, B, "db1")] == [FLASK]
        assert len(await load_unmatched_packages(session, B, "db2")) == 2


async def test_matches_are_replaced_and_keep_their_first_sight(db: Database) -> None:
    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL)
        openssl = ids["openssl"]
        await record_matches(session, "db1", [(openssl, (matched(OPENSSL, "DSA-1"), matched(OPENSSL, "DSA-2")))])
        await session.execute(
            text("UPDATE package_advisory SET first_seen = :at"), {"at": _stored(session, dt.datetime(2020, 1, 1, tzinfo=dt.UTC))}
        )
        changed = matched(OPENSSL, "DSA-2", Severity.CRITICAL, title="worse", fixed_in="3")
        await record_matches(session, "db2", [(openssl, (changed, matched(OPENSSL, "DSA-3")))])
        assert [found.id for found in await load_findings(session, A)] == ["DSA-2", "DSA-3"]
        assert (await load_findings(session, A))[0].title == "worse"
        assert await count(session, "package_advisory", "first_seen < '2021-01-01'") == 1
        await record_matches(session, "db3", [(openssl, ())])
        assert await load_findings(session, A) == ()


def _stored(session: AsyncSession, at: dt.datetime) -> object:
    return at if session.get_bind().dialect.name == "postgresql" else at.strftime("%Y-%m-%d %H:%M:%S.%f")


async def test_recording_matches_twice_is_recording_them_once(db: Database) -> None:
    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL)
        twice = (matched(OPENSSL, "DSA-1", Severity.LOW), matched(OPENSSL, "DSA-1", Severity.HIGH))
        for _ in range(2):
            await record_matches(session, "db1", [(ids["openssl"], twice)])
        assert [found.severity for found in await load_findings(session, A)] == [Severity.HIGH]
        await record_matches(session, "db1", [])


async def test_the_fleet_is_matched_page_by_page(db: Database) -> None:
    async with db.transaction() as session:
        await store(session, A, *(package(f"p{number}") for number in range(5)))
        first = await load_packages_to_match(session, "db1", limit=3)
        second = await load_packages_to_match(session, "db1", after=first[-1][0], limit=3)
        assert sorted(found.name for _, found in first + second) == ["p0", "p1", "p2", "p3", "p4"]
        await record_matches(session, "db1", [(number, ()) for number, _ in first])
        assert await load_packages_to_match(session, "db1") == second


@pytest.mark.parametrize(
    "changed", [("Debian:11", "zlib"), ("Debian", "zlib"), ("Debian:12", "zlib"), ("PyPI", "flask-login"), ("PyPI", "Flask.Login")]
)
async def test_matches_are_carried_over_but_for_what_changed(db: Database, changed: tuple[str, str]) -> None:
    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL, ZLIB, FLASK)
        await record_matches(session, "db1", [(number, ()) for number in ids.values()])
        assert await carry_matches(session, "db1", "db2", [changed, ("Debian", "zlib1g"), ("npm", "openssl")]) == 1
        ((_, remaining),) = await load_packages_to_match(session, "db2")
        assert remaining.matching_name == ("zlib" if changed[1] == "zlib" else "Flask_Login")


async def test_packages_that_were_not_matched_with_the_predecessor_are_not_carried(db: Database) -> None:
    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL, ZLIB)
        await record_matches(session, "db0", [(ids["openssl"], ())])
        assert await carry_matches(session, "db1", "db2", []) == 2


async def test_images_of_packages_are_found_through_indexes_and_page_by_page(db: Database) -> None:
    async with db.transaction() as session:
        for name in ("a", "b", "index"):
            await decide(session, name, tag="v1" if name == "a" else None)
        ids = await store(session, A, OPENSSL)
        await store(session, B, ZLIB)
        index = digest_of("index")
        await record_image(session, image(index, kind="index", platform=None, children=(child(A), child(C, "unknown", "unknown"))))
        found = await load_images_of_packages(session, ids.values())
        assert {(place.repository, place.digest, place.is_tagged) for place in found} == {
            ("team/app", str(A), True),
            ("team/app", str(index), False),
        }
        (first,) = await load_images_of_packages(session, ids.values(), limit=1)
        (second,) = await load_images_of_packages(session, ids.values(), after=(first.repository_id, first.digest))
        assert (first, second) == found
        assert await load_images_of_packages(session, []) == ()
        with pytest.raises(LimitExceeded):
            await load_images_of_packages(session, range(MAX_PACKAGE_IDS + 1))


async def test_findings_and_coverage_of_an_index_are_those_of_its_platforms(db: Database) -> None:
    index, attestation = digest_of("index"), digest_of("attestation")
    children = (child(A), child(B, architecture="arm64"), child(attestation, "unknown", "unknown"))
    async with db.transaction() as session:
        await record_image(session, image(index, kind="index", platform=None, children=children))
        ids = await store(session, A, OPENSSL)
        await record_matches(session, "db1", [(ids["openssl"], (matched(OPENSSL, "DSA-1"),))])
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
        await record_matches(session, "db1", [(ids["openssl"], ())])
        await record_coverage(session, A, "matching", Coverage(items=()))
        await record_coverage(session, A, "matching", Coverage(items=(gap,), feeds=(feed,)))
        assert await load_coverage(session, A) == Coverage(items=(*COMPLETE.items, gap), feeds=(feed,))


async def test_packages_matched_with_another_database_since_are_a_gap(db: Database) -> None:
    def matched_by(database: str) -> Coverage:
        return Coverage(items=(CoverageItem(name="advisories", version=database, status=CoverageStatus.COMPLETE),))

    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL, ZLIB)
        await record_matches(session, "newer", [(number, ()) for number in ids.values()])
        await record_coverage(session, A, "matching", matched_by("newer"))
        assert (await load_coverage(session, A)).status is CoverageStatus.COMPLETE
        await store(session, B, ZLIB)
        await record_matches(session, "older", [(ids["zlib1g"], ())])
        await record_coverage(session, B, "matching", matched_by("older"))
        (gap,) = (await load_coverage(session, A)).gaps
        assert (gap.status, gap.reason) == (CoverageStatus.PARTIAL, "1 packages were matched with another advisory database since")
        assert (await load_coverage(session, B)).status is CoverageStatus.COMPLETE


async def test_an_artifact_that_an_index_names_as_an_image_is_a_gap(db: Database) -> None:
    index = digest_of("index")
    async with db.transaction() as session:
        ids = await store(session, A, OPENSSL)
        await record_matches(session, "db1", [(ids["openssl"], ())])
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
        await record_matches(session, "db1", [(ids["openssl"], (matched(OPENSSL, "DSA-1"),))])
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
        await record_matches(session, "db1", [(ids["openssl"], (matched(OPENSSL, "DSA-1"),))])
    first = await since(A)
    async with db.transaction() as session:
        await decide(session, "b", tag="tag-b")
        await store(session, B, OPENSSL)
        await store(session, A, OPENSSL)
        await record_matches(session, "db2", [(ids["openssl"], (matched(OPENSSL, "DSA-1"),))])
    assert between <= first < await since(B)
    assert await since(A) == first


async def test_matches_of_thousands_of_packages_take_a_few_seconds(db: Database) -> None:
    packages = [package(f"package-{number}") for number in range(2000)]
    async with db.transaction() as session:
        ids = await store(session, A, *packages)
    matches = [
        (ids[each.name], tuple(matched(each, f"CVE-{number % 500}-{extra}") for extra in range(3))) for number, each in enumerate(packages)
    ]
    start = time.monotonic()
    async with db.transaction() as session:
        await record_matches(session, "db1", matches)
    async with db.reading() as session:
        assert len(await load_findings(session, A)) == 6000
    assert time.monotonic() - start < 10  # 1.3 to 3.2 s were seen, with the recording of the packages, on two busy cores
