"""Outbox, audit trail, tokens, policies."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pratique.messages import DecisionTaken, ImagePushed, InventoryRecorded, parse_message
from pratique.storage.audit import load_audit, record_audit
from pratique.storage.engine import Database
from pratique.storage.outbox import OutboxRow, count_unpublished, enqueue, load_unpublished, mark_published, prune_published
from pratique.storage.policies import PolicyRow, load_policy, record_policy
from pratique.storage.tokens import hash_token, load_token_by_hash, load_tokens, record_token, revoke_token
from tests.support.stored import count

MESSAGES = (
    ImagePushed(scan_id="s", correlation_id="c", priority="rescan"),
    InventoryRecorded(scan_id="s", correlation_id="c"),
    DecisionTaken(decision_id="d", correlation_id="c"),
)


async def test_messages_are_published_in_order_and_once(db: Database) -> None:
    async with db.transaction() as session:
        ids = [await enqueue(session, message) for message in MESSAGES]
    async with db.transaction() as session:
        rows = await load_unpublished(session, 10)
        assert [row.message_id for row in rows] == [row.id for row in rows] == ids
        assert [parse_message(row.body) for row in rows] == list(MESSAGES)
        assert [row.queue for row in rows] == ["scan.rescan", "enforce", "notify"]
        assert [row.id for row in await load_unpublished(session, 2)] == ids[:2]
        await mark_published(session, ids[:2])
    async with db.transaction() as session:
        assert [row.id for row in await load_unpublished(session, 10)] == ids[2:]
        assert await count_unpublished(session) == 1


async def test_published_messages_are_pruned_and_others_kept(db: Database) -> None:
    async with db.transaction() as session:
        ids = [await enqueue(session, message) for message in MESSAGES]
        await mark_published(session, ids[:2])
        now = dt.datetime.now(dt.UTC)
        assert await prune_published(session, now - dt.timedelta(hours=1)) == 0
        assert await prune_published(session, now + dt.timedelta(hours=1)) == 2
        assert await count(session, "outbox") == 1


async def test_two_publishers_do_not_take_the_same_messages(db: Database) -> None:
    async with db.transaction() as session:
        for _ in range(10):
            await enqueue(session, MESSAGES[0])

    async def publish() -> list[OutboxRow]:
        async with db.transaction() as session:
            rows = await load_unpublished(session, 5)
            await asyncio.sleep(0.1)
            await mark_published(session, [row.id for row in rows])
            return rows

    taken = [row.id for rows in await asyncio.gather(publish(), publish()) for row in rows]
    assert len(taken) == len(set(taken)) == 10


async def test_the_audit_trail_is_read_newest_first_page_by_page(db: Database) -> None:
    async with db.transaction() as session:
        ids = [
            await record_audit(
                session, actor=f"actor-{number % 2}", verb="waived", subject="s" * 5000, detail={"n": number}, correlation_id="c"
            )
            for number in range(5)
        ]
    async with db.reading() as session:
        assert [row.id for row in await load_audit(session)] == ids[::-1]
        page = await load_audit(session, limit=2)
        assert [row.detail["n"] for row in page] == [4, 3]
        assert [row.detail["n"] for row in await load_audit(session, after=page[-1].id, limit=2)] == [2, 1]
        assert [row.detail["n"] for row in await load_audit(session, actor="actor-1")] == [3, 1]
        assert len(await load_audit(session, subject="s" * 5000)) == 5
        assert await load_audit(session, subject="t") == ()


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"])
async def test_the_audit_trail_cannot_be_changed(db: Database, statement: str) -> None:
    async with db.transaction() as session:
        await record_audit(session, actor="a", verb="v", subject="s", detail={}, correlation_id="c")
    with pytest.raises(DBAPIError, match="append-only"):
        async with db.transaction() as session:
            await session.execute(text(statement))
    async with db.reading() as session:
        assert [row.actor for row in await load_audit(session)] == ["a"]


async def test_a_token_is_known_by_its_hash_until_it_ends(db: Database) -> None:
    now = dt.datetime.now(dt.UTC)
    async with db.transaction() as session:
        token_id = await record_token(
            session, token_hash=hash_token("secret"), name="ci", scopes=["read", "scan"], expires_at=now + dt.timedelta(days=1)
        )
        await record_token(session, token_hash=hash_token("other"), name="for ever", scopes=[], expires_at=None)
        token = await load_token_by_hash(session, hash_token("secret"))
        assert await load_token_by_hash(session, hash_token("guess")) is None
        assert [row.name for row in await load_tokens(session)] == ["for ever", "ci"]
        assert token is not None
        assert (token.name, token.scopes) == ("ci", frozenset({"read", "scan"}))
        assert token.is_valid(now)
        assert not token.is_valid(now + dt.timedelta(days=2))
        assert await revoke_token(session, token_id)
        assert not await revoke_token(session, token_id)
        revoked = await load_token_by_hash(session, hash_token("secret"))
    assert revoked is not None
    assert not revoked.is_valid(now)


async def test_a_policy_is_stored_under_its_digest(db: Database) -> None:
    async with db.transaction() as session:
        await record_policy(session, digest="sha256:1", name="strict", document="rules: []")
        await record_policy(session, digest="sha256:1", name="other", document="other")
        found = await load_policy(session, "sha256:1")
        assert await load_policy(session, "sha256:2") is None
    assert found is not None
    assert found == PolicyRow(digest="sha256:1", name="strict", document="rules: []", recorded_at=found.recorded_at)
