"""Notifications: what is told, to whom, in which order, and again when it was refused."""

from __future__ import annotations

import json

from pratique.oci import media_types
from tests.contract.registry_api.conftest import Registry


async def test_the_push_of_a_tag_is_told_with_digest_and_references(registry: Registry) -> None:
    digest, content = await registry.push_image("v1")
    [event] = await registry.receiver.wait_for(1)
    target = event["target"]
    assert event["action"] == "push"
    assert (target["repository"], target["tag"], target["digest"]) == (registry.repository, "v1", digest)
    assert (target["mediaType"], target["size"], target["length"]) == (media_types.OCI_MANIFEST, len(content), len(content))
    assert target["url"] == f"http://{registry.host}/v2/{registry.repository}/manifests/{digest}"
    parts = json.loads(content)
    assert [reference["digest"] for reference in target["references"]] == [parts["config"]["digest"], parts["layers"][0]["digest"]]


async def test_an_event_names_its_request_and_has_an_id(registry: Registry) -> None:
    await registry.push_image("v1")
    await registry.push_image("v2")
    first, second = await registry.receiver.wait_for(2)
    assert first["id"] != second["id"]
    assert first["timestamp"].endswith("Z")
    assert (first["request"]["host"], first["request"]["method"]) == (registry.host, "PUT")
    assert "aiohttp" in first["request"]["useragent"]


async def test_the_receiver_gets_the_content_type_and_the_configured_headers(registry: Registry) -> None:
    await registry.push_image("v1")
    await registry.receiver.wait_for(1)
    headers, _envelope = registry.receiver.requests[0]
    assert headers["Content-Type"] == "application/vnd.docker.distribution.events.v1+json"
    assert headers["Authorization"] == "Bearer receiver-secret"


async def test_a_push_by_digest_is_told_without_a_tag(registry: Registry) -> None:
    digest, _content = await registry.push_image()
    [event] = await registry.receiver.wait_for(1)
    assert event["target"]["digest"] == digest
    assert "tag" not in event["target"]


async def test_moving_a_tag_and_pushing_the_same_again_are_told(registry: Registry) -> None:
    _digest, content = await registry.push_image("v1")
    await registry.put_manifest("v1", content)
    await registry.put_manifest("v2", content)
    events = await registry.receiver.wait_for(3)
    assert [event["target"]["tag"] for event in events] == ["v1", "v1", "v2"]


async def test_blobs_and_reads_are_not_told(registry: Registry) -> None:
    await registry.push_image("v1")
    await registry.ask("GET", f"{registry.repository}/manifests/v1")
    await registry.push_image("v2")
    events = await registry.receiver.wait_for(2)
    assert [(event["action"], event["target"]["tag"]) for event in events] == [("push", "v1"), ("push", "v2")]


async def test_a_delete_is_told_for_the_digest_and_then_for_its_tags(registry: Registry) -> None:
    digest, content = await registry.push_image("v1")
    await registry.put_manifest("v2", content)
    await registry.ask("DELETE", f"{registry.repository}/manifests/{digest}")
    events = (await registry.receiver.wait_for(5))[2:]
    assert [event["action"] for event in events] == ["delete"] * 3
    assert events[0]["target"] == {"digest": digest, "repository": registry.repository}
    assert sorted(event["target"]["tag"] for event in events[1:]) == ["v1", "v2"]


async def test_a_refused_event_comes_again_and_the_next_one_waits_for_it(registry: Registry) -> None:
    registry.receiver.failures = 2
    for tag in ("v1", "v2", "v3"):
        await registry.push_image(tag)
    events = await registry.receiver.wait_for(3)
    assert [event["target"]["tag"] for event in events] == ["v1", "v2", "v3"]
