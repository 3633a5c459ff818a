"""A feed that goes bad leaves the old database in force, is told in `/readyz` with its reason, keeps no other feed back, and is forgotten once it works again."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from pratique.feeds.health import FeedFailure
from pratique.runtime.feed_readiness import load_feeds_document
from pratique.runtime.service import add_operations_routes, listening
from pratique.storage.advisory_state import advance_state, begin_state, record_failures
from pratique.storage.engine import Database
from tests.support.databases import SqliteFactory
from tests.support.feed_server import FeedServer, body, broken, feed_server, osv_record, trickle, zip_bomb, zip_of
from tests.support.syncing import KEV, Told, digest_of, make_syncer, running, until

ZIP = "PyPI/all.zip"
LATER = "2024-07-01T00:00:00Z"


def bucket(count: int, modified: str = "2024-01-02T03:04:05Z") -> list[dict[str, Any]]:
    return [osv_record(f"PYSEC-{number}", modified) for number in range(count)]


def spoil_zip(content: Callable[[bytes], bytes]) -> Callable[[FeedServer], None]:
    """Newer records are announced, and what comes for them is something else."""

    def spoil(server: FeedServer) -> None:
        server.put_bucket("PyPI", bucket(200, LATER))
        server.always[ZIP] = body(content(server.files[ZIP]))

    return spoil


def cut(server: FeedServer) -> None:
    server.put_bucket("PyPI", bucket(200, LATER))
    server.always[ZIP] = broken(server.files[ZIP], len(server.files[ZIP]) // 2)


def drip(server: FeedServer) -> None:
    server.put_bucket("PyPI", bucket(200, LATER))
    server.always[ZIP] = trickle(server.files[ZIP], pause=0.05)


def halve(server: FeedServer) -> None:
    server.put_bucket("PyPI", bucket(100, LATER))


HOSTILE: dict[str, tuple[Callable[[FeedServer], None], str]] = {
    "truncated": (cut, "ClientPayloadError"),
    "truncated and called whole": (spoil_zip(lambda content: content[: len(content) // 2]), "cannot be read"),
    "not json": (spoil_zip(lambda _: zip_of({f"PYSEC-{number}": b"<html>" for number in range(200)})), "no OSV records"),
    "not a zip": (spoil_zip(lambda _: b"<html>maintenance</html>"), "cannot be read"),
    "of the wrong schema": (spoil_zip(lambda _: zip_of({f"PYSEC-{number}": b'{"cve": 1}' for number in range(200)})), "no OSV records"),
    "a zip bomb": (spoil_zip(lambda _: zip_bomb()), "expands more than"),
    "a slow loris": (drip, "bytes a second"),
    "shrunk to half": (halve, "shrank from 200 to 100"),
}


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with feed_server() as running_server:
        running_server.put_bucket("PyPI", bucket(200))
        running_server.put_kev(20)
        yield running_server


@pytest.fixture
async def database(ledgers: SqliteFactory) -> AsyncIterator[Database]:
    url = await ledgers.create()
    made = Database(url)
    yield made
    await made.close()
    await ledgers.drop(url)


class Fleet(Told):
    """Puts what it is told on record, as a fleet does."""

    database: Database

    async def on_new(self, path: Path) -> None:
        async with self.database.transaction() as session:
            digest = digest_of(path)
            if not self.digests:
                await begin_state(session, digest, ())
            elif digest != self.digests[-1]:
                await advance_state(session, digest, ())
        self.digests.append(digest)

    async def on_failures(self, failures: tuple[FeedFailure, ...]) -> None:
        async with self.database.transaction() as session:
            await record_failures(session, failures)
        self.failures.append(failures)


@pytest.fixture
def fleet(database: Database) -> Fleet:
    made = Fleet()
    made.database = database
    return made


@pytest.fixture
async def readyz(database: Database) -> AsyncIterator[aiohttp.ClientSession]:
    app = web.Application()
    add_operations_routes(app, {"database": database.ping}, {"feeds": lambda: load_feeds_document(database)})
    async with listening(app, "127.0.0.1", 0) as (host, port), aiohttp.ClientSession(f"http://{host}:{port}") as session:
        yield session


async def ask(session: aiohttp.ClientSession) -> tuple[int, str, Any]:
    async with session.get("/readyz") as answer:
        document = await answer.json()
        return answer.status, document["status"], document["feeds"]


def exploited_in(target: Path) -> int:
    connection = sqlite3.connect(f"file:{target}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT records FROM feed WHERE name = 'KEV'").fetchone()[0])
    finally:
        connection.close()


def modified_in(target: Path) -> set[str]:
    connection = sqlite3.connect(f"file:{target}?mode=ro", uri=True)
    try:
        return {str(modified)[:10] for (modified,) in connection.execute("SELECT modified FROM advisory")}
    finally:
        connection.close()


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_feed_that_goes_bad_leaves_the_old_database_and_is_told(
    tmp_path: Path, server: FeedServer, fleet: Fleet, readyz: aiohttp.ClientSession, name: str
) -> None:
    spoil, reason = HOSTILE[name]
    target = tmp_path / "advisories.sqlite"
    assert (await ask(readyz))[2]["status"] == "missing"
    async with running(make_syncer(tmp_path, fleet, server.url)):
        await until(lambda: fleet.digests and fleet.failing == {})
        good = digest_of(target)
        status, overall, feeds = await ask(readyz)
        assert (status, overall, feeds["status"], feeds["database"]) == (200, "ok", "ok", good)

        spoil(server)
        await until(lambda: fleet.failing)
        status, overall, feeds = await ask(readyz)
        assert (status, overall, feeds["status"]) == (200, "degraded", "stale")  # pushes are taken all the same
        (stale,) = feeds["stale"]
        assert stale["name"] == "osv/PyPI"
        assert reason in stale["reason"]
        assert stale["since"].endswith("Z")
        assert digest_of(target) == good == feeds["database"] == fleet.digests[-1]

        server.put_kev(21)  # another feed has news meanwhile
        await until(lambda: exploited_in(target) == 21)
        assert modified_in(target) == {"2024-01-02"}  # of the feed that fails, what it last had
        await until(lambda: fleet.digests[-1] == digest_of(target) != good)
        status, overall, feeds = await ask(readyz)
        assert (feeds["status"], feeds["database"], feeds["stale"][0]["since"]) == ("stale", fleet.digests[-1], stale["since"])

        server.always.clear()
        server.put_bucket("PyPI", bucket(200, LATER))
        await until(lambda: fleet.failing == {} and modified_in(target) == {"2024-07-01"})
        await until(lambda: fleet.digests[-1] == digest_of(target))
        status, overall, feeds = await ask(readyz)
        assert (status, overall, feeds["status"], feeds["database"]) == (200, "ok", "ok", fleet.digests[-1])


async def test_all_feeds_that_fail_at_once_leave_the_old_database(
    tmp_path: Path, server: FeedServer, fleet: Fleet, readyz: aiohttp.ClientSession
) -> None:
    target = tmp_path / "advisories.sqlite"
    async with running(make_syncer(tmp_path, fleet, server.url)):
        await until(lambda: fleet.digests and fleet.failing == {})
        good = digest_of(target)
        cut(server)
        server.always["ecosystems.txt"] = body(b"\xff" * 1000)
        server.always[KEV] = body(b"[" * 100_000)
        await until(lambda: set(fleet.failing or {}) == {"kev", "osv", "osv/PyPI"})
        assert digest_of(target) == good
        status, overall, feeds = await ask(readyz)
        assert (status, overall, [failure["name"] for failure in feeds["stale"]]) == (200, "degraded", ["kev", "osv", "osv/PyPI"])
