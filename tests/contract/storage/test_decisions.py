from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from pratique.errors import MissingError
from pratique.messages import DecisionTaken, parse_message
from pratique.policy.verdict import VerdictStatus
from pratique.storage.decisions import (
    DecisionRow,
    NewDecision,
    finish_decision,
    load_actions,
    load_decision,
    load_latest_decision,
    load_open_actions,
    plan_actions,
    record_action,
    record_decision,
)
from pratique.storage.engine import Database
from pratique.storage.notifications import (
    claim_due_deliveries,
    claim_new_findings,
    load_due_deliveries,
    record_delivery,
    record_notification,
)
from pratique.storage.outbox import load_unpublished
from pratique.storage.tags import load_tags_pointing_to, record_tag
from tests.support.stored import HOST, REPOSITORY, count, decide, digest_of, push, scan_image, verdict

A, B = digest_of("a"), digest_of("b")
NOW = dt.datetime.now(dt.UTC)


async def test_a_decision_is_loaded_as_it_was_recorded(db: Database) -> None:
    async with db.transaction() as session:
        scan_id = await scan_image(session, "a")
        new = NewDecision(
            scan_id=scan_id,
            image_digest=A,
            verdict=verdict(),
            feed_snapshot="sha256:feeds",
            inventory_digest="sha256:inventory",
            waivers_digest="sha256:waivers",
            counts={"critical": 2, "low": 0},
        )
        recorded = await record_decision(session, new)
        loaded = await load_decision(session, recorded.id)
        assert await load_decision(session, "none") is None
    assert recorded.created
    assert loaded == DecisionRow(
        id=recorded.id,
        scan_id=scan_id,
        correlation_id="c-push-a-v1",
        repository_id=recorded.repository_id,
        host=HOST,
        repository=REPOSITORY,
        tag="v1",
        image_digest=str(A),
        verdict=verdict(),
        feed_snapshot="sha256:feeds",
        inventory_digest="sha256:inventory",
        waivers_digest="sha256:waivers",
        counts={"critical": 2, "low": 0},
        created_at=recorded.created_at,
        announced_at=None,
    )


async def test_a_scan_has_one_decision(db: Database) -> None:
    async with db.transaction() as session:
        scan_id = await scan_image(session, "a")

    async def judge(status: VerdictStatus) -> DecisionRow:
        async with db.transaction() as session:
            return await record_decision(session, NewDecision(scan_id=scan_id, image_digest=A, verdict=verdict(status)))

    decisions = await asyncio.gather(judge(VerdictStatus.PASS), judge(VerdictStatus.FAIL), judge(VerdictStatus.FAIL))
    assert [decision.created for decision in decisions].count(True) == 1
    assert len({(decision.id, decision.verdict) for decision in decisions}) == 1
    async with db.reading() as session:
        assert [await count(session, table) for table in ("decision", "verdict")] == [1, 1]


async def test_a_decision_needs_its_scan(db: Database) -> None:
    with pytest.raises(MissingError):
        async with db.transaction() as session:
            await record_decision(session, NewDecision(scan_id="none", image_digest=A, verdict=verdict()))


async def test_actions_are_planned_once_and_done_in_order(db: Database) -> None:
    planned: list[tuple[str, dict[str, object]]] = [
        ("tag", {"name": "ok", "nested": {"b": 1, "a": 2}}),
        ("tag", {"name": "other"}),
        ("sign", {}),
    ]
    async with db.transaction() as session:
        decision = await decide(session, "a")
        await plan_actions(session, decision.id, planned)
        first, second, third = await load_open_actions(session, decision.id)
        await record_action(session, first.id, outcome="done", detail="", attempt=1)
        await record_action(session, second.id, outcome="failed", detail="registry \0 503", attempt=1)
        await record_action(session, third.id, outcome="refused", detail="401", attempt=1)
        await plan_actions(session, decision.id, reversed(planned))
        (still,) = await load_open_actions(session, decision.id)
        assert [(action.kind, action.parameters, action.outcome) for action in await load_actions(session, decision.id)] == [
            (*planned[0], "done"),
            (*planned[1], "failed"),
            (*planned[2], "refused"),
        ]
    assert (still.id, still.detail, still.attempts) == (second.id, "registry \ufffd 503", 1)
    with pytest.raises(MissingError):
        async with db.transaction() as session:
            await record_action(session, "none", outcome="done", detail="", attempt=1)


async def test_a_decision_is_announced_once(db: Database) -> None:
    async with db.transaction() as session:
        decision = await decide(session, "a")

    async def finish() -> bool:
        async with db.transaction() as session:
            return await finish_decision(session, decision.id)

    assert sorted(await asyncio.gather(*(finish() for _ in range(3)))) == [False, False, True]
    async with db.transaction() as session:
        messages = [parse_message(row.body) for row in await load_unpublished(session, 100)]
        loaded = await load_decision(session, decision.id)
        with pytest.raises(MissingError):
            await finish_decision(session, "none")
    assert [message for message in messages if isinstance(message, DecisionTaken)] == [
        DecisionTaken(decision_id=decision.id, correlation_id="c-push-a-v1")
    ]
    assert loaded is not None
    assert loaded.announced_at is not None


async def test_the_latest_decision_is_found_by_digest_and_by_tag(db: Database) -> None:
    async with db.transaction() as session:
        await decide(session, "a", VerdictStatus.PASS)
        newer = await decide(session, "a", VerdictStatus.FAIL, tag="again")
        other = await decide(session, "b", tag="v1")
        by_digest = await load_latest_decision(session, HOST, REPOSITORY, digest=A)
        by_tag = await load_latest_decision(session, HOST, REPOSITORY, tag="v1")
        assert await load_latest_decision(session, HOST, REPOSITORY, tag="none") is None
        assert await load_latest_decision(session, HOST, "none", digest=A) is None
    assert by_digest is not None
    assert by_tag is not None
    assert (by_digest.id, by_tag.id) == (newer.id, other.id)


async def test_tags_that_point_to_a_digest_are_found(db: Database) -> None:
    async with db.transaction() as session:
        decision = await decide(session, "a")
        assert await record_tag(session, decision.repository_id, "latest", A)
        assert await record_tag(session, decision.repository_id, "v2", B)
        assert not await record_tag(session, decision.repository_id, "v2", A, seen_at=NOW - dt.timedelta(days=1))
        assert await load_tags_pointing_to(session, decision.repository_id, A) == ("latest", "v1")
        assert await load_tags_pointing_to(session, "none", A) == ()


async def test_a_finding_is_news_once_for_a_line(db: Database) -> None:
    long = "CVE-" + "9" * 5000
    async with db.transaction() as session:
        first, second = await decide(session, "a"), await decide(session, "b")
        assert await claim_new_findings(session, first.id, "line", ["CVE-2", "CVE-1", "CVE-2"]) == ("CVE-2", "CVE-1")
        assert await claim_new_findings(session, second.id, "line", ["CVE-1", "CVE-3", long]) == ("CVE-3", long)
        assert await claim_new_findings(session, second.id, "other", ["CVE-1"]) == ("CVE-1",)
        assert await claim_new_findings(session, second.id, "line", []) == ()
    async with db.transaction() as session:
        assert await claim_new_findings(session, first.id, "line", ["CVE-2", "CVE-1"]) == ("CVE-2", "CVE-1")
        assert await claim_new_findings(session, second.id, "line", ["CVE-1", "CVE-3"]) == ("CVE-3",)


async def test_claims_at_the_same_time_go_to_one_decision(db: Database) -> None:
    keys = [f"CVE-{number}" for number in range(50)]
    async with db.transaction() as session:
        decisions = [await decide(session, name) for name in ("a", "b", "c")]

    async def claim(decision: DecisionRow) -> tuple[str, ...]:
        async with db.transaction() as session:
            return await claim_new_findings(session, decision.id, "line", keys if decision is decisions[0] else reversed(keys))

    claimed = await asyncio.gather(*map(claim, decisions))
    assert sorted(key for keys in claimed for key in keys) == sorted(keys)


async def test_a_channel_is_told_of_a_decision_once(db: Database) -> None:
    async with db.transaction() as session:
        decision = await decide(session, "a")
        first = await record_notification(session, decision.id, "team", "title \0", "body", {"a": [1]})
        again = await record_notification(session, decision.id, "team", "other", "other", {})
        await record_notification(session, decision.id, "mail", "title", "body", {})
        due = await load_due_deliveries(session, now=_later(1), limit=10)
    assert first == again
    assert [(each.channel, each.title, each.payload, each.attempts) for each in due] == [
        ("team", "title \ufffd", {"a": [1]}, 0),
        ("mail", "title", {}, 0),
    ]


async def test_a_delivery_is_tried_until_it_is_done_or_given_up(db: Database) -> None:
    async with db.transaction() as session:
        decision = await decide(session, "a")
        done, given_up = [await record_notification(session, decision.id, name, "t", "b", {}) for name in ("done", "given up")]
        for notification in (done, given_up):
            await record_delivery(session, notification, "failed", "503", _later(60))
        assert await load_due_deliveries(session, now=_later(59), limit=10) == ()
        assert [each.attempts for each in await load_due_deliveries(session, now=_later(61), limit=10)] == [1, 1]
        await record_delivery(session, done, "ok", "", None)
        await record_delivery(session, given_up, "failed", "404", None)
        assert await load_due_deliveries(session, now=_later(9999), limit=10) == ()
        assert await count(session, "delivery") == 4
        with pytest.raises(MissingError):
            await record_delivery(session, "none", "ok", "", None)


async def test_a_claimed_delivery_is_kept_from_others(db: Database) -> None:
    async with db.transaction() as session:
        decision = await decide(session, "a")
        for number in range(6):
            await record_notification(session, decision.id, str(number), "t", "b", {})

    async def claim() -> list[str]:
        async with db.transaction() as session:
            return [each.id for each in await claim_due_deliveries(session, now=_later(1), until=_later(60), limit=2)]

    claimed = [each for found in await asyncio.gather(claim(), claim(), claim()) for each in found]
    assert len(claimed) == len(set(claimed)) == 6
    assert await claim() == []
    async with db.reading() as session:
        assert len(await load_due_deliveries(session, now=_later(61), limit=10)) == 6


def _later(seconds: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)


async def test_a_second_push_of_a_judged_image_gets_its_own_decision(db: Database) -> None:
    async with db.transaction() as session:
        first = await decide(session, "a")
        intake = await push(session, "again", digest=A)
        second = await record_decision(session, NewDecision(scan_id=intake.scan_id or "", image_digest=A, verdict=verdict()))
    assert first.id < second.id
