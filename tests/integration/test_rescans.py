"""Re-scans in a running pipeline: what other analyzers read is read again, after pushes, and nothing is fetched that is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from pratique.inventory.analyzers import ANALYZERS_KEY
from pratique.messages import ImagePushed
from pratique.oci.digest import Digest
from pratique.runtime.resources import Resources, open_resources
from pratique.runtime.settings import RescanSettings, parse_settings
from pratique.storage.intake import record_push
from pratique_services.advisor.rescanning import Rescanner
from pratique_services.enforcer import app as enforcer
from pratique_services.scanner import app as scanner
from tests.support.databases import SqliteFactory
from tests.support.images import ImageLayout, debian_files, make_image, make_layer, push
from tests.support.servers import DockerRegistry
from tests.support.services import Bench, deliver
from tests.support.stored import push_event

POLICY = "version: 1\npolicies: [{name: any, rules: {fail_on: critical, unknown_severity: ignore, max_feed_age: unlimited, eol: ignore}}]"
FLEET = 6
UNREAD = "UPDATE image SET analyzers_key = 'former', inspected_at = '2026-01-01 00:00:00.000000' WHERE analyzers_key IS NOT NULL"


def make_app(folder: Path, name: str) -> ImageLayout:
    return make_image(folder / name, [make_layer({**debian_files({"zlib1g": "1"}), "name": name.encode()})])


def blobs(registry: DockerRegistry, layers: set[str]) -> set[str]:
    """The layers that the registry was asked for."""
    return {path.rpartition("/")[2] for method, path, _ in registry.requests() if method == "GET" and "/blobs/" in path} & layers


@pytest.mark.parametrize("spoil", [UNREAD, "UPDATE coverage SET status = 'partial' WHERE section = 'inventory'"])
async def test_a_rescan_by_the_same_analyzers_fetches_no_layer(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path, spoil: str
) -> None:
    layout = make_app(tmp_path, "app")
    worker = bench.worker()
    await worker.consume(deliver(await bench.push(shared_registry, layout, repository, "1.0")))
    await bench.take()
    before = await bench.row("SELECT inventory_digest FROM image")
    await bench.change(spoil)
    await bench.change("UPDATE image SET inspected_at = '2026-01-01 00:00:00.000000'")
    shared_registry.clear()

    rescanner = Rescanner(database=bench.database, settings=RescanSettings(), hosts={shared_registry.host}, wake=bench.wake)
    assert await rescanner.order() == 1
    (message,) = await bench.take(ImagePushed)
    assert message.queue == "scan.rescan"
    await worker.consume(deliver(message))

    assert blobs(shared_registry, set(layout.layers)) == set()
    image = await bench.row("SELECT analyzers_key, inventory_digest FROM image")
    assert image == {"analyzers_key": ANALYZERS_KEY, **before}
    assert await rescanner.order() == 0


async def test_a_rescan_of_an_image_that_is_gone_leaves_its_verdict_and_is_not_asked_for_again(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    digest = Digest.parse(make_app(tmp_path, "app").digest)  # the registry has not got it
    recorded = await bench.record_scanned(await bench.event(shared_registry.host, repository, tag="1.0", digest=digest))
    await bench.enforcer(POLICY, None).consume(deliver(recorded))
    await bench.take()
    decided = await bench.decisions()
    await bench.change(UNREAD)

    rescanner = Rescanner(database=bench.database, settings=RescanSettings(), hosts={shared_registry.host}, wake=bench.wake)
    assert await rescanner.order() == 1
    (message,) = await bench.take(ImagePushed)
    await bench.worker(max_attempts=1).consume(deliver(message))

    assert (await bench.scan_row(message))["last_error"].startswith("gone before it was scanned")
    assert await bench.decisions() == decided
    assert [await rescanner.order() for _ in range(2)] == [0, 0]


Site = tuple[DockerRegistry, Resources, Rescanner]


@pytest.fixture
async def site(docker_registry: Callable[..., DockerRegistry], ledgers: SqliteFactory, tmp_path: Path) -> AsyncIterator[Site]:
    """A registry and what services share, with no service running yet."""
    registry = await asyncio.to_thread(docker_registry)
    (tmp_path / "policy.yaml").write_text(POLICY)
    raw = {
        "database_url": await ledgers.create(),
        "policy": str(tmp_path / "policy.yaml"),
        "registries": [{"host": registry.host, "plain_http": True}],
        "scanner": {"workers": 1},
        "rescans": {"interval": 0.2, "max_in_flight": 4},
    }
    settings = parse_settings(raw, {}, base=tmp_path)
    async with open_resources(settings) as resources:
        hosts = {known.host for known in settings.registries}
        yield registry, resources, Rescanner(database=resources.database, settings=settings.rescans, hosts=hosts, wake=resources.relay.wake)
    registry.stop()
    await ledgers.drop(settings.database_url)


@asynccontextmanager
async def running(resources: Resources, *more: Any) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(run) for run in (scanner.run(resources), enforcer.run(resources), resources.relay.run(), *more)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended


async def rows(resources: Resources, query: str) -> list[dict[str, Any]]:
    async with resources.database.reading() as session:
        return [dict(row) for row in (await session.execute(text(query))).mappings()]


async def upload(registry: DockerRegistry, resources: Resources, layout: ImageLayout, tag: str) -> None:
    await asyncio.to_thread(push, layout, f"{registry.host}/team/app:{tag}")
    event = push_event(tag, host=registry.host, tag=tag, digest=Digest.parse(layout.digest))
    async with resources.database.transaction() as session:
        await record_push(session, event, correlation_id=tag, raw=b"{}")
    resources.relay.wake()


async def until(resources: Resources, decided: int) -> None:
    async with asyncio.timeout(60):
        while len(await rows(resources, "SELECT id FROM decision WHERE announced_at IS NOT NULL")) < decided:
            await asyncio.sleep(0.05)


async def test_a_fleet_that_other_analyzers_read_is_scanned_again_while_a_push_is_served_first(site: Site, tmp_path: Path) -> None:
    registry, resources, rescanner = site
    layouts = [make_app(tmp_path, f"app-{number}") for number in range(FLEET)]
    async with running(resources):
        for number, layout in enumerate(layouts):
            await upload(registry, resources, layout, f"v{number}")
        await until(resources, FLEET)
    standing = {row["image_digest"] for row in await rows(resources, "SELECT image_digest FROM decision")}
    assert standing == {layout.digest for layout in layouts}
    async with resources.database.transaction() as session:
        await session.execute(text(UNREAD))
    registry.clear()

    assert await rescanner.order() == 4  # as many as may be; all of them wait before the push comes
    await upload(registry, resources, make_app(tmp_path, "pushed"), "pushed")
    async with running(resources, rescanner.run()):
        await until(resources, 2 * FLEET + 1)

    scans = await rows(resources, f"SELECT tag, priority, state FROM scan ORDER BY started_at LIMIT 99 OFFSET {FLEET}")
    assert "pushed" in [scan["tag"] for scan in scans[:2]]  # of two queues, each is served at once
    assert sorted(scan["tag"] for scan in scans if scan["priority"] == "rescan") == [f"v{number}" for number in range(FLEET)]
    assert {scan["state"] for scan in scans} == {"scanned"}
    assert await rows(resources, "SELECT DISTINCT analyzers_key FROM image") == [{"analyzers_key": ANALYZERS_KEY}]
    assert blobs(registry, {layer for layout in layouts for layer in layout.layers}) == set()
