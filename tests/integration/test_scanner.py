"""The scanner: `image.pushed` in, rows out. Real registry, real layers, real ledger."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pratique.advisories.compiler import compile_database
from pratique.deciding.decider import Decider
from pratique.errors import InvalidMessage, UnavailableError
from pratique.messages import DecisionTaken, ImagePushed, InventoryRecorded
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.policy.policy import PolicyDocument
from pratique.registry.client import Registries
from pratique.registry.referrers import Artifact, ArtifactLayer
from pratique_services.advisor.fleet import Fleet
from tests.support.images import ImageLayout, debian_files, make_image, make_index, make_layer, python_files
from tests.support.osv_mirror import make_affected, make_record, write_mirror
from tests.support.registry_fakes import FaultyProxy, serving
from tests.support.servers import DockerRegistry
from tests.support.services import Bench, access_to, deliver, metric

SEARCHOR = {"searchor": "2.4.1"}  # a critical of the extract, fixed in 2.4.2


def make_app(folder: Path, packages: dict[str, str] = SEARCHOR, **options: Any) -> ImageLayout:
    return make_image(folder, [make_layer({**debian_files({"zlib1g": "1:1.2.11.dfsg-2+deb11u2"}), **python_files(packages)})], **options)


def mentions(rows: list[dict[str, Any]], reason: str) -> bool:
    """Whether the items of some coverage row that failed say this."""
    return any(reason in item["reason"] for row in rows for item in json.loads(row["items"]) if item["status"] == "failed")


async def coverage_of(bench: Bench, digest: str) -> list[dict[str, Any]]:
    return await bench.rows("SELECT coverage.* FROM coverage JOIN image ON image.id = image_id WHERE digest = :digest", digest=digest)


async def packages_of(bench: Bench, digest: str) -> list[str]:
    rows = await bench.rows(
        "SELECT name FROM package JOIN image_package ON package_id = package.id JOIN image ON image.id = image_id "
        "WHERE digest = :digest ORDER BY name",
        digest=digest,
    )
    return [row["name"] for row in rows]


async def matches_of(bench: Bench) -> set[tuple[str, str]]:
    rows = await bench.rows(
        "SELECT package.name AS package, advisory.name AS advisory FROM package_advisory "
        "JOIN package ON package.id = package_id JOIN advisory ON advisory.id = advisory_id WHERE resolved_at IS NULL"
    )
    return {(row["package"], row["advisory"]) for row in rows}


@asynccontextmanager
async def fronted(registry: DockerRegistry) -> AsyncIterator[tuple[FaultyProxy, str, Registries]]:
    """The registry behind a proxy that can break things: the proxy, its host, and clients for it."""
    proxy = FaultyProxy(registry.host)
    async with serving(proxy.handle) as host, Registries({host: access_to(host, max_attempts=1)}) as registries:
        yield proxy, host, registries


async def refuse(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=403)


async def hang(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response(status=503)


async def test_an_image_is_recorded_matched_and_announced(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path, extract: Path
) -> None:
    layout = make_app(tmp_path)
    message = await bench.push(shared_registry, layout, repository, "1.0")
    scanned, read = metric("pratique_scans_total", outcome="scanned"), metric("pratique_layers_total", outcome="read")

    await bench.worker(extract).consume(deliver(message))

    scan = await bench.scan_row(message)
    assert (scan["state"], scan["image_digest"], scan["attempt"], scan["lease_until"]) == ("scanned", layout.digest, 1, None)
    image = await bench.row("SELECT * FROM image")
    assert (image["digest"], image["kind"], json.loads(image["layers"])) == (layout.digest, "image", list(layout.layers))
    assert await packages_of(bench, layout.digest) == ["searchor", "zlib1g"]
    assert {status["status"] for status in await coverage_of(bench, layout.digest)} == {"complete"}
    assert "searchor" in {package for package, _ in await matches_of(bench)}
    state = await bench.row("SELECT position, digest FROM advisory_state")
    assert (state["position"], state["digest"]) == (1, scan["feed_snapshot"])
    assert {row["matched_position"] for row in await bench.rows("SELECT matched_position FROM package")} == {1}
    assert await bench.take() == [InventoryRecorded(scan_id=message.scan_id, correlation_id=message.correlation_id)]
    assert bench.wakes == 1
    assert metric("pratique_scans_total", outcome="scanned") == scanned + 1
    assert metric("pratique_layers_total", outcome="read") == read + 1


async def test_a_message_that_comes_twice_is_done_once(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    message = await bench.push(shared_registry, make_app(tmp_path), repository, "1.0")
    worker = bench.worker()
    await worker.consume(deliver(message))
    await bench.take()
    before = await bench.scan_row(message)
    shared_registry.clear()

    await worker.consume(deliver(message, attempt=2))

    assert shared_registry.requests() == []
    assert await bench.take() == []
    assert await bench.scan_row(message) == before


async def test_a_layer_is_not_read_twice_whichever_image_brings_it(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    base = make_layer(debian_files({"zlib1g": "1"}))
    worker = bench.worker()
    for number in range(2):
        layout = make_image(tmp_path / str(number), [base, make_layer({"number": b"%d" % number})])
        await worker.consume(deliver(await bench.push(shared_registry, layout, repository, str(number))))
    digest = Digest.of(base)
    fetched = [entry for entry in shared_registry.requests() if entry.method == "GET" and f"blobs/{digest}" in entry.path]
    assert len(fetched) == 1
    assert len(await bench.rows("SELECT digest FROM layer_result")) == 3


async def test_a_scan_that_a_living_worker_holds_is_passed_over(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    message = await bench.push(shared_registry, make_app(tmp_path), repository, "1.0")
    await bench.change("UPDATE scan SET state = 'running', worker = 'other', lease_until = '2999-01-01 00:00:00.000000'")
    shared_registry.clear()

    await bench.worker().consume(deliver(message))

    assert shared_registry.requests() == []
    assert (await bench.scan_row(message))["worker"] == "other"


async def test_a_scan_of_a_dead_worker_is_taken_over(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    message = await bench.push(shared_registry, make_app(tmp_path), repository, "1.0")
    await bench.change("UPDATE scan SET state = 'running', worker = 'other', attempt = 1, lease_until = '2020-01-01 00:00:00.000000'")

    await bench.worker().consume(deliver(message))

    scan = await bench.scan_row(message)
    assert (scan["state"], scan["worker"], scan["attempt"]) == ("scanned", "worker", 2)


@pytest.mark.parametrize("attempts", [8, 1], ids=["with attempts left", "at the last attempt"])
async def test_a_scan_whose_lease_is_lost_is_left_to_its_new_owner(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path, attempts: int
) -> None:
    layout = make_app(tmp_path)
    async with fronted(shared_registry) as (proxy, host, registries):
        message = await bench.push(shared_registry, layout, repository, "1.0", host=host)

        async def lose(request: web.Request) -> web.StreamResponse:
            await bench.change("UPDATE scan SET worker = 'other', lease_until = '2999-01-01 00:00:00.000000'")
            return await hang(request)

        proxy.where = f"/blobs/{layout.layers[0]}"
        proxy.faults.append(lose)
        worker = bench.worker(registries=registries, lease=0.3, max_attempts=attempts)
        async with asyncio.timeout(10):
            await worker.consume(deliver(message))

    scan = await bench.scan_row(message)
    assert (scan["state"], scan["worker"]) == ("running", "other")
    assert await bench.take() == []
    assert await bench.rows("SELECT * FROM image") == []


async def test_a_long_scan_keeps_its_lease(bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path) -> None:
    layout = make_app(tmp_path)
    async with fronted(shared_registry) as (proxy, host, registries):
        message = await bench.push(shared_registry, layout, repository, "1.0", host=host)

        async def dawdle(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(0.9)
            await bench.worker(name="rival").consume(deliver(message))
            return await proxy.forward(request)

        proxy.where = f"/blobs/{layout.layers[0]}"
        proxy.faults.append(dawdle)
        await bench.worker(registries=registries, lease=0.4).consume(deliver(message))

    scan = await bench.scan_row(message)
    assert (scan["state"], scan["worker"], scan["attempt"]) == ("scanned", "worker", 1)


async def test_a_registry_that_is_away_puts_the_scan_off(
    bench: Bench, docker_registry: Callable[..., DockerRegistry], repository: str, tmp_path: Path
) -> None:
    registry = docker_registry()
    async with Registries({registry.host: access_to(registry.host)}) as registries:
        message = await bench.push(registry, make_app(tmp_path), repository, "1.0")
        worker = bench.worker(registries=registries)
        registry.kill()

        for attempt in (1, 2):
            with pytest.raises(UnavailableError, match="registry"):
                await worker.consume(deliver(message, attempt=attempt))
            scan = await bench.scan_row(message)
            assert (scan["state"], scan["attempt"], scan["worker"], scan["lease_until"]) == ("queued", attempt, None, None)
            assert registry.host in scan["last_error"]

        registry.start()
        await worker.consume(deliver(message, attempt=3))
    scan = await bench.scan_row(message)
    assert (scan["state"], scan["attempt"], scan["last_error"]) == ("scanned", 3, None)


async def test_a_scan_whose_attempts_are_used_up_is_announced_as_unreadable(
    bench: Bench, docker_registry: Callable[..., DockerRegistry], repository: str, tmp_path: Path, extract: Path
) -> None:
    registry = docker_registry()
    async with Registries({registry.host: access_to(registry.host)}) as registries:
        layout = make_app(tmp_path)
        message = await bench.push(registry, layout, repository, "1.0")
        registry.kill()
        await bench.worker(extract, registries=registries, max_attempts=1).consume(deliver(message))

    assert (await bench.scan_row(message))["state"] == "scanned"
    assert mentions(await coverage_of(bench, layout.digest), "not scanned, at attempt 1: registry")
    assert [type(sent) for sent in await bench.take()] == [InventoryRecorded]


@pytest.mark.parametrize("shape", ["image", "index"])
async def test_what_is_known_of_a_digest_stands_when_the_registry_goes_away(
    bench: Bench, docker_registry: Callable[..., DockerRegistry], repository: str, tmp_path: Path, extract: Path, shape: str
) -> None:
    registry = docker_registry()
    async with Registries({registry.host: access_to(registry.host)}) as registries:
        layout = make_app(tmp_path)
        members = [layout.digest]
        if shape == "index":
            other = make_app(tmp_path, {"six": "1.16.0"}, tag="other", config={"architecture": "arm64"})
            members.append(other.digest)
            layout = make_index(tmp_path, [layout, other], tag="both")
        worker = bench.worker(extract, registries=registries, max_attempts=1)
        await worker.consume(deliver(await bench.push(registry, layout, repository, "1.0")))
        before = await bench.rows("SELECT digest, kind, inventory_digest FROM image ORDER BY digest")
        children = await bench.rows("SELECT * FROM index_child")
        registry.kill()

        message = await bench.event(registry.host, repository, tag="1.0", digest=Digest.parse(layout.digest))
        await worker.consume(deliver(message))

    assert await bench.rows("SELECT digest, kind, inventory_digest FROM image ORDER BY digest") == before
    assert await bench.rows("SELECT * FROM index_child") == children
    for member in members:
        assert {row["status"] for row in await coverage_of(bench, member)} == {"complete"}
    first, second = await bench.rows("SELECT state, feed_snapshot FROM scan ORDER BY id")
    assert first == second
    assert second["feed_snapshot"]


async def test_a_registry_that_wants_credentials_ends_the_scan_at_once(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path)
    async with fronted(shared_registry) as (proxy, host, registries):
        proxy.faults.extend([refuse] * 5)
        message = await bench.push(shared_registry, layout, repository, "1.0", host=host)
        await bench.worker(registries=registries).consume(deliver(message))

    scan = await bench.scan_row(message)
    assert (scan["state"], scan["attempt"]) == ("scanned", 1)
    assert mentions(await coverage_of(bench, layout.digest), "403")
    assert [type(sent) for sent in await bench.take()] == [InventoryRecorded]


async def test_a_tag_that_is_gone_ends_the_scan_without_a_decision(bench: Bench, shared_registry: DockerRegistry, repository: str) -> None:
    gone = metric("pratique_scans_total", outcome="gone")
    message = await bench.event(shared_registry.host, repository, tag="1.0")
    worker = bench.worker()
    for attempt in (1, 2):
        with pytest.raises(UnavailableError, match="gone before it was scanned"):
            await worker.consume(deliver(message, attempt=attempt))
        assert (await bench.scan_row(message))["state"] == "queued"

    await worker.consume(deliver(message, attempt=3))

    scan = await bench.scan_row(message)
    assert scan["state"] == "failed"
    assert "gone before it was scanned" in scan["last_error"]
    assert await bench.take() == []
    assert metric("pratique_scans_total", outcome="gone") == gone + 1


async def test_an_image_that_the_registry_knows_a_moment_later_is_scanned(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path)
    message = await bench.event(shared_registry.host, repository, tag="1.0", digest=Digest.parse(layout.digest))
    with pytest.raises(UnavailableError):
        await bench.worker().consume(deliver(message))
    await bench.upload(shared_registry, layout, repository, "1.0")

    await bench.worker().consume(deliver(message, attempt=2))

    scan = await bench.scan_row(message)
    assert (scan["state"], scan["tag"]) == ("scanned", "1.0")


async def test_a_tag_that_points_elsewhere_is_not_the_scanned_images(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    old, new = make_app(tmp_path / "old"), make_app(tmp_path / "new", {"six": "1.16.0"})
    await bench.upload(shared_registry, old, repository, "old")
    await bench.upload(shared_registry, new, repository, "1.0")
    message = await bench.event(shared_registry.host, repository, tag="1.0", digest=Digest.parse(old.digest))

    await bench.worker().consume(deliver(message))

    scan = await bench.scan_row(message)
    assert (scan["state"], scan["image_digest"], scan["tag"]) == ("scanned", old.digest, None)
    assert (await bench.row("SELECT digest FROM tag WHERE name = '1.0'"))["digest"] == new.digest


async def test_a_tag_that_the_registry_does_not_have_is_forgotten(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path)
    await bench.upload(shared_registry, layout, repository, "1.0")
    message = await bench.event(shared_registry.host, repository, tag="invented", digest=Digest.parse(layout.digest))
    await bench.change("UPDATE scan SET attempt = 2")

    await bench.worker().consume(deliver(message, attempt=3))

    scan = await bench.scan_row(message)
    assert (scan["state"], scan["image_digest"], scan["tag"]) == ("scanned", layout.digest, None)
    assert await bench.rows("SELECT * FROM tag") == []
    assert await bench.rows("SELECT * FROM tag_history") == []


async def test_a_push_that_names_only_a_tag_is_resolved(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path)
    await bench.upload(shared_registry, layout, repository, "1.0")
    message = await bench.event(shared_registry.host, repository, tag="1.0")

    await bench.worker().consume(deliver(message))

    scan = await bench.scan_row(message)
    assert (scan["state"], scan["digest"], scan["tag"]) == ("scanned", layout.digest, "1.0")
    assert (await bench.row("SELECT digest FROM tag WHERE name = '1.0'"))["digest"] == layout.digest


@pytest.mark.parametrize("fault", [refuse, hang], ids=["refused", "too slow"])
async def test_a_tag_that_was_resolved_and_not_read_is_decided_all_the_same(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path, fault: Any
) -> None:
    layout = make_app(tmp_path)
    async with fronted(shared_registry) as (proxy, host, registries):
        await bench.upload(shared_registry, layout, repository, "1.0")
        message = await bench.event(host, repository, tag="1.0")
        proxy.where = f"/manifests/{layout.digest}"
        proxy.faults.append(fault)
        await bench.worker(registries=registries, timeout=0.5).consume(deliver(message))

    scan = await bench.scan_row(message)
    assert (scan["state"], scan["image_digest"]) == ("scanned", layout.digest)
    assert mentions(await coverage_of(bench, layout.digest), "not scanned, at attempt 1")
    assert [type(sent) for sent in await bench.take()] == [InventoryRecorded]


async def test_a_tag_that_the_registry_answers_nonsense_for_ends_as_failed(bench: Bench, repository: str) -> None:
    async def nonsense(_request: web.Request) -> web.StreamResponse:
        return web.Response(headers={"Docker-Content-Digest": "not a digest", "Content-Type": media_types.OCI_MANIFEST})

    async with serving(nonsense) as host, Registries({host: access_to(host)}) as registries:
        message = await bench.event(host, repository, tag="1.0")
        await bench.worker(registries=registries).consume(deliver(message))

    scan = await bench.scan_row(message)
    assert (scan["state"], scan["attempt"]) == ("failed", 1)
    assert "not scanned, at attempt 1" in scan["last_error"]


async def test_a_scan_that_takes_too_long_is_announced_as_unreadable(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path)
    async with fronted(shared_registry) as (proxy, host, registries):
        proxy.where = "/blobs/"
        proxy.faults.append(hang)
        message = await bench.push(shared_registry, layout, repository, "1.0", host=host)
        await bench.worker(registries=registries, timeout=0.4).consume(deliver(message))

    assert (await bench.scan_row(message))["state"] == "scanned"
    assert mentions(await coverage_of(bench, layout.digest), "scan took longer than 0.4 s")


async def test_an_image_that_kills_its_workers_is_given_up(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path)
    message = await bench.push(shared_registry, layout, repository, "1.0")
    await bench.change("UPDATE scan SET state = 'queued', attempt = 3")
    shared_registry.clear()

    await bench.worker(max_attempts=3).consume(deliver(message))

    assert (await bench.scan_row(message))["state"] == "scanned"
    assert mentions(await coverage_of(bench, layout.digest), "ended without a word")
    assert shared_registry.requests() == []


async def test_a_worker_that_is_stopped_gives_its_scan_back(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    async with fronted(shared_registry) as (proxy, host, registries):
        reached = asyncio.Event()

        async def hold(request: web.Request) -> web.StreamResponse:
            reached.set()
            return await hang(request)

        proxy.where = "/blobs/"
        proxy.faults.append(hold)
        message = await bench.push(shared_registry, make_app(tmp_path), repository, "1.0", host=host)
        task = asyncio.create_task(bench.worker(registries=registries).consume(deliver(message)))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        scan = await bench.scan_row(message)
        assert (scan["state"], scan["worker"], scan["lease_until"]) == ("queued", None, None)

        await bench.worker(name="next", registries=registries).consume(deliver(message))
    assert (await bench.scan_row(message))["worker"] == "next"


def make_buildkit_index(folder: Path) -> tuple[ImageLayout, list[ImageLayout], ImageLayout]:
    """Two platforms and an attestation, as `docker buildx` pushes them."""
    platforms = [
        make_app(folder, {"six": "1.16.0"}, tag="amd64"),
        make_app(folder, {"six": "1.15.0"}, tag="arm64", config={"architecture": "arm64"}),
    ]
    statement = json.dumps({"predicateType": "https://slsa.dev/provenance/v0.2"}).encode()
    attestation = make_image(
        folder,
        [statement],
        tag="attestation",
        config={"os": "unknown", "architecture": "unknown"},
    )
    manifest = json.loads((folder / "blobs/sha256" / attestation.digest.removeprefix("sha256:")).read_bytes())
    layers = [{**layer, "mediaType": media_types.IN_TOTO} for layer in manifest["layers"]]
    attestation = make_image(folder, [statement], tag="attestation", config=dict(attestation.config), manifest={"layers": layers})
    return make_index(folder, [*platforms, attestation], tag="index"), platforms, attestation


async def test_every_platform_of_an_index_is_recorded_and_an_attestation_is_no_gap(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path, extract: Path
) -> None:
    index, platforms, attestation = make_buildkit_index(tmp_path)
    message = await bench.push(shared_registry, index, repository, "1.0")

    await bench.worker(extract).consume(deliver(message))

    kinds = {row["digest"]: row["kind"] for row in await bench.rows("SELECT digest, kind FROM image")}
    assert kinds == {index.digest: "index", attestation.digest: "artifact"} | {image.digest: "image" for image in platforms}
    children = await bench.rows("SELECT platform, is_attestation FROM index_child ORDER BY position")
    assert [(child["platform"], bool(child["is_attestation"])) for child in children] == [
        ("linux/amd64", False),
        ("linux/arm64", False),
        ("unknown/unknown", True),
    ]
    for image in platforms:
        assert {row["status"] for row in await coverage_of(bench, image.digest)} == {"complete"}
        assert await packages_of(bench, image.digest) == ["six", "zlib1g"]
    (recorded,) = await bench.take()
    assert await decided(bench, recorded) == "pass"


async def decided(bench: Bench, recorded: object) -> str:
    """The verdict that follows from what is recorded, by a policy that asks for complete coverage."""
    assert isinstance(recorded, InventoryRecorded)
    rules = "{fail_on: critical, unknown_severity: ignore, max_feed_age: unlimited, eol: ignore}"
    enforcer = bench.enforcer(f"version: 1\npolicies: [{{name: any, rules: {rules}}}]", None)
    await enforcer.consume(deliver(recorded))
    assert [type(sent) for sent in await bench.take()] == [DecisionTaken]
    return str((await bench.decisions())[-1]["status"])


async def test_what_an_index_names_as_an_image_is_judged_or_a_gap_and_never_an_artifact(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path, extract: Path
) -> None:
    app = make_app(tmp_path, {"six": "1.16.0"}, tag="app")
    described = json.loads((tmp_path / "blobs/sha256" / app.digest.removeprefix("sha256:")).read_bytes())
    layers = [{**layer, "mediaType": media_types.IN_TOTO} for layer in described["layers"]]
    chart = {**described["config"], "mediaType": "application/vnd.cncf.helm.config.v1+json"}
    artifact = make_app(tmp_path, {"six": "1.16.0"}, tag="artifact", config={"architecture": "arm64"}, manifest={"config": chart})
    disguised = make_app(tmp_path, {"six": "1.15.0"}, tag="disguised", config={"architecture": "s390x"}, manifest={"layers": layers})
    index = make_index(tmp_path, [app, artifact, disguised], tag="index")
    message = await bench.push(shared_registry, index, repository, "1.0")

    await bench.worker(extract).consume(deliver(message))

    kinds = {row["digest"]: row["kind"] for row in await bench.rows("SELECT digest, kind FROM image")}
    assert kinds == {index.digest: "index"} | {image.digest: "image" for image in (app, artifact, disguised)}
    assert mentions(await coverage_of(bench, artifact.digest), "its index names it as the image for linux/arm64, but it is none")
    assert mentions(await coverage_of(bench, disguised.digest), "no layer could be read")
    (recorded,) = await bench.take()
    assert await decided(bench, recorded) == "incomplete"


async def test_an_index_in_an_index_and_an_artifact_in_it_are_no_gaps(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path, extract: Path
) -> None:
    inner = make_app(tmp_path, {"six": "1.16.0"}, tag="image")
    await bench.upload(shared_registry, inner, repository, "image")
    client = bench.registries.client(shared_registry.host)
    described = await client.resolve_digest(repository, "image")
    chart = await client.push_referrer(
        repository,
        described,
        Artifact(artifact_type="application/vnd.example.chart", layers=(ArtifactLayer(media_type="text/plain", content=b"chart"),)),
    )

    async def push_index(*children: Any, tag: str) -> Any:
        entries = [{"mediaType": child.media_type, "digest": str(child.digest), "size": child.size} for child in children]
        content = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}).encode()
        return await client.push_document(repository, content, media_types.OCI_INDEX, tag=tag)

    nested = await push_index(described, chart, tag="nested")
    root = await push_index(nested, tag="root")
    message = await bench.event(shared_registry.host, repository, tag="root", digest=root.digest)

    await bench.worker(extract).consume(deliver(message))

    kinds = {row["digest"]: row["kind"] for row in await bench.rows("SELECT digest, kind FROM image")}
    assert kinds == {str(root.digest): "index", str(nested.digest): "index", str(chart.digest): "artifact", inner.digest: "image"}
    (recorded,) = await bench.take()
    assert await decided(bench, recorded) == "pass"


async def test_an_index_that_names_an_image_it_does_not_hold_leaves_that_image_as_it_is(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path, extract: Path
) -> None:
    good = make_app(tmp_path, {"six": "1.16.0"})
    await bench.worker(extract).consume(deliver(await bench.push(shared_registry, good, repository, "1.0")))
    await bench.take()
    before = await bench.rows("SELECT * FROM image")
    size = (await bench.registries.client(shared_registry.host).resolve_digest(repository, "1.0")).size
    entry = {
        "mediaType": media_types.OCI_MANIFEST,
        "digest": good.digest,
        "size": size,
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    index = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [entry]}).encode()

    async def sparse(request: web.Request) -> web.StreamResponse:
        """A registry that takes an index without its children."""
        if request.path.endswith(str(Digest.of(index))):
            return web.Response(body=index, headers={"Content-Type": media_types.OCI_INDEX})
        return web.Response(status=404)

    async with serving(sparse) as host, Registries({host: access_to(host)}) as registries:
        message = await bench.event(host, "mallory/app", digest=Digest.of(index))
        await bench.worker(extract, registries=registries).consume(deliver(message))

    assert (await bench.scan_row(message))["state"] == "scanned"
    assert await bench.rows("SELECT * FROM image WHERE digest = :digest", digest=good.digest) == before
    assert {row["status"] for row in await coverage_of(bench, good.digest)} == {"complete"}


async def test_what_is_no_image_is_recorded_as_an_artifact(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    await bench.upload(shared_registry, make_app(tmp_path), repository, "1.0")
    client = bench.registries.client(shared_registry.host)
    chart = await client.push_referrer(
        repository,
        await client.resolve_digest(repository, "1.0"),
        Artifact(artifact_type="application/vnd.example.chart", layers=(ArtifactLayer(media_type="text/plain", content=b"chart"),)),
    )
    message = await bench.event(shared_registry.host, repository, digest=chart.digest)
    artifacts = metric("pratique_scans_total", outcome="artifact")

    await bench.worker().consume(deliver(message))

    assert (await bench.scan_row(message))["state"] == "scanned"
    assert await bench.rows("SELECT digest, kind FROM image") == [{"digest": str(chart.digest), "kind": "artifact"}]
    assert metric("pratique_scans_total", outcome="artifact") == artifacts + 1
    (recorded,) = await bench.take()
    await bench.enforcer("version: 1\npolicies: [{name: any, rules: {fail_on: low}}]", None).consume(deliver(recorded))
    assert await bench.decisions() == []
    assert await bench.take() == []


async def test_a_known_layer_under_another_diff_id_is_read_again_and_refused(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layer = make_layer(python_files(SEARCHOR))
    honest = make_image(tmp_path / "honest", [layer])
    lie = {"rootfs": {"type": "layers", "diff_ids": [str(Digest.of(b"something else"))]}}
    liar = make_image(tmp_path / "liar", [layer], config=lie)
    worker = bench.worker()
    await worker.consume(deliver(await bench.push(shared_registry, honest, repository, "honest")))
    known = await bench.rows("SELECT digest, content FROM layer_result")
    client = bench.registries.client(shared_registry.host)
    raw = (liar.folder / "blobs/sha256" / liar.digest.removeprefix("sha256:")).read_bytes()
    config = json.loads(raw)["config"]["digest"]
    await client.push_blob(repository, (liar.folder / "blobs/sha256" / config.removeprefix("sha256:")).read_bytes())
    await client.push_document(repository, raw, media_types.OCI_MANIFEST, tag="liar")
    message = await bench.event(shared_registry.host, repository, tag="liar", digest=Digest.parse(liar.digest))

    await worker.consume(deliver(message))

    assert mentions(await coverage_of(bench, liar.digest), "expected")
    assert await packages_of(bench, liar.digest) == []
    assert await bench.rows("SELECT digest, content FROM layer_result") == known


async def test_garbage_in_a_layer_is_a_gap_and_no_retry(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_image(tmp_path, [gzip.compress(b"this is no tar" * 100, mtime=0)])
    message = await bench.push(shared_registry, layout, repository, "1.0")

    await bench.worker().consume(deliver(message))

    assert (await bench.scan_row(message))["attempt"] == 1
    assert mentions(await coverage_of(bench, layout.digest), layout.layers[0])


@pytest.mark.parametrize("state", ["none", "missing", "broken"])
async def test_without_an_advisory_database_the_inventory_is_recorded_with_a_gap(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path, state: str
) -> None:
    path = tmp_path / "advisories.db"
    if state == "broken":
        path.write_bytes(b"SQLite format 3\0" + b"garbage" * 1000)
    layout = make_app(tmp_path / "app")
    message = await bench.push(shared_registry, layout, repository, "1.0")

    await bench.worker(None if state == "none" else path).consume(deliver(message))

    scan = await bench.scan_row(message)
    assert (scan["state"], scan["feed_snapshot"]) == ("scanned", None)
    matching = await bench.row("SELECT status, items FROM coverage WHERE section = 'matching'")
    assert (matching["status"], json.loads(matching["items"])[0]["name"]) == ("failed", "advisories")
    assert await packages_of(bench, layout.digest) == ["searchor", "zlib1g"]
    (recorded,) = await bench.take()
    assert await decided(bench, recorded) == "incomplete"


async def test_a_scan_is_matched_with_the_database_that_the_fleet_is_at(
    bench: Bench, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    def compiled(name: str, advisory: str) -> Path:
        affected = make_affected("PyPI", "searchor", {"introduced": "0"}, {"fixed": "2.4.2"})
        mirror = write_mirror(tmp_path / name, PyPI=[make_record(advisory, affected)])
        compile_database(mirror, tmp_path / f"{name}.db")
        return tmp_path / f"{name}.db"

    path = tmp_path / "advisories.db"
    shutil.copy(compiled("old", "PYSEC-1"), path)
    layout = make_image(tmp_path / "app", [make_layer(python_files(SEARCHOR))])
    worker = bench.worker(path)
    await worker.consume(deliver(await bench.push(shared_registry, layout, repository, "1.0")))
    assert await matches_of(bench) == {("searchor", "PYSEC-1")}
    shared_registry.clear()

    compiled("new", "PYSEC-2").replace(path)
    fleet = Fleet(database=bench.database, decider=Decider(document=PolicyDocument(policies=())), wake=lambda: None)
    await fleet.adopt(path)
    message = await bench.event(shared_registry.host, repository, tag="1.0", digest=Digest.parse(layout.digest))
    await worker.consume(deliver(message))

    assert await matches_of(bench) == {("searchor", "PYSEC-2")}
    first, second = await bench.rows("SELECT feed_snapshot FROM scan ORDER BY id")
    assert first["feed_snapshot"] != second["feed_snapshot"]
    assert not [entry for entry in shared_registry.requests() if layout.layers[0] in entry.path]


async def test_another_services_message_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidMessage, match=r"expected image\.pushed"):
        await bench.worker().consume(deliver(InventoryRecorded(scan_id="s", correlation_id="c")))


async def test_a_message_about_no_scan_is_done(bench: Bench) -> None:
    await bench.worker().consume(deliver(ImagePushed(scan_id="none", correlation_id="c")))
    assert await bench.take() == []
