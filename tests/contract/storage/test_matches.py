from __future__ import annotations

import datetime as dt
import time

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.findings import Finding, Severity
from pratique.inventory.package import Package
from pratique.storage.advisory_state import UNPLACED
from pratique.storage.engine import Database
from pratique.storage.exploitations import Exploit
from pratique.storage.exploited_matches import record_news_of_exploits
from pratique.storage.findings import load_findings
from pratique.storage.images import record_image, record_inventory
from pratique.storage.match_changes import ChangeKind, PackageMatch
from pratique.storage.matches import (
    MatchReport,
    load_unmatched_packages,
    load_unplaced_packages,
    record_matches,
    unplace_packages,
    unplace_unmatched,
)
from pratique.storage.packages import load_packages_named
from tests.support.stored import count, digest_of, finding, image, inventory, match, package

A = digest_of("a")
OPENSSL, ZLIB = package("openssl", "1.1.1n"), package("zlib1g", source_name="zlib")
FLASK = Package(type="pypi", name="Flask_Login", version="1", ecosystem="PyPI")
KERNEL = Package(type="rpm", name="kernel-core", version="5.14", source_name="kernel", source_version="5.14", ecosystem="AlmaLinux:9")


def said(name: str, severity: Severity = Severity.HIGH, **more: object) -> Finding:
    return finding(name, severity, package=OPENSSL.purl, installed="1.1.1n", **more)


async def store(session: AsyncSession, *packages: Package) -> dict[str, int]:
    """Record an image with packages; answer their ids by name."""
    await record_image(session, image(A))
    await record_inventory(session, A, inventory(packages), "k1")
    return {found.name: number for number, found in await load_unmatched_packages(session, A)}


def kinds(report: MatchReport) -> list[tuple[str, ...]]:
    return [tuple(map(str, change.kinds)) for change in report.changes]


async def test_the_first_match_of_a_package_is_no_change(db: Database) -> None:
    async with db.transaction() as session:
        ids = await store(session, OPENSSL)
        assert await match(session, {ids["openssl"]: [said("DSA-1")]}) == MatchReport(changes=(), gaps=frozenset())
        assert await count(session, "match_event") == 0


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [said("DSA-1")], [("appeared",)]),
        ([said("DSA-1")], [said("DSA-1")], []),
        ([said("DSA-1")], [said("DSA-1", title="other words")], [()]),
        ([said("DSA-1")], [said("DSA-1", Severity.CRITICAL)], [("worsened",)]),
        ([said("DSA-1")], [said("DSA-1", Severity.LOW, fixed_in="2")], [("eased", "fix-available")]),
        ([said("DSA-1")], [], [("resolved",)]),
        ([said("GONE-1")], [], [("retracted",)]),
        ([said("GONE-1", aliases=("CVE-1",))], [said("DSA-1", Severity.CRITICAL, aliases=("CVE-1",))], [("renamed", "worsened")]),
        ([said("DSA-1")], [said("DSA-1"), said("DSA-2")], [("appeared",)]),
    ],
)
async def test_what_became_of_a_match_is_told_and_written_down(
    db: Database, before: list[Finding], after: list[Finding], expected: list[tuple[str, ...]]
) -> None:
    async with db.transaction() as session:
        openssl = (await store(session, OPENSSL))["openssl"]
        await match(session, {openssl: before})
        report = await match(session, {openssl: after}, position=2, is_published=lambda name: name != "GONE-1")
        assert kinds(report) == expected
        rows = await session.execute(text("SELECT kind FROM match_event WHERE position = 2 ORDER BY id"))
        assert list(rows.scalars()) == [kind for of_change in expected for kind in of_change]
        assert [found.id for found in await load_findings(session, A)] == [found.id for found in after]


async def test_a_match_that_comes_back_is_reopened_and_keeps_its_first_sight(db: Database) -> None:
    async with db.transaction() as session:
        openssl = (await store(session, OPENSSL))["openssl"]
        await match(session, {openssl: [said("DSA-1")]})
        at = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        is_postgresql = session.get_bind().dialect.name == "postgresql"
        await session.execute(
            text("UPDATE package_advisory SET first_seen = :at"), {"at": at if is_postgresql else at.strftime("%Y-%m-%d %H:%M:%S.%f")}
        )
        await match(session, {openssl: []}, position=2)
        assert await count(session, "package_advisory", "resolved_at IS NOT NULL") == 1
        assert await load_findings(session, A) == ()
        report = await match(session, {openssl: [said("DSA-1")]}, position=3)
        assert kinds(report) == [("reopened",)]
        assert await count(session, "package_advisory", "resolved_at IS NULL AND first_seen < '2021-01-01'") == 1


async def test_a_flaw_that_goes_on_under_another_name_keeps_its_first_sight(db: Database) -> None:
    async with db.transaction() as session:
        openssl = (await store(session, OPENSSL))["openssl"]
        await match(session, {openssl: [said("PYSEC-1", aliases=("CVE-1",))]})
        await match(session, {openssl: [said("GHSA-1", aliases=("CVE-1",))]}, position=2)
        assert await count(session, "package_advisory", "resolved_at IS NULL") == 1
        seen = await session.execute(text("SELECT count(DISTINCT first_seen) FROM package_advisory"))
        assert seen.scalar_one() == 1


async def test_of_several_findings_by_one_advisory_the_worst_is_kept(db: Database) -> None:
    async with db.transaction() as session:
        openssl = (await store(session, OPENSSL))["openssl"]
        for _ in range(2):
            report = await match(session, {openssl: [said("DSA-1", Severity.LOW), said("DSA-1", Severity.HIGH)]})
        assert report.changes == ()
        assert [found.severity for found in await load_findings(session, A)] == [Severity.HIGH]
        assert await match(session, {}) == MatchReport(changes=(), gaps=frozenset())


async def test_hostile_text_of_an_advisory_is_the_same_when_it_is_said_again(db: Database) -> None:
    hostile = said("DSA-\0", title="\0", aliases=("\ud800",), fixed_in="\0", references=("\0",), recommendation="\0", severity_source="\0")
    async with db.transaction() as session:
        openssl = (await store(session, OPENSSL))["openssl"]
        await match(session, {openssl: [hostile]})
        assert (await match(session, {openssl: [hostile]}, position=2)).changes == ()


async def test_what_cannot_be_answered_any_more_or_again_is_told(db: Database) -> None:
    async def say(gap: str, position: int) -> frozenset[int]:
        return (await record_matches(session, [PackageMatch(package_id=openssl, findings=(), gap=gap)], position=position)).gaps

    async with db.transaction() as session:
        openssl = (await store(session, OPENSSL))["openssl"]
        assert await say("uncovered", 1) == frozenset()
        assert await say("uncovered", 2) == frozenset()
        assert await say("", 3) == {openssl}
        assert await say("incomparable", 4) == {openssl}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (("Debian:11", "zlib"), "zlib1g"),
        (("Debian", "zlib"), "zlib1g"),
        (("Debian:12", "zlib"), "zlib1g"),
        (("PyPI", "flask-login"), "Flask_Login"),
        (("PyPI", "Flask.Login"), "Flask_Login"),
        (("AlmaLinux:9", "kernel"), "kernel-core"),
        (("AlmaLinux:8", "kernel-core"), "kernel-core"),
    ],
)
async def test_packages_are_found_by_the_names_that_advisories_use(db: Database, name: tuple[str, str], expected: str) -> None:
    async with db.transaction() as session:
        ids = await store(session, OPENSSL, ZLIB, FLASK, KERNEL)
        assert await load_packages_named(session, [name]) == []
        await match(session, dict.fromkeys(ids.values(), ()))
        found = await load_packages_named(session, [name, ("Debian", "zlib1g"), ("npm", "openssl")])
        assert [package.name for _, package in found] == [expected]


async def test_packages_are_to_be_matched_again_by_ecosystem_or_all(db: Database) -> None:
    async with db.transaction() as session:
        ids = await store(session, OPENSSL, ZLIB, FLASK, KERNEL)
        matched = [ids["openssl"], ids["zlib1g"], ids["Flask_Login"]]
        await match(session, dict.fromkeys(matched, ()))
        assert await load_unplaced_packages(session, limit=10) == []
        await unplace_packages(session, {"Debian:11"})
        assert [number for number, _ in await load_unplaced_packages(session, limit=10)] == sorted(matched[:2])
        assert len(await load_unplaced_packages(session, limit=1)) == 1
        await unplace_packages(session)
        assert [number for number, _ in await load_unplaced_packages(session, limit=10)] == sorted(matched)
        await unplace_unmatched(session)
        assert len(await load_unplaced_packages(session, limit=10)) == 4
        await match(session, dict.fromkeys(matched, ()), position=UNPLACED)
        assert len(await load_unplaced_packages(session, limit=10)) == 4


async def test_a_cve_that_is_exploited_changes_the_matches_that_name_it(db: Database) -> None:
    known, now = (
        {"CVE-1": Exploit(None, 0.1), "CVE-2": Exploit(None, 0.1)},
        {"CVE-1": Exploit("2026-01-01", 0.9), "CVE-2": Exploit(None, 0.2)},
    )
    async with db.transaction() as session:
        ids = await store(session, OPENSSL, ZLIB)
        await match(session, {ids["openssl"]: [said("DSA-1", aliases=("CVE-1",))], ids["zlib1g"]: [said("DSA-2", aliases=("CVE-2",))]})
        assert await record_news_of_exploits(session, known, known, position=2) == ()
        (change,) = await record_news_of_exploits(session, known, now, position=3)
        assert (change.package_id, change.kinds) == (ids["openssl"], (ChangeKind.EXPLOITED,))
        assert change.after is not None
        assert (change.after.exploited_since, change.after.epss) == ("2026-01-01", 0.9)
        assert await count(session, "match_event", "kind = 'exploited' AND position = 3") == 1
        found = {one.id: (one.exploited_since, one.epss) for one in await load_findings(session, A)}
        assert found == {"DSA-1": ("2026-01-01", 0.9), "DSA-2": (None, 0.2)}


async def test_matches_of_thousands_of_packages_take_a_few_seconds(db: Database) -> None:
    packages = [package(f"package-{number}") for number in range(2000)]
    async with db.transaction() as session:
        ids = await store(session, *packages)
    matches = {ids[each.name]: [said(f"CVE-{number % 500}-{extra}") for extra in range(3)] for number, each in enumerate(packages)}
    start = time.monotonic()
    async with db.transaction() as session:
        await match(session, matches)
    async with db.reading() as session:
        assert len(await load_findings(session, A)) == 6000
    assert time.monotonic() - start < 20  # 1.3 to 3.2 s were seen, with the recording of the packages, on two busy cores
