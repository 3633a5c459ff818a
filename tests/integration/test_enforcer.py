"""The enforcer: `inventory.recorded` in; a decision, and a registry in the state that it asks for, out. Repeating, crashing and racing change nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from pratique.errors import InvalidMessage, SettingsError, UnavailableError
from pratique.findings import Finding, Severity
from pratique.messages import DecisionTaken, ImagePushed, InventoryRecorded, ReleaseRequested
from pratique.messaging.embedded import EmbeddedBroker
from pratique.messaging.relay import OutboxRelay
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Index, Manifest
from pratique.policy.verdict import VerdictStatus
from pratique.registry.client import Registries, RegistryClient
from pratique.registry.referrers import Artifact, ArtifactLayer
from pratique.runtime.resources import Resources
from pratique.runtime.settings import Settings
from pratique.signing.attestation import VerdictAttestation, verify_verdict
from pratique.signing.keys import SigningKeys
from pratique.storage.scans import load_scan
from pratique_services.enforcer.app import make_enforcer
from pratique_services.enforcer.consumer import Enforcer, as_case
from tests.support.databases import SqliteFactory
from tests.support.images import ImageLayout, debian_files, make_image, make_index, make_layer
from tests.support.registry_fakes import FaultyProxy, serving
from tests.support.servers import DockerRegistry
from tests.support.services import UNREAD, Bench, access_to, deliver, generate_keys, metric, open_bench, points_to, verifies
from tests.support.stored import finding

CRITICAL = (finding("CVE-2026-1", Severity.CRITICAL, fixed_in="2.0", status="fixed"),)
RULES = "rules: {fail_on: critical, unknown_severity: ignore, max_feed_age: unlimited, eol: ignore}"
ACTIONS = """
      pass: {attest: true, sign: true, promote: {tag: "{tag}-cleared"}}
      fail: {attest: true, quarantine: {repository: "quarantine/{repository}", remove: true}}
      incomplete: {attest: true}
"""
POLICY = f"""
version: 1
policies:
  - name: test
    match: {{repositories: ["team*/**", "quarantine/**"]}}
    {RULES}
    actions: {ACTIONS}
"""
ELSEWHERE = f"""
version: 1
policies:
  - name: test
    {RULES}
    actions:
      pass: {{attest: true, sign: true, promote: {{repository: "cleared/{{repository}}", tag: "{{tag}}"}}}}
      fail: {{attest: true}}
"""


@pytest.fixture(scope="module")
def keys() -> SigningKeys:
    return generate_keys()


@pytest.fixture
async def client(bench: Bench, shared_registry: DockerRegistry) -> RegistryClient:
    return bench.registries.client(shared_registry.host)


@pytest.fixture
def enforcer(bench: Bench, keys: SigningKeys) -> Enforcer:
    return bench.enforcer(POLICY, keys)


def make_app(folder: Path, **options: Any) -> ImageLayout:
    return make_image(folder, [make_layer({**debian_files({"zlib1g": "1"}), "unique": uuid4().bytes})], **options)


async def actions_of(bench: Bench, decision_id: str | None = None) -> list[tuple[str, str]]:
    """Kind and outcome of the actions of a decision (the last one), in the order planned."""
    wanted = decision_id or (await bench.decisions())[-1]["id"]
    rows = await bench.rows("SELECT kind, outcome FROM action WHERE decision_id = :id ORDER BY id", id=wanted)
    return [(row["kind"], row["outcome"]) for row in rows]


async def detail_of(bench: Bench, kind: str) -> str:
    return str((await bench.rows("SELECT detail FROM action WHERE kind = :kind ORDER BY id DESC", kind=kind))[0]["detail"])


async def verdicts_on(client: RegistryClient, repository: str, digest: str, keys: SigningKeys) -> list[VerdictAttestation]:
    """The verdicts that hang on an image, read and verified one by one."""
    found = []
    for entry in await client.list_referrers(repository, Digest.parse(digest), artifact_type=media_types.SIGSTORE_BUNDLE):
        document = await client.fetch_document(repository, entry.digest)
        assert isinstance(document, Manifest)
        if "verdict" in document.annotations["dev.sigstore.bundle.predicateType"]:
            content = await client.fetch_blob(repository, document.layers[0], limit=1 << 20)
            found.append(verify_verdict(content, keys.attestation.key.verifying_key, Digest.parse(digest)))
    return found


def changes(registry: DockerRegistry) -> list[tuple[str, str]]:
    """What was asked of a registry that changes something."""
    return [(entry.method, entry.path) for entry in registry.requests() if entry.method in {"PUT", "POST", "PATCH", "DELETE"}]


async def judge(
    bench: Bench, enforcer: Enforcer, message: ImagePushed, findings: tuple[Finding, ...] = (), **more: Any
) -> InventoryRecorded:
    """Record the scan of a push with these findings and let the enforcer have it."""
    recorded = await bench.record_scanned(message, findings, **more)
    await enforcer.consume(deliver(recorded))
    return recorded


async def again(bench: Bench, registry: DockerRegistry, repository: str, digest: str, tag: str | None = "1.0") -> ImagePushed:
    """The event of one more push of a digest."""
    return await bench.event(registry.host, repository, tag=tag, digest=Digest.parse(digest))


@pytest.fixture
async def own_registry(
    docker_registry: Callable[..., DockerRegistry], ledgers: SqliteFactory
) -> AsyncIterator[tuple[DockerRegistry, Bench]]:
    """A registry that deletes nothing, with its bench."""
    registry = docker_registry(allow_delete=False)
    url = await ledgers.create()
    async with open_bench(url, {registry.host: access_to(registry.host)}) as bench:
        yield registry, bench
    await ledgers.drop(url)
    registry.stop()


async def test_what_passes_is_attested_signed_promoted_and_announced(
    bench: Bench,
    enforcer: Enforcer,
    client: RegistryClient,
    shared_registry: DockerRegistry,
    repository: str,
    tmp_path: Path,
    keys: SigningKeys,
    cosign25: Path,
    cosign31: Path,
) -> None:
    layout = make_app(tmp_path / "app")
    passed, promoted = metric("pratique_decisions_total", verdict="pass"), metric("pratique_actions_total", kind="promote", outcome="done")

    message = await bench.push(shared_registry, layout, repository, "1.0")
    await judge(bench, enforcer, message)

    (decision,) = await bench.decisions()
    assert (decision["status"], decision["image_digest"]) == ("pass", layout.digest)
    assert await actions_of(bench) == [("attest", "done"), ("sign", "done"), ("promote", "done")]
    assert await points_to(client, repository, "1.0-cleared") == layout.digest
    public = tmp_path / "signing.pub"
    public.write_bytes(keys.admission.key.public_pem())
    for program in (cosign25, cosign31):
        assert verifies(program, public, f"{shared_registry.host}/{repository}:1.0-cleared")
    (verdict,) = await verdicts_on(client, repository, layout.digest, keys)
    assert verdict.verdict.status is VerdictStatus.PASS
    assert verdict.feed_digest == decision["feed_snapshot"] != ""
    assert verdict.inventory_digest != ""
    assert await bench.take() == [DecisionTaken(decision_id=decision["id"], correlation_id=message.correlation_id)]
    audited = await bench.rows("SELECT verb, correlation_id FROM audit ORDER BY id")
    assert [row["verb"] for row in audited] == ["decided", "attest", "sign", "promote"]
    assert {row["correlation_id"] for row in audited} == {message.correlation_id}
    assert metric("pratique_decisions_total", verdict="pass") == passed + 1
    assert metric("pratique_actions_total", kind="promote", outcome="done") == promoted + 1


@pytest.mark.parametrize("findings", [(), CRITICAL], ids=["pass", "fail"])
async def test_a_message_that_comes_twice_performs_nothing_twice(
    bench: Bench, enforcer: Enforcer, shared_registry: DockerRegistry, repository: str, tmp_path: Path, findings: tuple[Finding, ...]
) -> None:
    recorded = await judge(bench, enforcer, await bench.push(shared_registry, make_app(tmp_path), repository, "1.0"), findings)
    before = await bench.rows("SELECT * FROM action")
    await bench.take()
    shared_registry.clear()

    await enforcer.consume(deliver(recorded, attempt=2))

    assert changes(shared_registry) == []
    assert await bench.rows("SELECT * FROM action") == before
    assert len(await bench.decisions()) == 1
    assert await bench.take() == []


async def test_one_message_delivered_thrice_at_once_is_performed_once(
    bench: Bench,
    enforcer: Enforcer,
    client: RegistryClient,
    shared_registry: DockerRegistry,
    repository: str,
    tmp_path: Path,
    keys: SigningKeys,
) -> None:
    layout = make_app(tmp_path)
    recorded = await bench.record_scanned(await bench.push(shared_registry, layout, repository, "1.0"))

    await asyncio.gather(*(enforcer.consume(deliver(recorded)) for _ in range(3)))

    assert len(await verdicts_on(client, repository, layout.digest, keys)) == 1
    assert [row["verb"] for row in await bench.rows("SELECT verb FROM audit ORDER BY id")] == ["decided", "attest", "sign", "promote"]
    assert [type(message) for message in await bench.take()] == [DecisionTaken]


async def test_actions_that_were_done_but_not_recorded_change_nothing_when_they_are_repeated(
    bench: Bench, enforcer: Enforcer, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    for findings in ((), CRITICAL):
        layout = make_app(tmp_path / str(len(findings)))
        recorded = await judge(bench, enforcer, await bench.push(shared_registry, layout, repository, f"1.{len(findings)}"), findings)
        await bench.change("UPDATE action SET outcome = 'planned'")
        shared_registry.clear()

        await enforcer.consume(deliver(recorded))

        assert [change for change in changes(shared_registry) if change[0] != "DELETE"] == []
        assert {outcome for _, outcome in await actions_of(bench)} <= {"done", "skipped"}


async def test_after_a_crash_it_goes_on_where_it_was(
    bench: Bench, keys: SigningKeys, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path)
    proxy = FaultyProxy(shared_registry.host)

    async def away(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    async with serving(proxy.handle) as host, Registries({host: access_to(host, max_attempts=1)}) as registries:
        bench.registries = registries
        recorded = await bench.record_scanned(await bench.push(shared_registry, layout, repository, "1.0", host=host))
        proxy.where = "/manifests/1.0-cleared"
        proxy.faults.append(away)

        with pytest.raises(UnavailableError):
            await bench.enforcer(POLICY, keys).consume(deliver(recorded))
        assert await actions_of(bench) == [("attest", "done"), ("sign", "done"), ("promote", "failed")]
        assert await bench.take() == []  # nobody hears of it before it is done
        shared_registry.clear()

        await bench.enforcer(POLICY, keys).consume(deliver(recorded, attempt=2))  # another process

        assert await actions_of(bench) == [("attest", "done"), ("sign", "done"), ("promote", "done")]
        assert {path.rpartition("/")[2] for method, path in changes(shared_registry) if method == "PUT"} == {layout.digest, "1.0-cleared"}
        assert await points_to(registries.client(host), repository, "1.0-cleared") == layout.digest
    assert [type(message) for message in await bench.take()] == [DecisionTaken]
    assert len(await bench.decisions()) == 1
    assert [row["attempts"] for row in await bench.rows("SELECT attempts FROM action ORDER BY id")] == [1, 1, 2]


async def test_a_registry_that_dies_meanwhile_is_waited_for(
    bench: Bench, keys: SigningKeys, docker_registry: Callable[..., DockerRegistry], repository: str, tmp_path: Path
) -> None:
    registry = docker_registry()
    async with Registries({registry.host: access_to(registry.host)}) as registries:
        bench.registries = registries
        enforcer = bench.enforcer(POLICY, keys)
        layout = make_app(tmp_path)
        recorded = await bench.record_scanned(await bench.push(registry, layout, repository, "1.0"), CRITICAL)
        registry.kill()
        for attempt in (1, 2):
            with pytest.raises(UnavailableError):
                await enforcer.consume(deliver(recorded, attempt=attempt))
        registry.start()
        await enforcer.consume(deliver(recorded, attempt=3))
        assert await points_to(registries.client(registry.host), repository, "1.0") is None
    assert [outcome for _, outcome in await actions_of(bench)] == ["done"] * 4
    assert len(await bench.decisions()) == 1


async def test_a_tag_that_moved_on_is_not_promoted(
    bench: Bench, enforcer: Enforcer, client: RegistryClient, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    recorded = await bench.record_scanned(await bench.push(shared_registry, make_app(tmp_path / "old"), repository, "1.0"))
    await bench.upload(shared_registry, make_app(tmp_path / "new"), repository, "1.0")

    await enforcer.consume(deliver(recorded))

    assert await actions_of(bench) == [("attest", "done"), ("sign", "done"), ("promote", "skipped")]
    assert "points to another image by now" in await detail_of(bench, "promote")
    assert await points_to(client, repository, "1.0-cleared") is None


async def test_an_image_that_is_gone_is_decided_and_nothing_is_left_in_its_repository(
    bench: Bench, enforcer: Enforcer, client: RegistryClient, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path)
    recorded = await bench.record_scanned(await bench.push(shared_registry, layout, repository, "1.0"))
    await client.delete_document(repository, Digest.parse(layout.digest))
    shared_registry.clear()

    await enforcer.consume(deliver(recorded))

    assert {outcome for _, outcome in await actions_of(bench)} == {"skipped"}
    assert changes(shared_registry) == []
    assert [type(message) for message in await bench.take()] == [DecisionTaken]


async def test_without_its_signature_an_image_is_not_promoted(
    bench: Bench, keys: SigningKeys, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path)
    proxy = FaultyProxy(shared_registry.host)

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"errors": [{"code": "DENIED", "message": "not for you"}]}, status=403)

    async with serving(proxy.handle) as host, Registries({host: access_to(host)}) as registries:
        bench.registries = registries
        recorded = await bench.record_scanned(await bench.push(shared_registry, layout, repository, "1.0", host=host))
        proxy.where = ".sig"
        proxy.faults.extend([proxy.forward, refuse])  # reading it is allowed, writing is not

        await bench.enforcer(POLICY, keys).consume(deliver(recorded))

        assert await actions_of(bench) == [("attest", "done"), ("sign", "refused"), ("promote", "skipped")]
        assert "not for you" in await detail_of(bench, "sign")
        assert await detail_of(bench, "promote") == "because sign was refused"
        assert await points_to(registries.client(host), repository, "1.0-cleared") is None
    assert [type(message) for message in await bench.take()] == [DecisionTaken]


async def test_what_fails_goes_to_quarantine_with_all_that_hangs_on_it(
    bench: Bench,
    enforcer: Enforcer,
    client: RegistryClient,
    shared_registry: DockerRegistry,
    repository: str,
    tmp_path: Path,
    keys: SigningKeys,
) -> None:
    layout = make_app(tmp_path)
    message = await bench.push(shared_registry, layout, repository, "1.0")
    sbom = Artifact(artifact_type="application/spdx+json", layers=(ArtifactLayer(media_type="application/spdx+json", content=b"{}"),))
    await client.push_referrer(repository, await client.resolve_digest(repository, "1.0"), sbom)

    await judge(bench, enforcer, message, CRITICAL)

    assert await actions_of(bench) == [("withdraw", "done"), ("attest", "done"), ("quarantine", "done"), ("remove", "done")]
    assert not await client.has_document(repository, layout.digest)
    kept = f"quarantine/{repository}"
    assert await points_to(client, kept, layout.digest.removeprefix("sha256:")[:12]) == layout.digest
    types = [entry.artifact_type for entry in await client.list_referrers(kept, Digest.parse(layout.digest))]
    assert sorted(filter(None, types)) == ["application/spdx+json", media_types.SIGSTORE_BUNDLE]
    (verdict,) = await verdicts_on(client, kept, layout.digest, keys)
    assert verdict.verdict.status is VerdictStatus.FAIL


@pytest.mark.parametrize("outcome", ["fail", "incomplete", "unmatched"])
async def test_what_passed_once_loses_its_signature_when_it_does_not_pass_any_more(
    bench: Bench,
    enforcer: Enforcer,
    client: RegistryClient,
    shared_registry: DockerRegistry,
    repository: str,
    tmp_path: Path,
    keys: SigningKeys,
    cosign25: Path,
    cosign31: Path,
    outcome: str,
) -> None:
    layout = make_app(tmp_path / "app")
    await judge(bench, enforcer, await bench.push(shared_registry, layout, repository, "1.0"))
    public = tmp_path / "signing.pub"
    public.write_bytes(keys.admission.key.public_pem())
    place = f"{shared_registry.host}/{repository}@{layout.digest}"
    assert all(verifies(program, public, place) for program in (cosign25, cosign31))

    findings, coverage = (CRITICAL, None) if outcome == "fail" else ((), UNREAD)
    if outcome == "unmatched":
        enforcer = bench.enforcer(POLICY.replace("team*/**", "others/**"), keys)
    await judge(bench, enforcer, await again(bench, shared_registry, repository, layout.digest), findings, coverage=coverage)

    assert await detail_of(bench, "withdraw") == "signature withdrawn"
    if outcome == "fail":
        place = f"{shared_registry.host}/quarantine/{repository}@{layout.digest}"
    assert await client.has_document(place.partition("/")[2].partition("@")[0], layout.digest)
    assert not any(verifies(program, public, place) for program in (cosign25, cosign31))


async def test_where_nothing_can_be_deleted_the_image_is_marked_and_its_signature_taken_off(
    own_registry: tuple[DockerRegistry, Bench], repository: str, tmp_path: Path, keys: SigningKeys, cosign25: Path, cosign31: Path
) -> None:
    registry, bench = own_registry
    enforcer, client = bench.enforcer(POLICY, keys), bench.registries.client(registry.host)
    layout = make_app(tmp_path / "app")
    await judge(bench, enforcer, await bench.push(registry, layout, repository, "1.0"))

    await judge(bench, enforcer, await again(bench, registry, repository, layout.digest), CRITICAL)

    assert await actions_of(bench) == [("withdraw", "done"), ("attest", "done"), ("quarantine", "done"), ("remove", "done")]
    mark = f"quarantined-{layout.digest.removeprefix('sha256:')[:12]}"
    assert await points_to(client, repository, mark) == layout.digest
    public = tmp_path / "signing.pub"
    public.write_bytes(keys.admission.key.public_pem())
    assert not any(verifies(program, public, f"{registry.host}/{repository}:1.0") for program in (cosign25, cosign31))

    # A sender that does not say who pushed reports our own tag to us: that must end.
    registry.clear()
    await judge(bench, enforcer, await again(bench, registry, repository, layout.digest, mark), CRITICAL)

    assert not [path for method, path in changes(registry) if method == "PUT" and mark in path]
    row = (await bench.rows("SELECT parameters FROM action WHERE kind = 'quarantine' ORDER BY id DESC"))[0]
    assert json.loads(row["parameters"])["tags"] == ["1.0"]


async def test_what_is_incomplete_is_attested_and_stays(
    bench: Bench,
    enforcer: Enforcer,
    client: RegistryClient,
    shared_registry: DockerRegistry,
    repository: str,
    tmp_path: Path,
    keys: SigningKeys,
) -> None:
    layout = make_app(tmp_path)
    await judge(bench, enforcer, await bench.push(shared_registry, layout, repository, "1.0"), coverage=UNREAD)

    assert (await bench.decisions())[0]["status"] == "incomplete"
    assert await actions_of(bench) == [("withdraw", "done"), ("attest", "done")]
    assert await points_to(client, repository, "1.0") == layout.digest
    assert await points_to(client, repository, "1.0-cleared") is None
    (verdict,) = await verdicts_on(client, repository, layout.digest, keys)
    assert verdict.verdict.status is VerdictStatus.INCOMPLETE


async def test_without_a_policy_for_it_an_image_is_incomplete_and_nothing_is_attested(
    bench: Bench, keys: SigningKeys, client: RegistryClient, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    enforcer = bench.enforcer(POLICY.replace("team*/**", "others/**"), keys)
    layout = make_app(tmp_path)
    await judge(bench, enforcer, await bench.push(shared_registry, layout, repository, "1.0"))

    (decision,) = await bench.decisions()
    assert decision["status"] == "incomplete"
    assert "no policy matches" in json.loads(decision["reasons"])[0]["message"]
    assert await client.list_referrers(repository, Digest.parse(layout.digest)) == ()


async def test_a_release_puts_the_image_back_under_its_tags(
    bench: Bench, enforcer: Enforcer, client: RegistryClient, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path / "app")
    await bench.upload(shared_registry, layout, repository, "1")
    await judge(bench, enforcer, await bench.push(shared_registry, layout, repository, "1.0"))  # passes: 1.0-cleared
    for tag in ("1", "1.0-cleared"):  # as senders report them who do not say who pushed
        await judge(bench, enforcer, await again(bench, shared_registry, repository, layout.digest, tag))
    await judge(bench, enforcer, await again(bench, shared_registry, repository, layout.digest), CRITICAL)
    assert not await client.has_document(repository, layout.digest)
    other = make_app(tmp_path / "other")
    await bench.upload(shared_registry, other, repository, "1")
    await bench.take()
    decision = (await bench.decisions())[-1]["id"]
    wish = ReleaseRequested(decision_id=decision, correlation_id="c", requested_by="alice")

    await enforcer.consume(deliver(wish))

    assert await points_to(client, repository, "1.0") == layout.digest
    assert await points_to(client, repository, "1") == other.digest  # was taken by another image since
    assert await points_to(client, repository, "1.0-cleared") is None  # a release is no pass
    assert (await actions_of(bench))[-1] == ("release", "done")
    assert (await bench.rows("SELECT actor FROM audit WHERE verb = 'release'")) == [{"actor": "alice"}]
    assert await bench.take() == []

    shared_registry.clear()
    await enforcer.consume(deliver(wish, attempt=2))
    assert changes(shared_registry) == []


async def test_a_release_of_what_is_not_in_quarantine_does_nothing(
    bench: Bench, enforcer: Enforcer, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    await judge(bench, enforcer, await bench.push(shared_registry, make_app(tmp_path), repository, "1.0"))
    decision = (await bench.decisions())[-1]["id"]
    await bench.take()
    for wanted in (decision, "unknown"):
        await enforcer.consume(deliver(ReleaseRequested(decision_id=wanted, correlation_id="c", requested_by="alice")))
    assert "release" not in dict(await actions_of(bench))


async def test_our_own_promoted_tag_does_not_start_a_loop(
    bench: Bench, enforcer: Enforcer, client: RegistryClient, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path)
    await judge(bench, enforcer, await bench.push(shared_registry, layout, repository, "1.0"))
    for _ in range(2):
        shared_registry.clear()
        await judge(bench, enforcer, await again(bench, shared_registry, repository, layout.digest, "1.0-cleared"))
        assert not [path for method, path in changes(shared_registry) if method == "PUT" and "cleared" in path]
    tags = await client.list_tags(repository)
    assert sorted(tag for tag in tags if not tag.startswith("sha256-")) == ["1.0", "1.0-cleared"]


async def test_a_quarantined_copy_does_not_start_a_loop(
    bench: Bench, enforcer: Enforcer, client: RegistryClient, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path)
    await judge(bench, enforcer, await bench.push(shared_registry, layout, repository, "1.0"), CRITICAL)
    kept = f"quarantine/{repository}"
    (tag,) = [tag for tag in await client.list_tags(kept) if not tag.startswith("sha256-")]

    await judge(bench, enforcer, await again(bench, shared_registry, kept, layout.digest, tag), CRITICAL)

    assert await actions_of(bench) == [("withdraw", "done"), ("attest", "done")]
    assert await points_to(client, kept, tag) == layout.digest


async def push_index(bench: Bench, registry: DockerRegistry, repository: str, folder: Path) -> tuple[ImageLayout, list[str], ImagePushed]:
    images = [make_app(folder, tag="amd64"), make_app(folder, tag="arm64", config={"architecture": "arm64"})]
    index = make_index(folder, images, tag="index")
    return index, [image.digest for image in images], await bench.push(registry, index, repository, "1.0")


async def record_index(bench: Bench, message: ImagePushed, client: RegistryClient, findings: tuple[Finding, ...] = ()) -> InventoryRecorded:
    document = await client.fetch_document((await bench.row("SELECT name FROM repository"))["name"], "1.0")
    assert isinstance(document, Index)
    return await bench.record_scanned(message, findings, index=document)


@pytest.mark.parametrize("findings", [(), CRITICAL], ids=["promoted", "quarantined"])
async def test_an_index_is_moved_with_its_platforms(
    bench: Bench,
    keys: SigningKeys,
    client: RegistryClient,
    shared_registry: DockerRegistry,
    repository: str,
    tmp_path: Path,
    findings: tuple[Finding, ...],
) -> None:
    enforcer = bench.enforcer(
        ELSEWHERE.replace("fail: {attest: true}", 'fail: {quarantine: {repository: "quarantine/{repository}", remove: true}}'), keys
    )
    index, children, message = await push_index(bench, shared_registry, repository, tmp_path)

    await enforcer.consume(deliver(await record_index(bench, message, client, findings)))

    assert (await bench.decisions())[0]["status"] == ("fail" if findings else "pass")
    target, tag = (f"quarantine/{repository}", index.digest.removeprefix("sha256:")[:12]) if findings else (f"cleared/{repository}", "1.0")
    assert await points_to(client, target, tag) == index.digest
    for child in children:
        assert await client.has_document(target, child)
    assert await client.has_document(repository, index.digest) is not bool(findings)


async def test_one_verdict_is_current_after_many_decisions(
    bench: Bench,
    enforcer: Enforcer,
    client: RegistryClient,
    shared_registry: DockerRegistry,
    repository: str,
    tmp_path: Path,
    keys: SigningKeys,
) -> None:
    layout = make_app(tmp_path)
    await judge(bench, enforcer, await bench.push(shared_registry, layout, repository, "1.0"))
    before = {entry.digest for entry in await client.list_referrers(repository, Digest.parse(layout.digest))}
    await judge(bench, enforcer, await again(bench, shared_registry, repository, layout.digest))
    await judge(bench, enforcer, await again(bench, shared_registry, repository, layout.digest), coverage=UNREAD)

    (verdict,) = await verdicts_on(client, repository, layout.digest, keys)
    assert verdict.verdict.status is VerdictStatus.INCOMPLETE
    legacy = await client.fetch_document(repository, f"{layout.digest.replace(':', '-')}.att")
    assert isinstance(legacy, Manifest)
    assert len(legacy.layers) == 1
    for digest in before:
        assert not await client.has_document(repository, digest)


async def test_a_decision_that_was_held_up_does_not_undo_a_later_one(
    bench: Bench,
    enforcer: Enforcer,
    client: RegistryClient,
    shared_registry: DockerRegistry,
    repository: str,
    tmp_path: Path,
    keys: SigningKeys,
) -> None:
    layout = make_app(tmp_path)
    recorded = await bench.record_scanned(await bench.push(shared_registry, layout, repository, "1.0"))
    scan = await bench.row("SELECT id FROM scan")
    async with bench.database.transaction() as session:  # decided, and then the process ended
        row = await load_scan(session, scan["id"])
        assert row is not None
        await enforcer.decider.adopt(session, await enforcer.decider.judge(session, [as_case(row, layout.digest, None)]))
    await judge(bench, enforcer, await again(bench, shared_registry, repository, layout.digest), coverage=UNREAD)

    await enforcer.consume(deliver(recorded))

    first, second = await bench.decisions()
    assert (first["status"], second["status"]) == ("pass", "incomplete")
    assert await actions_of(bench, first["id"]) == [("attest", "skipped"), ("sign", "skipped"), ("promote", "skipped")]
    (verdict,) = await verdicts_on(client, repository, layout.digest, keys)
    assert verdict.verdict.status is VerdictStatus.INCOMPLETE
    assert await points_to(client, repository, "1.0-cleared") is None
    assert not await client.has_document(repository, f"{layout.digest.replace(':', '-')}.sig")
    assert len(await bench.take(DecisionTaken)) == 2


async def test_the_copy_that_was_promoted_elsewhere_loses_its_signature_too(
    bench: Bench,
    keys: SigningKeys,
    client: RegistryClient,
    shared_registry: DockerRegistry,
    repository: str,
    tmp_path: Path,
    cosign25: Path,
    cosign31: Path,
) -> None:
    enforcer = bench.enforcer(ELSEWHERE, keys)
    layout = make_app(tmp_path / "app")
    public = tmp_path / "signing.pub"
    public.write_bytes(keys.admission.key.public_pem())
    copy = f"{shared_registry.host}/cleared/{repository}@{layout.digest}"

    for findings, status in (((), VerdictStatus.PASS), (CRITICAL, VerdictStatus.FAIL), ((), VerdictStatus.PASS)):
        if status is VerdictStatus.PASS and (await bench.decisions()) == []:
            message = await bench.push(shared_registry, layout, repository, "1.0")
        else:
            message = await again(bench, shared_registry, repository, layout.digest)
        await judge(bench, enforcer, message, findings)

        assert {outcome for _, outcome in await actions_of(bench)} == {"done"}
        for program in (cosign25, cosign31):
            assert verifies(program, public, copy) is (status is VerdictStatus.PASS)
        (verdict,) = await verdicts_on(client, f"cleared/{repository}", layout.digest, keys)
        assert verdict.verdict.status is status


@pytest.mark.parametrize("where", ["sig", "fallback", "referrer"])
async def test_what_others_push_beside_an_image_does_not_keep_its_signature_or_itself_in_place(
    bench: Bench,
    enforcer: Enforcer,
    client: RegistryClient,
    shared_registry: DockerRegistry,
    repository: str,
    tmp_path: Path,
    keys: SigningKeys,
    cosign25: Path,
    where: str,
) -> None:
    layout = make_app(tmp_path / "app")
    digest = Digest.parse(layout.digest)
    public = tmp_path / "signing.pub"
    public.write_bytes(keys.admission.key.public_pem())
    await judge(bench, enforcer, await bench.push(shared_registry, layout, repository, "1.0"))
    image = await client.fetch_document(repository, digest)
    twice = image.raw.replace(b"{", b'{"schemaVersion":2,', 1)  # a member given twice, which we refuse and others read
    if where == "sig":
        await client.push_document(repository, twice, media_types.OCI_MANIFEST, tag=f"{digest.tag_prefix}.sig")
    elif where == "fallback":
        await client.push_document(repository, image.raw, image.descriptor.media_type, tag=digest.tag_prefix)
    else:
        hung = await client.push_document(repository, twice, media_types.OCI_MANIFEST)
        index = json.loads((await client.fetch_document(repository, digest.tag_prefix)).raw)
        index["manifests"].append({"mediaType": media_types.OCI_MANIFEST, "digest": str(hung.digest), "size": hung.size})
        await client.push_document(repository, json.dumps(index).encode(), media_types.OCI_INDEX, tag=digest.tag_prefix)

    await judge(bench, enforcer, await again(bench, shared_registry, repository, layout.digest), CRITICAL)

    assert {outcome for _, outcome in await actions_of(bench)} == {"done"}
    assert await points_to(client, f"quarantine/{repository}", digest.hex[:12]) == layout.digest
    assert not await client.has_document(repository, digest)
    assert not verifies(cosign25, public, f"{shared_registry.host}/quarantine/{repository}@{digest}")


async def test_a_copy_that_another_policy_promoted_loses_its_signature(
    bench: Bench, keys: SigningKeys, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path)
    await judge(bench, bench.enforcer(ELSEWHERE, keys), await bench.push(shared_registry, layout, repository, "1.0"))

    await judge(bench, bench.enforcer(POLICY, keys), await again(bench, shared_registry, repository, layout.digest), CRITICAL)

    withdrawn = await bench.rows("SELECT parameters, detail FROM action WHERE kind = 'withdraw' ORDER BY id")
    assert [row["detail"] for row in withdrawn] == ["signature withdrawn"] * 2
    assert f"cleared/{repository}" in str(withdrawn[1]["parameters"])


async def test_an_action_that_takes_too_long_is_given_up_and_tried_again(
    bench: Bench, keys: SigningKeys, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    enforcer = replace(bench.enforcer(POLICY, keys), max_action_s=0.0)
    recorded = await bench.record_scanned(await bench.push(shared_registry, make_app(tmp_path), repository, "1.0"))
    with pytest.raises(UnavailableError, match="took longer than 0 s"):
        await enforcer.consume(deliver(recorded))
    assert (await actions_of(bench))[0] == ("attest", "failed")
    await bench.enforcer(POLICY, keys).consume(deliver(recorded, attempt=2))
    assert {outcome for _, outcome in await actions_of(bench)} == {"done"}


async def test_a_name_too_long_for_quarantine_is_decided_and_nothing_is_removed(
    bench: Bench, keys: SigningKeys, client: RegistryClient, shared_registry: DockerRegistry, tmp_path: Path
) -> None:
    enforcer = bench.enforcer(POLICY.replace("quarantine/{", f"{'q' * 60}/{{"), keys)
    repository = f"team-{uuid4().hex[:8]}/{'a' * 200}"
    layout = make_app(tmp_path)
    await judge(bench, enforcer, await bench.push(shared_registry, layout, repository, "1.0"), CRITICAL)

    assert (await bench.decisions())[0]["status"] == "fail"
    assert await actions_of(bench) == [("withdraw", "done"), ("attest", "done"), ("quarantine", "skipped"), ("remove", "skipped")]
    assert await points_to(client, repository, "1.0") == layout.digest


async def test_what_could_not_be_copied_is_not_removed(
    bench: Bench, keys: SigningKeys, shared_registry: DockerRegistry, repository: str, tmp_path: Path
) -> None:
    layout = make_app(tmp_path)
    proxy = FaultyProxy(shared_registry.host)

    async def missing(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=404)

    async with serving(proxy.handle) as host, Registries({host: access_to(host)}) as registries:
        bench.registries = registries
        recorded = await bench.record_scanned(await bench.push(shared_registry, layout, repository, "1.0", host=host), CRITICAL)
        proxy.where = f"/v2/quarantine/{repository}/blobs/uploads/"
        proxy.faults.extend([missing] * 12)
        await bench.enforcer(POLICY, keys).consume(deliver(recorded))

        assert (await actions_of(bench))[2:] == [("quarantine", "refused"), ("remove", "skipped")]
        assert await points_to(registries.client(host), repository, "1.0") == layout.digest


@pytest.mark.parametrize("findings", [(), CRITICAL], ids=["pass", "fail"])
async def test_a_push_by_digest_alone_is_judged_without_a_tag(
    bench: Bench,
    enforcer: Enforcer,
    client: RegistryClient,
    shared_registry: DockerRegistry,
    repository: str,
    tmp_path: Path,
    findings: Any,
) -> None:
    layout = make_app(tmp_path)
    await bench.upload(shared_registry, layout, repository, "unknown-to-us")
    await judge(bench, enforcer, await again(bench, shared_registry, repository, layout.digest, None), findings)

    assert {outcome for _, outcome in await actions_of(bench)} == {"done"}
    assert "promote" not in dict(await actions_of(bench))
    assert await client.has_document(repository, layout.digest) is not bool(findings)


async def test_without_keys_a_policy_that_signs_does_not_start(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    broker = EmbeddedBroker(f"sqlite+aiosqlite:///{tmp_path / 'queue.db'}")
    resources = Resources(
        settings=Settings(policy=path),
        database=bench.database,
        broker=broker,
        registries=bench.registries,
        relay=OutboxRelay(bench.database, broker),
    )
    with pytest.raises(SettingsError, match="the policy signs or attests"):
        make_enforcer(resources)
    path.write_text("version: 1\npolicies: [{name: any, rules: {fail_on: low}}]")
    assert make_enforcer(resources).performer.keys is None


async def test_another_services_message_is_refused(enforcer: Enforcer) -> None:
    with pytest.raises(InvalidMessage, match=r"expected inventory\.recorded"):
        await enforcer.consume(deliver(DecisionTaken(decision_id="d", correlation_id="c")))
    await enforcer.consume(deliver(InventoryRecorded(scan_id="none", correlation_id="c")))
