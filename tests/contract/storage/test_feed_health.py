"""How feeds are is read as the advisor recorded it."""

from __future__ import annotations

from pratique.feeds.health import FeedFailure
from pratique.storage.advisory_state import advance_state, begin_state, record_failures
from pratique.storage.engine import Database
from pratique.storage.feed_health import FeedHealth, load_feed_health
from tests.support.stored import digest_of

FAILURE = FeedFailure(name="osv/PyPI", reason="shrank from 200 to 100 records — kept", since="2026-01-01T00:00:00Z")


async def load(db: Database) -> FeedHealth:
    async with db.reading() as session:
        return await load_feed_health(session)


async def test_before_the_first_database_feeds_are_missing(db: Database) -> None:
    assert await load(db) == FeedHealth(status="missing")


async def test_feeds_are_stale_while_failures_are_recorded(db: Database) -> None:
    async with db.transaction() as session:
        await begin_state(session, digest_of("first"), ())
    fresh = await load(db)
    assert (fresh.status, fresh.digest, fresh.failures) == ("ok", str(digest_of("first")), ())
    async with db.transaction() as session:
        await record_failures(session, [FAILURE])
    assert ((await load(db)).status, (await load(db)).failures) == ("stale", (FAILURE,))
    async with db.transaction() as session:
        await advance_state(session, digest_of("second"), ())
    advanced = await load(db)
    assert (advanced.status, advanced.digest) == ("stale", str(digest_of("second")))  # what failed fails until a sync says otherwise
    assert fresh.applied_at is not None
    assert advanced.applied_at is not None
    assert advanced.applied_at >= fresh.applied_at
    async with db.transaction() as session:
        await record_failures(session, [])
    assert (await load(db)).status == "ok"
