"""One push through all services in one process: registry, webhook, scan, decision, write-back, chat; and what the logs and metrics say of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text

from pratique.runtime.resources import Resources, open_resources
from pratique.runtime.settings import parse_settings
from pratique_services.advisor import app as advisor
from pratique_services.enforcer import app as enforcer
from pratique_services.gateway.app import create_app
from pratique_services.notifier import app as notifier
from pratique_services.scanner import app as scanner
from tests.support.databases import SqliteFactory
from tests.support.deployment import ChatReceiver
from tests.support.images import debian_files, make_image, make_layer, push, python_files
from tests.support.servers import DockerRegistry, free_port
from tests.support.services import metric

SECRET = "only-for-the-tests-of-services"
POLICY = """
version: 1
policies:
  - name: test
    rules: {fail_on: critical, unknown_severity: ignore, max_feed_age: unlimited, eol: ignore}
    actions:
      pass: {attest: true, sign: true, promote: {tag: "{tag}-cleared"}}
      fail: {attest: true, quarantine: {repository: "quarantine/{repository}", remove: true}}
"""
OF_A_PUSH = {
    "push.recorded",
    "scan.started",
    "scan.finished",
    "decision.taken",
    "action.performed",
    "notification.recorded",
    "notification.sent",
}
COUNTERS = (
    ("pratique_webhooks_total", {"source": "registry", "outcome": "accepted"}),
    ("pratique_scans_total", {"outcome": "scanned"}),
    ("pratique_scan_duration_seconds_count", {}),
    ("pratique_layers_total", {"outcome": "read"}),
    ("pratique_layer_bytes_total", {}),
    ("pratique_decisions_total", {"verdict": "fail"}),
    ("pratique_push_to_decision_seconds_count", {}),
    ("pratique_actions_total", {"kind": "quarantine", "outcome": "done"}),
    ("pratique_actions_total", {"kind": "remove", "outcome": "done"}),
    ("pratique_notifications_total", {"channel": "security", "outcome": "ok"}),
    ("pratique_messages_total", {"queue": "scan.push", "outcome": "done"}),
    ("pratique_messages_total", {"queue": "enforce", "outcome": "done"}),
    ("pratique_messages_total", {"queue": "notify", "outcome": "done"}),
)


@pytest.fixture
def logs() -> Any:
    """Every log line of the test, with what is bound to it."""
    capture = structlog.testing.LogCapture()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, capture])
    yield capture.entries
    structlog.reset_defaults()


@pytest.fixture
def chat() -> Any:
    receiver = ChatReceiver()
    yield receiver
    receiver.close()


def write_key(path: Path) -> str:
    """A key without a password: an encrypted one takes a second to read."""
    key = ec.generate_private_key(ec.SECP256R1())
    pkcs8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*pkcs8))
    return str(path)


@pytest.fixture
async def site(
    docker_registry: Callable[..., DockerRegistry], ledgers: SqliteFactory, extract: Path, tmp_path: Path, chat: ChatReceiver
) -> AsyncIterator[tuple[DockerRegistry, Resources]]:
    """All services with a registry that tells them of pushes."""
    port = free_port()
    hook = {"webhook": f"http://127.0.0.1:{port}/hooks/registry", "headers": {"Authorization": f"Bearer {SECRET}"}}
    registry = await asyncio.to_thread(docker_registry, **hook)
    (tmp_path / "policy.yaml").write_text(POLICY)
    raw = {
        "database_url": await ledgers.create(),
        "advisories": str(extract),
        "policy": str(tmp_path / "policy.yaml"),
        "registries": [{"host": registry.host, "plain_http": True}],
        "sources": [{"name": "registry", "vendor": "distribution", "secrets": [SECRET]}],
        "signing": {"key": write_key(tmp_path / "signing.key"), "attestation_key": write_key(tmp_path / "attestation.key")},
        "channels": [{"name": "security", "url": chat.url, "events": ["new_criticals", "quarantined", "promoted"]}],
        "scanner": {"workers": 1},
        "reconcile": {"interval": 0.5},
    }
    settings = parse_settings(raw, {}, base=tmp_path)
    async with open_resources(settings) as resources:
        root = web.Application()
        root.add_subapp("/hooks/", create_app(settings, resources.database, resources.relay.wake))
        services = (scanner.run, enforcer.run, notifier.run, advisor.run)
        async with TestServer(root, port=port):
            tasks = [asyncio.create_task(run(resources)) for run in services] + [asyncio.create_task(resources.relay.run())]
            try:
                yield registry, resources
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                registry.stop()
    assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended
    await ledgers.drop(settings.database_url)


async def wait_for_messages(chat: ChatReceiver, count: int) -> None:
    async with asyncio.timeout(30):
        while len(chat.messages) < count:
            await asyncio.sleep(0.05)


async def test_one_correlation_id_leads_through_all_services(
    site: tuple[DockerRegistry, Resources], tmp_path: Path, chat: ChatReceiver, logs: list[dict[str, Any]]
) -> None:
    registry, resources = site
    before = {(name, *sorted(labels.items())): metric(name, **labels) for name, labels in COUNTERS}
    layout = make_image(tmp_path / "app", [make_layer({**debian_files({"zlib1g": "1"}), **python_files({"searchor": "2.4.1"})})])

    await asyncio.to_thread(push, layout, f"{registry.host}/team-a/app:1.0")
    await wait_for_messages(chat, 1)
    await asyncio.sleep(0.3)  # the delivery is recorded

    of_pushes = [line for line in logs if line["event"] in OF_A_PUSH]
    assert {line["event"] for line in of_pushes} == OF_A_PUSH
    (correlation_id,) = {line["correlation_id"] for line in of_pushes}
    assert [line for line in logs if not line.get("correlation_id")] == []
    async with resources.database.reading() as session:
        audited = (await session.execute(text("SELECT DISTINCT correlation_id FROM audit"))).scalars().all()
        scans = (await session.execute(text("SELECT correlation_id FROM scan"))).scalars().all()
    assert audited == scans == [correlation_id]
    assert not [line for line in logs if line["log_level"] in {"error", "critical"}]
    moved = {key for key in before if metric(key[0], **dict(key[1:])) > before[key]}  # type: ignore[arg-type]
    assert moved == before.keys()


async def test_the_services_own_pushes_start_nothing(
    site: tuple[DockerRegistry, Resources], tmp_path: Path, chat: ChatReceiver, logs: list[dict[str, Any]]
) -> None:
    registry, resources = site
    for number in range(3):
        layout = make_image(tmp_path / str(number), [make_layer({**debian_files({"zlib1g": "1"}), "unique": uuid4().bytes})])
        await asyncio.to_thread(push, layout, f"{registry.host}/team-a/app:{number}")
    await wait_for_messages(chat, 3)
    await asyncio.sleep(1)

    async with resources.database.reading() as session:
        decided = (await session.execute(text("SELECT tag, announced_at IS NOT NULL AS done FROM decision ORDER BY tag"))).all()
        rows = (await session.execute(text("SELECT reason FROM event"))).mappings().all()
    events = Counter(row["reason"].partition(" (event ")[0] for row in rows)
    assert [tuple(row) for row in decided] == [("0", 1), ("1", 1), ("2", 1)]
    assert events[""] == 3
    assert events["own push"] >= 9  # each: two verdicts, two signatures, the promoted tag
    assert len(chat.messages) == 3
    assert not [line for line in logs if line["log_level"] in {"error", "critical"}]
