from __future__ import annotations

import datetime as dt
from dataclasses import replace

from pratique.policy.verdict import VerdictStatus
from pratique.storage.decisions import plan_actions
from pratique.storage.engine import Database
from pratique.storage.queries import (
    list_images,
    load_scan_attempts,
    load_status,
    oldest_queued_age,
)
from pratique.storage.scans import fail_scan, lease_scan, record_resolved, release_scan
from tests.support.stored import HOST, REPOSITORY, decide, digest_of, push, scan_image

A, B, C = digest_of("a"), digest_of("b"), digest_of("c")


async def test_images_are_listed_with_their_latest_decision_last_scanned_first(db: Database) -> None:
    async with db.transaction() as session:
        await decide(session, "a", VerdictStatus.PASS)
        await decide(session, "b", VerdictStatus.FAIL, tag="v2", repository="team/other")
        await decide(session, "a", VerdictStatus.INCOMPLETE, tag="latest")
    async with db.reading() as session:
        images = await list_images(session)
        assert [(image.repository, image.digest, image.tags, image.verdict) for image in images] == [
            (REPOSITORY, str(A), ("latest", "v1"), "incomplete"),
            ("team/other", str(B), ("v2",), "fail"),
        ]
        assert images[0].counts == {"critical": 2}
        assert images[0].scan_state == "scanned"
        assert [image.digest for image in await list_images(session, limit=1)] == [str(A)]
        assert [image.digest for image in await list_images(session, after=images[0].cursor)] == [str(B)]
        assert [image.digest for image in await list_images(session, repository="team/other")] == [str(B)]
        assert [image.digest for image in await list_images(session, repository=f"{HOST}/{REPOSITORY}")] == [str(A)]
        assert [image.digest for image in await list_images(session, status="fail")] == [str(B)]
        assert await list_images(session, status="pass") == ()
        assert len(await list_images(session, status="scanned")) == 2


async def test_the_last_decision_stands_while_a_rescan_runs(db: Database) -> None:
    async with db.transaction() as session:
        await decide(session, "a", VerdictStatus.PASS)
        await push(session, "again", digest=A)
        (image,) = await list_images(session)
        status = await load_status(session, HOST, REPOSITORY, tag="v1")
    assert (image.verdict, image.scan_state) == ("pass", "queued")
    assert status is not None
    assert status.decision is not None
    assert status.scan is not None
    assert (status.decision.verdict.status, status.scan.state) == (VerdictStatus.PASS, "queued")


async def test_a_tag_that_could_not_be_resolved_is_listed_until_a_later_scan_of_it(db: Database) -> None:
    async with db.transaction() as session:
        failed = await push(session, "1", tag="v1")
        await fail_scan(session, failed.scan_id or "", "no such tag")
        (image,) = await list_images(session)
        assert (image.digest, image.tags, image.verdict, image.last_error) == (None, ("v1",), None, "no such tag")
        again = await push(session, "2", tag="v1")
        await lease_scan(session, again.scan_id or "", worker="w", ttl=60)
        await record_resolved(session, again.scan_id or "", A, "v1")
        assert [image.digest for image in await list_images(session)] == [str(A)]


async def test_the_status_of_a_reference_says_everything(db: Database) -> None:
    async with db.transaction() as session:
        decision = await decide(session, "a")
        await plan_actions(session, decision.id, [("sign", {})])
        await decide(session, "b", tag="v2")
        by_tag = await load_status(session, HOST, REPOSITORY, tag="v1")
        by_digest = await load_status(session, HOST, REPOSITORY, digest=A)
    for status in (by_tag, by_digest):
        assert status is not None
        assert status.scan is not None
        assert (status.digest, status.tags, status.decision) == (str(A), ("v1",), replace(decision, created=False))
        assert (status.scan.state, status.queue_age) == ("scanned", None)
        assert [action.kind for action in status.actions] == ["sign"]


async def test_the_status_of_a_waiting_scan_says_for_how_long_and_what_went_wrong(db: Database) -> None:
    async with db.transaction() as session:
        intake = await push(session, "1", tag="v1")
        assert await lease_scan(session, intake.scan_id or "", worker="w", ttl=60)
        await release_scan(session, intake.scan_id or "", "w", "503")
        status = await load_status(session, HOST, REPOSITORY, tag="v1")
    assert status is not None
    assert status.scan is not None
    assert status.queue_age is not None
    assert (status.scan.state, status.scan.attempt, status.scan.last_error) == ("queued", 1, "503")
    assert 0 <= status.queue_age < 30
    assert (status.digest, status.decision, status.actions, status.tags) == (None, None, (), ())


async def test_what_was_never_heard_of_has_no_status(db: Database) -> None:
    async with db.transaction() as session:
        await decide(session, "a")
        assert await load_status(session, HOST, "none", tag="v1") is None
        assert await load_status(session, HOST, REPOSITORY, tag="none") is None
        assert await load_status(session, HOST, REPOSITORY, digest=C) is None
        assert await load_status(session, HOST, REPOSITORY) is None


async def test_the_scans_of_a_digest_are_listed_newest_first(db: Database) -> None:
    async with db.transaction() as session:
        first = await scan_image(session, "a", tag="v1")
        second = await scan_image(session, "a", tag="v2")
        await scan_image(session, "b")
        assert [scan.scan_id for scan in await load_scan_attempts(session, HOST, REPOSITORY, digest=A)] == [second, first]


async def test_scans_and_decisions_are_counted(db: Database) -> None:
    async with db.transaction() as session:
        await decide(session, "a", VerdictStatus.PASS)
        await decide(session, "b", VerdictStatus.FAIL)
        await push(session, "1", digest=C)
        ages = dict(await oldest_queued_age(session, now=dt.datetime.now(dt.UTC) + dt.timedelta(seconds=100)))
    assert 100 <= ages.pop("push") < 130
    assert ages == {"demand": 0.0, "rescan": 0.0}
