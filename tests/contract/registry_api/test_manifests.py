"""Manifests, indexes, tags and the catalog."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from pratique.oci import media_types
from tests.contract.registry_api.conftest import Registry, manifest

UNKNOWN = f"sha256:{'0' * 64}"


async def pages(registry: Registry, path: str, key: str) -> list[str]:
    """Every name of a listing, following its links."""
    found: list[str] = []
    while path:
        answer = await registry.ask("GET", path)
        assert answer.status == 200
        found += answer.json[key] or []
        path = answer.headers.get("Link", "").partition("<")[2].partition(">")[0]
    return found


async def test_a_manifest_is_served_byte_for_byte_by_tag_and_by_digest(registry: Registry) -> None:
    digest, content = await registry.push_image("v1", annotations={"spaces": "kept  as they are"})
    for reference in ("v1", digest):
        answer = await registry.ask("GET", f"{registry.repository}/manifests/{reference}")
        assert (answer.status, answer.body) == (200, content)
        assert answer.headers["Content-Type"] == media_types.OCI_MANIFEST
        assert answer.headers["Docker-Content-Digest"] == digest


async def test_head_tells_digest_and_length_without_a_body(registry: Registry) -> None:
    digest, content = await registry.push_image("v1")
    answer = await registry.ask("HEAD", f"{registry.repository}/manifests/v1")
    assert (answer.status, answer.body) == (200, b"")
    assert (answer.headers["Docker-Content-Digest"], answer.headers["Content-Length"]) == (digest, str(len(content)))


async def test_a_manifest_that_the_client_has_is_not_sent_again(registry: Registry) -> None:
    await registry.push_image("v1")
    etag = (await registry.ask("HEAD", f"{registry.repository}/manifests/v1")).headers["ETag"]
    assert (await registry.ask("GET", f"{registry.repository}/manifests/v1", If_None_Match=etag)).status == 304


async def test_a_push_answers_where_the_manifest_is(registry: Registry) -> None:
    content = manifest(await registry.push_blob(b"{}"), await registry.push_blob(b"layer"))
    done = await registry.put_manifest("v1", content)
    assert (done.status, done.headers["Docker-Content-Digest"]) == (201, f"sha256:{hashlib.sha256(content).hexdigest()}")
    assert (await registry.ask("GET", done.headers["Location"])).body == content


@pytest.mark.parametrize("reference", ["v9", UNKNOWN])
async def test_an_unknown_manifest_is_missing(registry: Registry, reference: str) -> None:
    await registry.push_image("v1")
    answer = await registry.ask("GET", f"{registry.repository}/manifests/{reference}")
    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")


async def test_a_tag_moves_to_what_was_pushed_last(registry: Registry) -> None:
    first, _content = await registry.push_image("v1")
    second, _content = await registry.push_image("v1", annotations={"version": "2"})
    assert (await registry.ask("HEAD", f"{registry.repository}/manifests/v1")).headers["Docker-Content-Digest"] == second
    assert (await registry.ask("HEAD", f"{registry.repository}/manifests/{first}")).status == 200


async def test_a_manifest_of_blobs_that_were_not_pushed_is_refused(registry: Registry) -> None:
    answer = await registry.put_manifest("v1", manifest(await registry.push_blob(b"{}"), UNKNOWN))
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert (await registry.ask("GET", f"{registry.repository}/manifests/v1")).status == 404


async def test_a_manifest_of_blobs_of_another_repository_is_refused(registry: Registry) -> None:
    layer = await registry.push_blob(b"layer", repository=f"{registry.repository}-other")
    answer = await registry.put_manifest("v1", manifest(await registry.push_blob(b"{}"), layer))
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"schemaVersion": 2}', b"[" * 100_000])
async def test_what_is_no_manifest_is_refused(registry: Registry, content: bytes) -> None:
    answer = await registry.put_manifest("v1", content)
    assert answer.status == 400
    assert answer.code in {"MANIFEST_INVALID", "DIGEST_INVALID"}  # docker-registry takes an empty config for a wrong digest


async def test_a_document_that_reads_as_manifest_and_as_index_is_refused(registry: Registry) -> None:
    content = manifest(await registry.push_blob(b"{}"), await registry.push_blob(b"layer"), manifests=[])
    answer = await registry.put_manifest("v1", content)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


async def test_a_manifest_under_another_digest_is_refused(registry: Registry) -> None:
    content = manifest(await registry.push_blob(b"{}"), await registry.push_blob(b"layer"))
    answer = await registry.put_manifest(UNKNOWN, content)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


async def test_an_index_is_kept_when_its_children_are_there(registry: Registry) -> None:
    digest, content = await registry.push_image()
    index = index_of(digest, len(content))
    assert (await registry.put_manifest("multi", index, media_types.OCI_INDEX)).status == 201
    answer = await registry.ask("GET", f"{registry.repository}/manifests/multi")
    assert (answer.body, answer.headers["Content-Type"]) == (index, media_types.OCI_INDEX)


async def test_an_index_of_unknown_children_is_refused(registry: Registry) -> None:
    answer = await registry.put_manifest("multi", index_of(UNKNOWN, 10), media_types.OCI_INDEX)
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")


async def test_a_manifest_with_an_artifact_type_and_an_unknown_subject_is_kept(registry: Registry) -> None:
    subject = {"mediaType": media_types.OCI_MANIFEST, "digest": UNKNOWN, "size": 1}
    digest, content = await registry.push_image(artifactType="application/vnd.example.report", subject=subject)
    assert (await registry.ask("GET", f"{registry.repository}/manifests/{digest}")).body == content


async def test_deleting_a_digest_takes_its_tags_along(registry: Registry) -> None:
    digest, content = await registry.push_image("v1")
    await registry.put_manifest("v2", content)
    kept, _content = await registry.push_image("v3", annotations={"other": "yes"})
    assert (await registry.ask("DELETE", f"{registry.repository}/manifests/{digest}")).status == 202
    assert await pages(registry, f"{registry.repository}/tags/list", "tags") == ["v3"]
    assert (await registry.ask("HEAD", f"{registry.repository}/manifests/{digest}")).status == 404
    assert (await registry.ask("HEAD", f"{registry.repository}/manifests/{kept}")).status == 200


async def test_a_tag_alone_cannot_be_deleted(registry: Registry) -> None:
    await registry.push_image("v1")
    answer = await registry.ask("DELETE", f"{registry.repository}/manifests/v1")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert (await registry.ask("HEAD", f"{registry.repository}/manifests/v1")).status == 200


async def test_deleting_an_unknown_digest_is_refused(registry: Registry) -> None:
    await registry.push_image("v1")
    answer = await registry.ask("DELETE", f"{registry.repository}/manifests/{UNKNOWN}")
    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")


async def test_every_tag_is_listed(registry: Registry) -> None:
    _digest, content = await registry.push_image("a")
    for tag in ("b", "c", "sha256-0.sig"):
        await registry.put_manifest(tag, content)
    assert sorted(await pages(registry, f"{registry.repository}/tags/list?n=2", "tags")) == ["a", "b", "c", "sha256-0.sig"]


async def test_tags_of_an_unknown_repository_are_missing(registry: Registry) -> None:
    answer = await registry.ask("GET", "team-b/never-pushed/tags/list")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


async def test_a_repository_without_tags_has_an_empty_list(registry: Registry) -> None:
    digest, _content = await registry.push_image("v1")
    await registry.ask("DELETE", f"{registry.repository}/manifests/{digest}")
    assert await pages(registry, f"{registry.repository}/tags/list", "tags") == []


async def test_the_catalog_is_paged_and_complete(registry: Registry) -> None:
    config, layer = b"{}", b"layer"
    names = [f"{registry.repository}/{letter}" for letter in "abc"]
    for name in names:
        content = manifest(await registry.push_blob(config, repository=name), await registry.push_blob(layer, repository=name))
        pushed = await registry.ask("PUT", f"{name}/manifests/v1", body=content, Content_Type=media_types.OCI_MANIFEST)
        assert pushed.status == 201
    listed = await pages(registry, "_catalog?n=2", "repositories")
    assert [name for name in listed if name in names] == names


def index_of(digest: str, size: int) -> bytes:
    child: dict[str, Any] = {"mediaType": media_types.OCI_MANIFEST, "digest": digest, "size": size}
    child["platform"] = {"os": "linux", "architecture": "amd64"}
    return json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [child]}).encode()
