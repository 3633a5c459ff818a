from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from pratique.advisories.compiler import compile_database
from pratique.advisories.coverage import matching_coverage
from pratique.advisories.database import AdvisoryDatabase
from pratique.advisories.matching import match_singly
from pratique.deciding.decider import Decider
from pratique.findings import Severity
from pratique.inventory.package import Package
from pratique.messages import DecisionRecorded, parse_message
from pratique.policy.parse import parse_policy
from pratique.policy.policy import PolicyDocument
from pratique.storage.advisory_state import UNPLACED, begin_state, hold_state
from pratique.storage.engine import Database
from pratique.storage.exploitations import exploits_of, record_exploits
from pratique.storage.findings import load_findings, record_coverage
from pratique.storage.images import record_image, record_inventory
from pratique.storage.match_changes import PackageMatch
from pratique.storage.matches import load_unmatched_packages, record_matches
from pratique.storage.notifications import claim_new_findings
from pratique.storage.outbox import load_unpublished, mark_published
from pratique.storage.scans import load_scan
from pratique_services.advisor.fleet import Fleet
from pratique_services.enforcer.consumer import as_case
from tests.support.osv_mirror import make_affected, make_record, write_mirror
from tests.support.stored import child, count, digest_of, image, inventory, scan_image

POLICY = parse_policy(
    b"""
version: 1
policies:
  - name: all
    match: {repositories: ["**"]}
    rules: {fail_on: critical, max_feed_age: unlimited}
"""
)
TORNADO = Package(type="pypi", name="tornado", version="6.0", ecosystem="PyPI")
FLASK = Package(type="pypi", name="flask", version="2.0", ecosystem="PyPI")
EXPRESS = Package(type="npm", name="express", version="4.0.0", ecosystem="npm")


def says(name: str, package: str = "tornado", severity: str = "CRITICAL", *, fixed: str = "7.0", ecosystem: str = "PyPI") -> dict[str, Any]:
    affected = make_affected(ecosystem, package, {"introduced": "0"}, {"fixed": fixed})
    return make_record(name, affected, aliases=[f"CVE-2026-000{name[-1]}"], database_specific={"severity": severity})


@dataclass(kw_only=True)
class Advisories:
    """A mirror that changes, compiled to one path."""

    folder: Path
    number: int = 0
    exploited: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / "advisories.sqlite"

    def publish(self, *records: dict[str, Any], npm: list[dict[str, Any]] | None = None) -> Path:
        self.number += 1
        mirror = write_mirror(self.folder / f"mirror-{self.number}", PyPI=[says("GHSA-other", "other", "LOW"), *records])
        if npm is not None:
            write_mirror(mirror, npm=npm)
        catalogue = {"title": "CISA", "catalogVersion": "1", "dateReleased": "2026-01-01T00:00:00Z", "count": len(self.exploited)}
        entries = [{"cveID": cve, "dateAdded": "2026-02-03", "knownRansomwareCampaignUse": "Unknown"} for cve in self.exploited]
        (mirror / "kev.json").write_text(json.dumps({**catalogue, "vulnerabilities": entries}))
        compile_database(mirror, self.folder / "new.sqlite")
        return (self.folder / "new.sqlite").replace(self.path)


@dataclass(kw_only=True)
class Yard:
    """A database with images that were scanned and judged as the scanner and the enforcer do."""

    database: Database
    advisories: Advisories
    decider: Decider
    fleet: Fleet

    async def record(self, name: str, *packages: Package, tag: str | None = None, root: str | None = None) -> None:
        """Scan an image with packages, and decide; with `root`, as the platform of an index of that name."""
        database = AdvisoryDatabase.open(self.advisories.path)
        async with self.database.transaction() as session:
            scan_id = await scan_image(session, root or name, tag=tag or name)
            if root is not None:
                await record_image(session, image(digest_of(root), kind="index", platform=None, children=(child(digest_of(name)),)))
            await record_image(session, image(digest_of(name)))
            await record_inventory(session, digest_of(name), inventory(packages), "k1")
            unmatched = await load_unmatched_packages(session, digest_of(name))
            state = await begin_state(session, database.digest, database.feeds)
            found = list(match_singly(database, [package for _, package in unmatched]))
            matches = [
                PackageMatch(package_id=number, findings=one.findings, gap=one.gap)
                for (number, _), one in zip(unmatched, found, strict=True)
            ]
            position = state.position if state.digest == str(database.digest) else UNPLACED
            await record_matches(session, matches, position=position)
            await record_exploits(session, exploits_of(database, (finding for one in found for finding in one.findings)))
            await record_coverage(
                session, digest_of(name), "matching", matching_coverage(database, packages, database.match_all(packages).gaps)
            )
            scan = await load_scan(session, scan_id)
            assert scan is not None
            case = as_case(scan, str(digest_of(root or name)), await hold_state(session))
            await self.decider.adopt(session, await self.decider.judge(session, [case]))

    async def adopt(self, *records: dict[str, Any], npm: list[dict[str, Any]] | None = None) -> None:
        await self.fleet.adopt(self.advisories.publish(*records, npm=npm))

    async def statuses(self, name: str) -> list[str]:
        """The verdicts on an image, oldest first."""
        query = "SELECT v.status FROM decision d JOIN verdict v ON v.id = d.verdict_id WHERE d.image_digest = :digest ORDER BY d.id"
        return [row["status"] for row in await self.rows(query, digest=str(digest_of(name)))]

    async def cause(self, name: str) -> Mapping[str, Any]:
        query = "SELECT cause FROM decision WHERE image_digest = :digest ORDER BY id DESC LIMIT 1"
        (row,) = await self.rows(query, digest=str(digest_of(name)))
        found: Mapping[str, Any] = json.loads(row["cause"]) if isinstance(row["cause"], str) else row["cause"]
        return found

    async def events(self) -> list[str]:
        return [row["kind"] for row in await self.rows("SELECT kind FROM match_event ORDER BY id")]

    async def rows(self, query: str, **values: object) -> list[dict[str, Any]]:
        async with self.database.reading() as session:
            return [dict(row) for row in (await session.execute(text(query), values)).mappings()]

    async def announced(self) -> int:
        """How many decisions the enforcer was told of."""
        async with self.database.transaction() as session:
            waiting = await load_unpublished(session, 1000)
            await mark_published(session, [row.id for row in waiting])
        return sum(isinstance(parse_message(row.body), DecisionRecorded) for row in waiting)


@pytest.fixture
def yard(db: Database, tmp_path: Path) -> Yard:
    return make_yard(db, tmp_path)


def make_yard(db: Database, folder: Path, policy: PolicyDocument = POLICY) -> Yard:
    decider = Decider(document=policy)
    fleet = Fleet(database=db, decider=decider, wake=lambda: None)
    return Yard(database=db, advisories=Advisories(folder=folder), decider=decider, fleet=fleet)


async def test_an_advisory_that_appears_overturns_the_decisions_on_the_images_that_it_is_about(yard: Yard) -> None:
    await yard.adopt()
    await yard.record("a", TORNADO)
    await yard.record("b", FLASK)
    assert (await yard.statuses("a"), await yard.statuses("b")) == (["pass"], ["pass"])

    await yard.adopt(says("GHSA-1"))

    assert (await yard.statuses("a"), await yard.statuses("b")) == (["pass", "fail"], ["pass"])
    assert await yard.cause("a") == {
        "kind": "advisories",
        "position": 2,
        "database": str(AdvisoryDatabase.open(yard.advisories.path).digest),
        "changes": [{"kind": "appeared", "id": "CVE-2026-0001", "package": TORNADO.purl, "severity": "critical"}],
        "more": 0,
    }
    assert await yard.announced() == 1
    assert await yard.events() == ["appeared"]
    assert await yard.rows("SELECT count(*) AS n FROM rejudgement") == [{"n": 0}]


async def test_an_advisory_that_is_withdrawn_gives_the_decision_back_and_stays_in_the_history(yard: Yard) -> None:
    await yard.adopt(says("GHSA-1"))
    await yard.record("a", TORNADO)
    await yard.adopt()
    assert await yard.statuses("a") == ["fail", "pass"]
    assert [change["kind"] for change in (await yard.cause("a"))["changes"]] == ["retracted"]
    assert await yard.events() == ["retracted"]
    (row,) = await yard.rows("SELECT resolved_at, first_seen FROM package_advisory")
    assert row["resolved_at"] is not None


async def test_a_fix_that_is_released_for_another_version_changes_nothing_for_the_image(yard: Yard) -> None:
    await yard.adopt(says("GHSA-1"))
    await yard.record("a", TORNADO)
    await yard.adopt(says("GHSA-1", fixed="7.1"))
    assert await yard.statuses("a") == ["fail"]
    async with yard.database.reading() as session:
        (found,) = await load_findings(session, digest_of("a"))
    assert found.fixed_in == "7.1"


async def test_another_critical_in_an_image_that_fails_already_is_decided_because_people_want_to_hear_of_it(yard: Yard) -> None:
    await yard.adopt(says("GHSA-1"))
    await yard.record("a", TORNADO)
    await yard.adopt(says("GHSA-1"), says("GHSA-2"))
    assert await yard.statuses("a") == ["fail", "fail"]
    await yard.adopt(says("GHSA-1"), says("GHSA-2"), says("GHSA-3", severity="HIGH"))
    assert await yard.statuses("a") == ["fail", "fail"]


async def test_a_critical_that_the_repository_was_told_of_is_no_news(yard: Yard) -> None:
    await yard.adopt(says("GHSA-1"))
    await yard.record("a", TORNADO)
    async with yard.database.transaction() as session:
        (decision,) = (await session.execute(text("SELECT id FROM decision"))).scalars()
        await claim_new_findings(session, decision, "registry.example:5000/team/app", ["CVE-2026-0002"])
    await yard.adopt(says("GHSA-1"), says("GHSA-2"))
    assert await yard.statuses("a") == ["fail"]


async def test_what_is_exploited_since_fails_the_images_that_hold_it(yard: Yard) -> None:
    await yard.adopt(says("GHSA-1", severity="LOW"))
    await yard.record("a", TORNADO)
    await yard.record("b", FLASK)
    yard.advisories.exploited = ["CVE-2026-0001"]
    await yard.adopt(says("GHSA-1", severity="LOW"))
    assert (await yard.statuses("a"), await yard.statuses("b")) == (["pass", "fail"], ["pass"])
    assert await yard.events() == ["exploited"]
    async with yard.database.reading() as session:
        (found,) = await load_findings(session, digest_of("a"))
    assert (found.exploited_since, found.severity) == ("2026-02-03", Severity.LOW)


async def test_an_index_is_judged_again_for_its_platforms(yard: Yard) -> None:
    await yard.adopt()
    await yard.record("amd64", TORNADO, root="index")
    await yard.adopt(says("GHSA-1"))
    assert await yard.statuses("index") == ["pass", "fail"]
    assert await yard.statuses("amd64") == []


async def test_an_ecosystem_that_is_covered_since_makes_images_complete(yard: Yard) -> None:
    await yard.adopt()
    await yard.record("a", EXPRESS)
    await yard.record("b", EXPRESS, TORNADO)
    await yard.record("c", TORNADO)
    assert await yard.statuses("a") == ["incomplete"]
    await yard.adopt(npm=[says("GHSA-1", "other", ecosystem="npm")])
    assert [await yard.statuses(name) for name in "abc"] == [["incomplete", "pass"], ["incomplete", "pass"], ["pass"]]
    await yard.adopt()
    assert [await yard.statuses(name) for name in "abc"] == [
        ["incomplete", "pass", "incomplete"],
        ["incomplete", "pass", "incomplete"],
        ["pass"],
    ]


async def test_without_the_earlier_database_everything_is_matched_again(yard: Yard) -> None:
    await yard.adopt()
    await yard.record("a", TORNADO)
    await yard.record("b", FLASK)
    (yard.advisories.folder / "advisories.sqlite.applied").write_bytes(b"damaged")
    await yard.adopt(says("GHSA-1"))
    assert (await yard.statuses("a"), await yard.statuses("b")) == (["pass", "fail"], ["pass"])


async def test_what_was_matched_with_another_database_is_matched_again(yard: Yard) -> None:
    await yard.adopt()
    yard.advisories.publish(says("GHSA-1", severity="LOW"))
    await yard.record("a", TORNADO)  # the scanner has the newer file, the fleet is not there yet
    assert await yard.statuses("a") == ["incomplete"]
    await yard.fleet.adopt(yard.advisories.path)
    assert await yard.statuses("a") == ["incomplete", "pass"]


async def test_what_an_advisor_that_died_left_is_done_by_the_next_one(yard: Yard, tmp_path: Path) -> None:
    await yard.adopt()
    await yard.record("a", TORNADO)
    path = yard.advisories.publish(says("GHSA-1"))
    async with yard.database.transaction() as session:
        new = AdvisoryDatabase.open(path)
        delta = await yard.fleet._compare(path.with_name("advisories.sqlite.applied"), path)
        await yard.fleet._advance(session, new, delta)  # and not what follows
    assert await yard.statuses("a") == ["pass"]
    await make_yard(yard.database, tmp_path).fleet.adopt(path)
    assert await yard.statuses("a") == ["pass", "fail"]


async def test_adopting_the_same_database_again_does_nothing(yard: Yard) -> None:
    await yard.adopt()
    await yard.record("a", TORNADO)
    path = yard.advisories.publish(says("GHSA-1"))
    for _ in range(2):
        await yard.fleet.adopt(path)
    assert await yard.statuses("a") == ["pass", "fail"]
    assert await yard.announced() == 1
    assert [row["position"] for row in await yard.rows("SELECT position FROM advisory_state")] == [2]


async def test_a_database_that_turns_back_is_a_change_like_any_other(yard: Yard) -> None:
    await yard.adopt()
    await yard.record("a", TORNADO)
    await yard.adopt(says("GHSA-1"))
    await yard.adopt()
    await yard.adopt(says("GHSA-1"))
    assert await yard.statuses("a") == ["pass", "fail", "pass", "fail"]
    assert await yard.events() == ["appeared", "retracted", "reopened"]


async def test_a_waiver_keeps_the_verdict_and_nobody_is_told(db: Database, tmp_path: Path) -> None:
    expires = (datetime.now(UTC).year) + 1
    policy = parse_policy(
        f"""
version: 1
policies:
  - name: all
    match: {{repositories: ["**"]}}
    rules: {{fail_on: critical, max_feed_age: unlimited}}
    waivers:
      - {{id: CVE-2026-0001, owner: team, reason: not reachable, expires: {expires}-01-01}}
""".encode()
    )
    yard = make_yard(db, tmp_path, policy)
    await yard.adopt()
    await yard.record("a", TORNADO)
    await yard.adopt(says("GHSA-1"))
    assert await yard.statuses("a") == ["pass"]
    async with db.reading() as session:
        assert await count(session, "match_event") == 1


async def test_thousands_of_images_are_judged_again_in_pieces(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pratique_services.advisor.rejudging._IMAGES_A_PIECE", 3)
    await yard.adopt()
    for number in range(8):
        await yard.record(f"image-{number}", TORNADO)
    await yard.adopt(says("GHSA-1"))
    assert [await yard.statuses(f"image-{number}") for number in range(8)] == [["pass", "fail"]] * 8
    assert await yard.announced() == 8
