"""`/readyz` refuses requests for what is away, and only tells of what is stale."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from pratique.errors import DatabaseUnavailable, SettingsError
from pratique.feeds.health import FeedFailure
from pratique.runtime.feed_readiness import feeds_document
from pratique.runtime.service import add_operations_routes, listening
from pratique.runtime.settings import parse_settings
from pratique.storage.feed_health import FeedHealth

AT = dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC)


def failure(name: str) -> FeedFailure:
    return FeedFailure(name=name, reason="503", since="2026-01-01T00:00:00Z")


async def readyz(note: Mapping[str, object] | Exception, check: Exception | None = None) -> tuple[int, dict[str, Any]]:
    async def run_check() -> None:
        if check is not None:
            raise check

    async def load_note() -> Mapping[str, object]:
        if isinstance(note, Exception):
            raise note
        return note

    app = web.Application()
    add_operations_routes(app, {"database": run_check}, {"feeds": load_note})
    async with (
        listening(app, "127.0.0.1", 0) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as session,
        session.get("/readyz") as answer,
    ):
        return answer.status, await answer.json()


async def test_with_fresh_feeds_all_is_ok() -> None:
    assert await readyz({"status": "ok"}) == (200, {"status": "ok", "checks": {"database": "ok"}, "feeds": {"status": "ok"}})


async def test_stale_feeds_are_shown_and_requests_still_come() -> None:
    note = feeds_document(FeedHealth(status="stale", digest="sha256:1", applied_at=AT, failures=(failure("kev"),)))
    status, body = await readyz(note)
    assert (status, body["status"]) == (200, "degraded")
    assert body["feeds"] == {
        "status": "stale",
        "database": "sha256:1",
        "applied_at": "2026-01-02T03:04:05+00:00",
        "stale": [{"name": "kev", "reason": "503", "since": "2026-01-01T00:00:00Z"}],
        "more": 0,
    }


async def test_what_is_away_counts_more_than_what_is_stale() -> None:
    status, body = await readyz({"status": "stale"}, DatabaseUnavailable("gone"))
    assert (status, body["status"], body["feeds"]["status"]) == (503, "unavailable", "stale")


async def test_feeds_that_cannot_be_asked_about_are_no_reason_to_refuse() -> None:
    status, body = await readyz(DatabaseUnavailable("gone"))
    assert (status, body["status"], body["feeds"]) == (200, "degraded", {"status": "unknown", "reason": "gone"})


def test_before_the_first_database_its_absence_is_told() -> None:
    document = feeds_document(FeedHealth(status="missing"))
    assert document["status"] == "missing"
    assert "incomplete" in str(document["reason"])


def test_many_failures_are_counted_and_not_all_shown() -> None:
    failures = tuple(failure(f"osv/{number}") for number in range(50))
    document = feeds_document(FeedHealth(status="stale", applied_at=AT, failures=failures))
    assert isinstance(document["stale"], list)
    assert (len(document["stale"]), document["more"]) == (20, 30)


@pytest.mark.parametrize("feeds", [{"mirror": "mirror", "interval": 60}, {"mirror": "mirror"}, {}, {"interval": 3600}])
def test_a_schedule_belongs_to_a_mirror(feeds: dict[str, Any], tmp_path: Any) -> None:
    settings = parse_settings({"feeds": feeds}, {}, base=tmp_path)
    assert settings.feeds.interval == feeds.get("interval", 3600)


@pytest.mark.parametrize(("feeds", "reason"), [({"interval": 60}, "set that to a folder"), ({"mirror": "m", "interval": 0}, "interval")])
def test_a_schedule_without_a_mirror_or_without_time_is_refused(feeds: dict[str, Any], reason: str, tmp_path: Any) -> None:
    with pytest.raises(SettingsError, match=reason):
        parse_settings({"feeds": feeds}, {}, base=tmp_path)
