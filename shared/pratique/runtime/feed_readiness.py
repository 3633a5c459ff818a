"""What `/readyz` says of advisory feeds. Never a reason to refuse requests: a push has to be taken whether its advisories are fresh or not."""

from __future__ import annotations

from collections.abc import Mapping

from pratique.storage.engine import Database
from pratique.storage.feed_health import FeedHealth, load_feed_health

_MAX_SHOWN = 20  # when a publisher is away all of its ecosystems fail, with the same reason
_MISSING = "no advisory database has been applied yet: every verdict is incomplete until the advisor has one"


async def load_feeds_document(database: Database) -> Mapping[str, object]:
    """Load what is to be shown.

    Raises UnavailableError.
    """
    async with database.reading() as session:
        return feeds_document(await load_feed_health(session))


def feeds_document(health: FeedHealth) -> Mapping[str, object]:
    """Give the feeds' part of `/readyz`: `status`, and with it what explains it."""
    if health.status == "missing" or health.applied_at is None:
        return {"status": "missing", "reason": _MISSING}
    document: dict[str, object] = {
        "status": health.status,
        "database": health.digest,
        "applied_at": health.applied_at.isoformat(timespec="seconds"),
    }
    if health.failures:
        shown = health.failures[:_MAX_SHOWN]
        document["stale"] = [{"name": failure.name, "reason": failure.reason, "since": failure.since} for failure in shown]
        document["more"] = len(health.failures) - len(shown)
    return document
