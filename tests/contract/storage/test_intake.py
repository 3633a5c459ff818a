from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from pratique.errors import InvalidMessage
from pratique.messages import ImagePushed, parse_message
from pratique.storage.engine import Database
from pratique.storage.intake import MAX_RAW_BYTES, Intake, record_push, record_rejected, request_scan
from pratique.storage.outbox import load_unpublished
from pratique.storage.scans import lease_scan, load_scan, record_resolved
from pratique.storage.tags import load_previous_digest, load_tag, load_tags_pointing_to
from tests.support.stored import HOST, REPOSITORY, count, digest_of, push, push_event, scan_image

A, B = digest_of("a"), digest_of("b")
NOW = dt.datetime.now(dt.UTC)


async def test_a_push_is_an_event_a_scan_and_a_message(db: Database) -> None:
    async with db.transaction() as session:
        intake = await push(session, "1", digest=A, actor="jane")
    async with db.transaction() as session:
        (row,) = await load_unpublished(session, 10)
        scan = await load_scan(session, intake.scan_id or "")
    assert parse_message(row.body) == ImagePushed(scan_id=intake.scan_id or "", correlation_id="c-1")
    assert (row.queue, row.correlation_id) == ("scan.push", "c-1")
    assert scan is not None
    assert (scan.host, scan.repository, scan.tag, scan.digest, scan.state) == (HOST, REPOSITORY, "v1", A, "queued")
    assert (scan.requested_by, scan.correlation_id, scan.priority, scan.attempt) == ("jane", "c-1", "push", 0)
    assert (intake.duplicate, intake.coalesced) == (False, False)


async def test_an_event_that_comes_twice_does_nothing_more(db: Database) -> None:
    async with db.transaction() as session:
        first = await push(session, "1", digest=A)
    async with db.transaction() as session:
        again = await push(session, "1", tag="other", digest=B)
    assert again == Intake(event_id=first.event_id, scan_id=first.scan_id, duplicate=True, coalesced=False)
    async with db.reading() as session:
        assert [await count(session, table) for table in ("event", "scan", "outbox", "tag")] == [1, 1, 1, 1]


async def test_long_event_ids_that_begin_alike_are_different_events(db: Database) -> None:
    async with db.transaction() as session:
        await push(session, "x" * 5000 + "1", digest=A)
        second = await push(session, "x" * 5000 + "2", digest=A)
        third = await push(session, "x" * 5000 + "2", digest=A)
    assert (second.duplicate, third.duplicate) == (False, True)


async def test_the_many_hooks_of_one_push_are_one_scan(db: Database) -> None:
    async with db.transaction() as session:
        first = await push(session, "1", tag=None, digest=A)
        second = await push(session, "2", tag="v1", digest=A)
        third = await push(session, "3", tag="latest", digest=A)
    assert {first.scan_id, second.scan_id, third.scan_id} == {first.scan_id}
    assert [first.coalesced, second.coalesced, third.coalesced] == [False, True, True]
    async with db.reading() as session:
        assert await count(session, "outbox") == 1
        scan = await load_scan(session, first.scan_id or "")
        assert scan is not None
        assert await load_tags_pointing_to(session, scan.repository_id, A) == ("latest", "v1")


async def test_a_digest_in_two_repositories_is_two_scans(db: Database) -> None:
    async with db.transaction() as session:
        first = await push(session, "1", digest=A)
        second = await push(session, "2", digest=A, repository="team/other")
    assert first.scan_id != second.scan_id


@pytest.mark.parametrize("tag_and_digest", [("v1", A), (None, A), ("v1", None)])
async def test_pushes_at_the_same_time_are_one_scan(db: Database, tag_and_digest: tuple[str | None, object]) -> None:
    tag, digest = tag_and_digest

    async def deliver(number: int) -> Intake:
        async with db.transaction() as session:
            return await push(session, str(number), tag=tag, digest=digest)  # type: ignore[arg-type]

    intakes = await asyncio.gather(*(deliver(number) for number in range(8)))
    assert len({intake.scan_id for intake in intakes}) == 1
    assert sum(not intake.coalesced for intake in intakes) == 1
    async with db.reading() as session:
        assert [await count(session, table) for table in ("scan", "outbox", "event")] == [1, 1, 8]


async def test_one_event_delivered_at_the_same_time_is_one_event(db: Database) -> None:
    async def deliver() -> Intake:
        async with db.transaction() as session:
            return await push(session, "1", digest=A)

    intakes = await asyncio.gather(*(deliver() for _ in range(6)))
    assert sum(not intake.duplicate for intake in intakes) == 1
    assert len({intake.event_id for intake in intakes}) == 1


async def test_a_push_after_the_scan_is_scanned_again(db: Database) -> None:
    async with db.transaction() as session:
        first = await scan_image(session, "a")
        second = await push(session, "2", digest=A)
    assert second.scan_id != first
    assert not second.coalesced


async def test_a_late_hook_of_a_scanned_push_is_covered_within_the_window(db: Database) -> None:
    async with db.transaction() as session:
        first = await scan_image(session, "a", tag="v1")
        for number, (tag, is_covered) in enumerate([("v1", True), (None, True), ("v2", False)]):
            event = push_event(f"late-{number}", tag=tag, digest=A)
            intake = await record_push(session, event, correlation_id="c", raw=b"", image_window=30)
            assert (intake.scan_id == first, intake.coalesced) == (is_covered, is_covered)


async def test_a_tag_pushed_while_its_scan_is_being_resolved_is_not_lost(db: Database) -> None:
    """The worker may have been told of the digest before this push moved the tag."""
    async with db.transaction() as session:
        first = await push(session, "1", tag="v1")
        waiting = await push(session, "2", tag="v1")
    assert (waiting.scan_id, waiting.coalesced) == (first.scan_id, True)
    async with db.transaction() as session:
        assert await lease_scan(session, first.scan_id or "", worker="w", ttl=60)
        meanwhile = await push(session, "3", tag="v1")
    assert meanwhile.scan_id != first.scan_id
    assert not meanwhile.coalesced
    async with db.transaction() as session:
        await record_resolved(session, first.scan_id or "", A, "v1")
        joined = await push(session, "4", tag="v1", digest=A)
    assert joined.scan_id == first.scan_id


async def test_an_event_without_tag_and_digest_is_refused(db: Database) -> None:
    async with db.transaction() as session:
        with pytest.raises(InvalidMessage):
            await push(session, "1", tag=None, digest=None)


async def test_a_tag_moves_and_its_history_is_kept(db: Database) -> None:
    async with db.transaction() as session:
        await push(session, "1", digest=A)
        await push(session, "2", digest=B)
        await push(session, "3", digest=B)
        tag = await load_tag(session, HOST, REPOSITORY, "v1")
        assert tag is not None
        assert tag.digest == str(B)
        assert await load_previous_digest(session, tag.repository_id, "v1", B) == str(A)
        assert await load_previous_digest(session, tag.repository_id, "v1", A) is None
        assert await count(session, "tag_history") == 2


async def test_old_word_does_not_move_a_tag_back_and_word_from_the_future_does_not_hold_it(db: Database) -> None:
    async with db.transaction() as session:
        await push(session, "1", digest=A, occurred_at=NOW + dt.timedelta(days=365))
        await push(session, "2", digest=B)
        await push(session, "3", digest=A, occurred_at=NOW - dt.timedelta(hours=1))
        tag = await load_tag(session, HOST, REPOSITORY, "v1")
    assert tag is not None
    assert tag.digest == str(B)


async def test_a_rejected_event_is_kept_with_its_reason_and_a_bounded_body(db: Database) -> None:
    async with db.transaction() as session:
        await record_rejected(session, source="hub", reason="a blob \0", raw=b"x" * (MAX_RAW_BYTES + 1))
        await record_rejected(session, source="hub", reason="again", raw=b"")
        assert await count(session, "event", "state = 'rejected'") == 2
        assert await count(session, "event", f"length(raw) = {MAX_RAW_BYTES}") == 1


async def test_a_requested_scan_joins_an_open_one_and_raises_its_priority(db: Database) -> None:
    async def request(priority: str) -> str:
        async with db.transaction() as session:
            return await request_scan(
                session,
                host=HOST,
                repository=REPOSITORY,
                tag="v1",
                digest=A,
                priority=priority,
                correlation_id="c",
                requested_by="jane",
            )

    first = await request("rescan")
    assert await request("rescan") == first
    assert await request("push") == first
    assert await request("demand") == first
    async with db.transaction() as session:
        assert [row.queue for row in await load_unpublished(session, 10)] == ["scan.rescan", "scan.push"]
        scan = await load_scan(session, first)
    assert scan is not None
    assert scan.priority == "push"


async def test_a_request_for_nothing_is_refused(db: Database) -> None:
    async with db.transaction() as session:
        with pytest.raises(InvalidMessage):
            await request_scan(
                session, host=HOST, repository=REPOSITORY, tag=None, digest=None, priority="demand", correlation_id="c", requested_by="j"
            )
