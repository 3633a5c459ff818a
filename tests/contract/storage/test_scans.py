from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from pratique.errors import MissingError
from pratique.messages import InventoryRecorded, parse_message
from pratique.oci.digest import Digest
from pratique.storage.decisions import finish_decision
from pratique.storage.engine import Database
from pratique.storage.outbox import load_unpublished, mark_published
from pratique.storage.scans import (
    ScanJob,
    extend_lease,
    fail_scan,
    finish_scan,
    lease_scan,
    load_overdue_scans,
    load_scan,
    record_checked_tag,
    record_resolved,
    release_scan,
    requeue_scan,
)
from pratique.storage.stuck import announce_undecided, load_undecided
from pratique.storage.tags import forget_tag, load_tag
from tests.support.stored import HOST, REPOSITORY, count, decide, digest_of, push, scan_image

A, B = digest_of("a"), digest_of("b")


async def queue(db: Database, *, tag: str | None = "v1", known: bool = True) -> str:
    async with db.transaction() as session:
        intake = await push(session, f"event-{tag}-{known}", tag=tag, digest=A if known else None)
        await mark_published(session, [row.id for row in await load_unpublished(session, 10)])
    assert intake.scan_id
    return intake.scan_id


async def lease(db: Database, scan_id: str, worker: str = "w", ttl: float = 60) -> ScanJob | None:
    async with db.transaction() as session:
        return await lease_scan(session, scan_id, worker=worker, ttl=ttl)


async def test_a_leased_scan_says_what_to_scan(db: Database) -> None:
    job = await lease(db, await queue(db))
    assert job is not None
    assert (job.host, job.repository, job.tag, job.digest) == (HOST, REPOSITORY, "v1", A)
    assert (job.attempt, job.priority, job.correlation_id) == (1, "push", "c-event-v1-True")
    assert str(job.reference) == f"{HOST}/{REPOSITORY}:v1@{A}"


async def test_two_workers_cannot_lease_one_scan(db: Database) -> None:
    scan_id = await queue(db)
    jobs = await asyncio.gather(*(lease(db, scan_id, worker) for worker in ("one", "two", "three")))
    assert sum(job is not None for job in jobs) == 1


async def test_a_lease_that_ran_out_is_taken_over_and_lost_to_who_held_it(db: Database) -> None:
    scan_id = await queue(db)
    assert await lease(db, scan_id, "dead", ttl=-1)
    job = await lease(db, scan_id, "alive")
    assert job is not None
    assert job.attempt == 2
    async with db.transaction() as session:
        assert not await extend_lease(session, scan_id, "dead", 60)
        assert not await finish_scan(session, scan_id, "dead", image_digest=A)
        assert not await release_scan(session, scan_id, "dead", "late")
        assert await load_unpublished(session, 10) == []
        assert await finish_scan(session, scan_id, "alive", image_digest=A)


async def test_a_lease_that_is_extended_is_kept(db: Database) -> None:
    scan_id = await queue(db)
    assert await lease(db, scan_id, "w", ttl=-1)
    async with db.transaction() as session:
        assert await extend_lease(session, scan_id, "w", 60)
    assert await lease(db, scan_id, "other") is None


async def test_unknown_and_finished_scans_are_not_leased(db: Database) -> None:
    assert await lease(db, "none") is None
    async with db.transaction() as session:
        scan_id = await scan_image(session, "a")
    assert await lease(db, scan_id) is None


async def test_a_finished_scan_is_announced_once(db: Database) -> None:
    scan_id = await queue(db)
    await lease(db, scan_id)
    async with db.transaction() as session:
        assert await finish_scan(session, scan_id, "w", image_digest=A, feed_snapshot="sha256:feeds")
        assert not await finish_scan(session, scan_id, "w", image_digest=A)
    async with db.transaction() as session:
        (row,) = await load_unpublished(session, 10)
        scan = await load_scan(session, scan_id)
    assert parse_message(row.body) == InventoryRecorded(scan_id=scan_id, correlation_id="c-event-v1-True")
    assert row.queue == "enforce"
    assert scan is not None
    assert (scan.state, scan.image_digest, scan.feed_snapshot, scan.lease_until) == ("scanned", str(A), "sha256:feeds", None)
    assert scan.finished_at is not None


async def test_a_released_scan_can_be_leased_again_and_says_why(db: Database) -> None:
    scan_id = await queue(db)
    await lease(db, scan_id)
    async with db.transaction() as session:
        assert await release_scan(session, scan_id, "w", "the registry \0 did not answer")
        scan = await load_scan(session, scan_id)
        assert await load_unpublished(session, 10) == []
    assert scan is not None
    assert (scan.state, scan.last_error) == ("queued", "the registry \ufffd did not answer")
    job = await lease(db, scan_id)
    assert job is not None
    assert job.attempt == 2


async def test_a_failed_scan_is_over(db: Database) -> None:
    scan_id = await queue(db)
    await lease(db, scan_id)
    async with db.transaction() as session:
        assert await fail_scan(session, scan_id, "no such manifest")
        assert not await fail_scan(session, scan_id, "again")
        assert not await requeue_scan(session, scan_id)
        scan = await load_scan(session, scan_id)
        again = await push(session, "2", digest=A)
    assert scan is not None
    assert (scan.state, scan.last_error) == ("failed", "no such manifest")
    assert not again.coalesced


async def test_a_resolved_scan_is_found_by_its_digest_and_moves_the_tag(db: Database) -> None:
    scan_id = await queue(db, known=False)
    job = await lease(db, scan_id)
    assert job is not None
    assert job.digest is None
    async with db.transaction() as session:
        await record_resolved(session, scan_id, A, "v1")
        tag = await load_tag(session, HOST, REPOSITORY, "v1")
        joined = await push(session, "2", tag=None, digest=A)
    assert tag is not None
    assert tag.digest == str(A)
    assert joined.scan_id == scan_id
    async with db.transaction() as session:
        with pytest.raises(MissingError):
            await record_resolved(session, "none", A, None)


async def test_a_scan_that_resolves_to_a_digest_under_scan_goes_on(db: Database) -> None:
    scan_id = await queue(db, known=False)
    await lease(db, scan_id)
    async with db.transaction() as session:
        other = await push(session, "2", tag="v2", digest=A)
        await record_resolved(session, scan_id, A, "v1")
        assert await finish_scan(session, scan_id, "w", image_digest=A)
        joined = await push(session, "3", tag="v3", digest=A)
    assert joined.scan_id == other.scan_id != scan_id


async def test_forgotten_scans_are_found_and_queued_anew(db: Database) -> None:
    now = dt.datetime.now(dt.UTC)
    dead, waiting = await queue(db), await queue(db, tag="v2", known=False)
    await lease(db, dead, "w", ttl=-1)
    async with db.transaction() as session:
        running = (await push(session, "3", tag="v3", digest=B)).scan_id or ""
        await lease_scan(session, running, worker="w", ttl=600)
        await mark_published(session, [row.id for row in await load_unpublished(session, 10)])
    async with db.reading() as session:
        soon = await load_overdue_scans(session, now=now + dt.timedelta(seconds=10), queued_for=300, limit=10)
        later = await load_overdue_scans(session, now=now + dt.timedelta(seconds=320), queued_for=300, limit=10)
    assert [scan.scan_id for scan in soon] == [dead]
    assert [scan.scan_id for scan in later] == [dead, waiting]
    async with db.transaction() as session:
        assert await requeue_scan(session, dead)
        assert await requeue_scan(session, waiting)
        assert not await requeue_scan(session, running)
        assert not await requeue_scan(session, "none")
        scan = await load_scan(session, dead)
        assert len(await load_unpublished(session, 10)) == 2
    assert scan is not None
    assert (scan.state, scan.last_error) == ("queued", "worker w did not finish attempt 1 in time")


async def test_scans_without_an_announced_decision_are_found_and_announced_again(db: Database) -> None:
    async with db.transaction() as session:
        bare = await scan_image(session, "a")
        unannounced = (await decide(session, "b")).scan_id
        await finish_decision(session, (await decide(session, "c")).id)
        before = await count(session, "outbox")
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    async with db.transaction() as session:
        found = await load_undecided(session, before=soon, limit=10)
        assert [scan.scan_id for scan in found] == [bare, unannounced]
        await announce_undecided(session, found[0])
        assert await count(session, "outbox") == before + 1
        early = found[1].finished_at
        assert early is not None
        assert [scan.scan_id for scan in await load_undecided(session, before=early + dt.timedelta(microseconds=1), limit=10)] == [
            unannounced
        ]


@pytest.mark.parametrize(("found", "scan_tag", "row"), [(A, "v1", A), (B, None, B), (None, None, None)], ids=["holds", "elsewhere", "gone"])
async def test_a_scan_keeps_its_tag_only_if_the_registry_agrees(
    db: Database, found: Digest | None, scan_tag: str | None, row: Digest | None
) -> None:
    scan_id = await queue(db)
    async with db.transaction() as session:
        now = dt.datetime.now(dt.UTC)
        assert await record_checked_tag(session, scan_id, "v1", found, seen_at=now) is (found == A)
        scan, tag = await load_scan(session, scan_id), await load_tag(session, HOST, REPOSITORY, "v1")
    assert scan is not None
    assert (scan.tag, scan.digest, tag and tag.digest) == (scan_tag, A, str(row) if row else None)


async def test_a_tag_is_not_forgotten_by_older_word_than_its_own(db: Database) -> None:
    scan_id = await queue(db)
    async with db.transaction() as session:
        scan = await load_scan(session, scan_id)
        assert scan is not None
        assert not await forget_tag(session, scan.repository_id, "v1", seen_at=scan.created_at - dt.timedelta(minutes=1))
        assert not await forget_tag(session, scan.repository_id, "unknown", seen_at=dt.datetime.now(dt.UTC))
        assert await load_tag(session, HOST, REPOSITORY, "v1") is not None
        with pytest.raises(MissingError):
            await record_checked_tag(session, "none", "v1", A, seen_at=scan.created_at)
