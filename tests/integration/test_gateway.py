"""The gateway over HTTP and a real ledger: nothing is answered before it is kept, and nothing is kept that has no right to be."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import text

from pratique.errors import DatabaseUnavailable
from pratique.oci.digest import Digest
from pratique.registry.client import Registries
from pratique.runtime.resources import open_registries
from pratique.runtime.settings import Settings, parse_settings
from pratique.storage.engine import Database
from pratique.storage.intake import MAX_RAW_BYTES
from pratique_services.gateway.app import MAX_BODY_BYTES, RETRY_AFTER_SECONDS, create_app
from tests.support.databases import PostgresFactory, SqliteFactory
from tests.support.servers import PostgreSQL
from tests.support.webhook_payloads import DIGEST, OCI_MANIFEST, SAMPLES, SECRET, Sample, distribution_event, proof

HOST = "registry.example:5000"
NEXT = "the-next-secret-of-30-characters"
BEARER = {"Authorization": f"Bearer {SECRET}"}
HOSTS = sorted({sample.host for sample in SAMPLES if sample.host} | {HOST})


def make_settings(database_url: str = "sqlite+aiosqlite:///unused.sqlite", **more: Any) -> Settings:
    sources = [
        {"name": vendor, "vendor": vendor, "secrets": [SECRET], **({"host": HOST} if vendor in {"zot", "nexus"} else {})}
        for vendor in sorted({sample.vendor for sample in SAMPLES})
    ]
    sources += [
        {"name": "rotating", "vendor": "distribution", "secrets": [SECRET, NEXT]},
        {"name": "robotic", "vendor": "distribution", "secrets": [SECRET], "ignore_actors": ["pratique-robot"]},
        {"name": "behind-proxy", "vendor": "distribution", "secrets": [SECRET], "host": HOST},
    ]
    raw = {"sources": sources, "registries": [{"host": host} for host in HOSTS], "database_url": database_url, "broker_url": "sqlite://"}
    return parse_settings(raw | more, {}, base=Path.cwd())


class Gateway:
    """The gateway on a test server, and its ledger."""

    def __init__(self, database: Database, settings: Settings | None = None) -> None:
        self.settings = settings or make_settings()
        self.database = database
        self.wakes = 0
        root = web.Application(client_max_size=64 * MAX_BODY_BYTES)  # in one process with services that take more
        root.add_subapp("/hooks/", create_app(self.settings, database, self._wake))
        self.client = TestClient(TestServer(root))

    def _wake(self) -> None:
        self.wakes += 1

    async def send(self, path: str, body: Any, headers: Mapping[str, str] = BEARER) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.client.post(f"/hooks/{path}", data=io.BytesIO(data), headers=headers) as answer:
            content = await answer.read()
            return answer.status, json.loads(content) if answer.content_type == "application/json" else {}, answer.headers

    async def push(self, *events: Mapping[str, Any], source: str = "distribution") -> int:
        status, body, _ = await self.send(source, {"events": events})
        assert status == 202
        accepted: int = body["accepted"]
        return accepted

    async def rows(self, query: str) -> list[dict[str, Any]]:
        async with self.database.reading() as session:
            return [dict(row) for row in (await session.execute(text(query))).mappings()]

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.rows("SELECT state FROM event ORDER BY id")]

    async def reasons(self) -> list[str]:
        return [row["reason"] for row in await self.rows("SELECT reason FROM event WHERE state = 'rejected' ORDER BY id")]

    async def count(self, table: str) -> int:
        return len(await self.rows(f"SELECT id FROM {table}"))


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> SqliteFactory:
    return SqliteFactory(tmp_path_factory.mktemp("gateway"))


@contextlib.asynccontextmanager
async def running(url: str, settings: Settings | None = None) -> AsyncIterator[Gateway]:
    database = Database(url)
    gateway = Gateway(database, settings)
    async with gateway.client:
        yield gateway
    await database.close()


def unusable(folder: Path) -> str:
    """A database that cannot be opened: a directory lies where its file should be."""
    (folder / "database").mkdir()
    return f"sqlite+aiosqlite:///{folder / 'database'}"


@pytest.fixture
async def gateway(factory: SqliteFactory) -> AsyncIterator[Gateway]:
    url = await factory.create()
    async with running(url) as gateway:
        yield gateway
    await factory.drop(url)


async def test_when_202_is_heard_event_scan_and_message_are_in_the_ledger(gateway: Gateway) -> None:
    status, body, _ = await gateway.send("distribution", {"events": [distribution_event()]})

    assert (status, body["accepted"]) == (202, 1)
    [event] = await gateway.rows("SELECT * FROM event")
    [scan] = await gateway.rows("SELECT * FROM scan")
    [message] = await gateway.rows("SELECT * FROM outbox")
    assert (event["state"], event["digest"], event["tag"], event["scan_id"]) == ("queued", DIGEST, "v1", scan["id"])
    assert event["correlation_id"] == scan["correlation_id"] == body["correlation_id"]
    assert (event["actor"], event["user_agent"], event["media_type"]) == ("ci", "skopeo/1.9.3", OCI_MANIFEST)
    assert json.loads(message["body"]) == json.loads(message["body"]) | {"scan_id": scan["id"], "correlation_id": body["correlation_id"]}
    assert gateway.wakes == 1


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.vendor)
async def test_every_vendors_push_is_accepted_with_its_proof(gateway: Gateway, sample: Sample) -> None:
    headers, token = proof(sample.vendor, sample.content)
    status, body, _ = await gateway.send(f"{sample.vendor}/{token}".rstrip("/"), sample.content, {**sample.headers, **headers})
    assert (status, body["accepted"]) == (202, 1), await gateway.reasons()
    [row] = await gateway.rows("SELECT host, name FROM registry JOIN repository ON repository.registry_id = registry.id")
    assert (row["host"], row["name"]) == (sample.host or HOST, sample.repository)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("distribution", {}),
        ("distribution", {"Authorization": "Bearer wrong"}),
        ("distribution", {"Authorization": f"Bearer {NEXT}"}),
        ("distribution", {"Authorization": "Basic ünï"}),
        (f"distribution/{SECRET}", {}),
        ("quay/wrong", BEARER),
        ("quay", BEARER),
        ("github", BEARER),
        ("github", {"X-Hub-Signature-256": "sha256=" + "0" * 64}),
        ("nosuchsource", BEARER),
    ],
)
async def test_who_does_not_know_the_secret_is_refused_and_the_ledger_not_touched(
    tmp_path: Path, path: str, headers: Mapping[str, str]
) -> None:
    async with running(unusable(tmp_path)) as gateway:  # touching it would not be answered by 401
        status, body, _ = await gateway.send(path, {"events": [distribution_event()]}, headers)
        assert (status, body["error"]["code"]) == (401, "unauthorized")
        assert gateway.wakes == 0


async def test_both_secrets_are_good_during_rotation(gateway: Gateway) -> None:
    for number, secret in enumerate((SECRET, NEXT)):
        body = {"events": [distribution_event(id=str(number))]}
        assert (await gateway.send("rotating", body, {"Authorization": f"Bearer {secret}"}))[0] == 202


async def test_a_repeated_delivery_does_nothing_twice(gateway: Gateway) -> None:
    assert [await gateway.push(distribution_event()) for _ in range(3)] == [1, 0, 0]
    assert (await gateway.count("event"), await gateway.count("scan"), await gateway.count("outbox")) == (1, 1, 1)


async def test_one_id_at_two_sources_is_two_events(gateway: Gateway) -> None:
    assert await gateway.push(distribution_event()) == 1
    assert await gateway.push(distribution_event(), source="rotating") == 1
    assert await gateway.states() == ["queued", "coalesced"]


async def test_the_twenty_one_hooks_of_one_push_are_one_scan(gateway: Gateway) -> None:
    blobs = [distribution_event(id=f"blob-{n}", target={"mediaType": "application/octet-stream"}) for n in range(5)]
    pulls = [distribution_event(id=f"pull-{n}", action="pull") for n in range(4)]
    by_digest = [distribution_event(id=f"manifest-{n}", target={"tag": None}) for n in range(11)]
    for event in [*blobs, *pulls, *by_digest, distribution_event(id="tagged")]:
        await gateway.push(event)
    assert (await gateway.count("scan"), await gateway.count("outbox")) == (1, 1)
    assert await gateway.states() == ["queued"] + ["coalesced"] * 11


async def test_a_batch_is_recorded_whole_and_its_broken_event_apart(gateway: Gateway) -> None:
    events = [distribution_event(id="1"), distribution_event(id=None), distribution_event(id="3", target={"digest": "sha256:" + "11" * 32})]
    assert await gateway.push(*events) == 2
    assert sorted(await gateway.states()) == ["queued", "queued", "rejected"]
    assert await gateway.count("scan") == 2


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"{}", b'{"events": 3}', b'{"a": "\xff"}', b"[" * 100_000, b"\x00" * 1000])
async def test_an_authentic_body_without_sense_is_recorded_as_rejected_and_answered_202(gateway: Gateway, body: bytes) -> None:
    status, answer, _ = await gateway.send("distribution", body)
    assert (status, answer["accepted"]) == (202, 0)
    [row] = await gateway.rows("SELECT * FROM event")
    assert row["state"] == "rejected"
    assert row["reason"]
    assert bytes(row["raw"]) == body[:MAX_RAW_BYTES]
    assert await gateway.count("scan") == 0


async def test_a_body_beyond_the_limit_is_413(gateway: Gateway) -> None:
    for source in ("distribution", "github"):
        assert (await gateway.send(source, b"x" * (MAX_BODY_BYTES + 1)))[0] == 413
    assert await gateway.count("event") == 0
    assert (await gateway.send("distribution", b"x" * MAX_BODY_BYTES))[0] == 202


@pytest.mark.parametrize("source", ["distribution", "quay/wrong", "nosuchsource"])
async def test_a_stranger_is_refused_before_the_body_is_read(gateway: Gateway, source: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async with asyncio.timeout(5), gateway.client.post(f"/hooks/{source}", data=endless()) as answer:
        assert answer.status == 401


async def test_a_push_with_a_manifest_of_4_mib_inside_is_accepted(gateway: Gateway) -> None:
    assert await gateway.push(distribution_event(manifest="x" * 4 * 1024 * 1024)) == 1


async def test_only_posts_below_hooks_are_answered(gateway: Gateway) -> None:
    for method, path, status in (("GET", "distribution", 405), ("PUT", "distribution", 405), ("POST", "a/b/c", 404), ("POST", "", 404)):
        async with gateway.client.request(method, f"/hooks/{path}") as answer:
            assert answer.status == status


async def test_our_own_pushes_start_nothing(gateway: Gateway) -> None:
    registries: Registries = open_registries(gateway.settings)
    await registries.close()
    user_agent = f"pratique/1.0 ({gateway.settings.instance_token})"
    event = distribution_event(request={"host": HOST, "useragent": user_agent})
    assert await gateway.push(event) == 0
    assert await gateway.reasons() == [f"own push (event {event['id']})"]
    other = distribution_event(id="2", request={"host": HOST, "useragent": "pratique/1.0 (0123456789abcdef)"})
    assert await gateway.push(other) == 1


async def test_pushes_of_an_ignored_actor_start_nothing(gateway: Gateway) -> None:
    assert await gateway.push(distribution_event(actor={"name": "pratique-robot"}), source="robotic") == 0
    assert await gateway.push(distribution_event(id="2", actor={"name": "pratique-robot"})) == 1


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom"])
async def test_a_signature_is_not_scanned(gateway: Gateway, suffix: str) -> None:
    tag = "sha256-" + "ab" * 32 + suffix
    assert await gateway.push(distribution_event(target={"tag": tag})) == 0
    assert await gateway.push(distribution_event(id="2", target={"tag": f"{tag}x"})) == 1


@pytest.mark.parametrize(("suffix", "accepted"), [("", 1), (".sig", 0), (".att", 1), (".sbom", 0)])
async def test_where_keys_are_trusted_attestations_are_looked_at(factory: SqliteFactory, suffix: str, accepted: int) -> None:
    async with running(await factory.create(), make_settings(vex={"keys": ["vex.pub"]})) as gateway:
        assert await gateway.push(distribution_event(target={"tag": "sha256-" + "ab" * 32 + suffix})) == accepted


@pytest.mark.parametrize("host", ["elsewhere.example", "registry.example:5001", "127.0.0.1:5000", "", "evil.example/registry.example:5000"])
async def test_a_registry_that_is_not_in_the_settings_is_never_asked(gateway: Gateway, host: str) -> None:
    event = distribution_event(request={"host": host}, target={"url": ""})
    assert await gateway.push(event) == 0
    assert "is not in the settings" in (await gateway.reasons())[0]
    assert await gateway.count("scan") == 0


async def test_the_settings_may_name_the_registry_that_a_sender_knows_by_another_name(gateway: Gateway) -> None:
    assert await gateway.push(distribution_event(request={"host": "localhost:5000"}), source="behind-proxy") == 1


async def test_a_host_in_capitals_is_the_same_host(gateway: Gateway) -> None:
    assert await gateway.push(distribution_event(request={"host": HOST.upper()})) == 1


@pytest.mark.parametrize(
    "target",
    [{"tag": None, "digest": None}, {"repository": "../../etc"}, {"repository": "Team/App"}, {"tag": "a b"}, {"repository": "a" * 300}],
)
async def test_what_cannot_be_a_reference_is_rejected(gateway: Gateway, target: Mapping[str, Any]) -> None:
    assert await gateway.push(distribution_event(target=target)) == 0
    assert len(await gateway.reasons()) == 1


async def test_a_rejected_event_may_be_sent_again_without_harm(gateway: Gateway) -> None:
    for _ in range(3):
        await gateway.push(distribution_event(target={"repository": "Team/App"}))
    assert await gateway.states() == ["rejected"] * 3
    assert await gateway.count("scan") == 0


async def test_an_event_that_was_rejected_counts_when_it_comes_again_and_the_settings_are_right(gateway: Gateway) -> None:
    elsewhere = distribution_event(request={"host": "localhost:5000"})
    assert await gateway.push(elsewhere) == 0
    assert await gateway.push(distribution_event()) == 1  # the same id, of a registry that the settings name
    assert await gateway.states() == ["rejected", "queued"]


async def test_a_database_that_cannot_be_opened_is_503_with_retry_after(tmp_path: Path) -> None:
    async with running(unusable(tmp_path)) as gateway:
        for body in ({"events": [distribution_event()]}, {"nonsense": True}):
            status, answer, headers = await gateway.send("distribution", body)
            assert (status, answer["error"]["code"]) == (503, "unavailable")
            assert headers["Retry-After"] == str(RETRY_AFTER_SECONDS)
        assert gateway.wakes == 0


@pytest.fixture
def own_postgres(servers_folder: Path) -> Iterator[PostgreSQL]:
    """A server that may be killed."""
    with PostgreSQL(servers_folder / f"gateway-{uuid4().hex}") as server:
        yield server


@pytest.fixture
async def postgres_url(own_postgres: PostgreSQL) -> str:
    factory = await asyncio.to_thread(PostgresFactory, own_postgres)
    return await factory.create()


async def test_a_killed_postgresql_is_503_and_the_push_is_kept_once_it_is_back(own_postgres: PostgreSQL, postgres_url: str) -> None:
    async with running(postgres_url) as gateway:
        assert await gateway.push(distribution_event(id="1")) == 1
        own_postgres.stop()
        status, _, headers = await gateway.send("distribution", {"events": [distribution_event(id="2")]})
        assert (status, headers["Retry-After"]) == (503, str(RETRY_AFTER_SECONDS))
        with pytest.raises(DatabaseUnavailable):
            await gateway.count("event")
        own_postgres.start()
        assert await gateway.push(distribution_event(id="2")) == 1
        assert await gateway.states() == ["queued", "coalesced"]


async def test_text_that_postgresql_refuses_is_rejected_and_not_an_error(postgres_url: str) -> None:
    async with running(postgres_url) as gateway:
        nasty = {"actor": {"name": "a\x00b"}, "id": "x\x00", "target": {"repository": "a\x00"}}
        for number, (name, value) in enumerate(nasty.items()):
            await gateway.push(distribution_event(**({"id": str(number)} | {name: value})))
        await gateway.push(distribution_event(id="long", actor={"name": "ü" * 2000}, timestamp="9999-12-31T23:59:59Z"))
        assert await gateway.states() == ["rejected", "rejected", "rejected", "queued"]


def test_the_samples_digest_is_one() -> None:
    assert str(Digest.parse(DIGEST)) == DIGEST
