"""Blobs: uploads, mounts, ranges, deletes."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest

from tests.contract.registry_api.conftest import Registry, with_digest

UNKNOWN = f"sha256:{'0' * 64}"


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


async def begin(registry: Registry) -> str:
    answer = await registry.ask("POST", f"{registry.repository}/blobs/uploads/")
    assert answer.status == 202
    assert answer.headers["Docker-Upload-UUID"]
    assert answer.headers["Range"] == "0-0"
    location: str = answer.headers["Location"]
    return location


async def test_the_root_answers_and_names_the_api(registry: Registry) -> None:
    answer = await registry.ask("GET", "")
    assert answer.status == 200
    assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"


async def test_a_blob_that_was_pushed_is_served_with_its_digest(registry: Registry) -> None:
    content = bytes(range(256)) * 4000
    digest = await registry.push_blob(content)
    head = await registry.ask("HEAD", f"{registry.repository}/blobs/{digest}")
    assert (head.status, head.headers["Content-Length"], head.headers["Docker-Content-Digest"]) == (200, str(len(content)), digest)
    whole = await registry.ask("GET", f"{registry.repository}/blobs/{digest}")
    assert (whole.status, whole.body, whole.headers["Content-Type"]) == (200, content, "application/octet-stream")


async def test_a_part_of_a_blob_can_be_asked_for(registry: Registry) -> None:
    digest = await registry.push_blob(b"0123456789")
    part = await registry.ask("GET", f"{registry.repository}/blobs/{digest}", Range="bytes=4-")
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, b"456789", "bytes 4-9/10")


async def test_an_empty_blob_is_a_blob(registry: Registry) -> None:
    digest = await registry.push_blob(b"")
    answer = await registry.ask("GET", f"{registry.repository}/blobs/{digest}")
    assert (answer.status, answer.body) == (200, b"")


async def test_an_upload_may_come_in_chunks(registry: Registry) -> None:
    location = await begin(registry)
    first = await registry.ask("PATCH", location, body=b"one ")
    assert (first.status, first.headers["Range"]) == (202, "0-3")
    second = await registry.ask("PATCH", first.headers["Location"], body=b"two ")
    state = await registry.ask("GET", second.headers["Location"])
    assert (state.status, state.headers["Range"]) == (204, "0-7")
    done = await registry.ask("PUT", with_digest(second.headers["Location"], digest_of(b"one two three")), body=b"three")
    assert done.status == 201
    assert (await registry.ask("GET", done.headers["Location"])).body == b"one two three"


async def test_an_upload_may_come_without_a_length(registry: Registry) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"no "
        yield b"length"

    done = await registry.ask("PUT", with_digest(await begin(registry), digest_of(b"no length")), body=pieces())
    assert done.status == 201
    assert done.headers["Docker-Content-Digest"] == digest_of(b"no length")


async def test_a_digest_may_be_sha512(registry: Registry) -> None:
    digest = digest_of(b"longer", "sha512")
    done = await registry.ask("PUT", with_digest(await begin(registry), digest), body=b"longer")
    assert done.status == 201
    assert (await registry.ask("GET", done.headers["Location"])).body == b"longer"


async def test_content_of_another_digest_is_refused_and_not_kept(registry: Registry) -> None:
    location = await begin(registry)
    answer = await registry.ask("PUT", with_digest(location, digest_of(b"promised")), body=b"delivered")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    for content in (b"promised", b"delivered"):
        assert (await registry.ask("HEAD", f"{registry.repository}/blobs/{digest_of(content)}")).status == 404


async def test_an_upload_without_a_digest_is_refused(registry: Registry) -> None:
    answer = await registry.ask("PUT", await begin(registry), body=b"content")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


async def test_a_cancelled_upload_is_gone(registry: Registry) -> None:
    location = await begin(registry)
    assert (await registry.ask("DELETE", location)).status == 204
    assert (await registry.ask("GET", location)).status == 404


async def test_a_finished_upload_is_gone(registry: Registry) -> None:
    location = await begin(registry)
    assert (await registry.ask("PUT", with_digest(location, digest_of(b"done")), body=b"done")).status == 201
    assert (await registry.ask("GET", location)).status == 404


async def test_a_blob_is_not_seen_from_another_repository(registry: Registry) -> None:
    digest = await registry.push_blob(b"private")
    answer = await registry.ask("GET", f"{registry.repository}-other/blobs/{digest}")
    assert (answer.status, answer.code) == (404, "BLOB_UNKNOWN")


async def test_a_blob_can_be_mounted_from_another_repository(registry: Registry) -> None:
    digest = await registry.push_blob(b"shared")
    other = f"{registry.repository}-other"
    answer = await registry.ask("POST", f"{other}/blobs/uploads/?mount={digest}&from={registry.repository}")
    assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, digest)
    assert (await registry.ask("GET", f"{other}/blobs/{digest}")).body == b"shared"


async def test_mounting_what_is_not_there_opens_an_upload(registry: Registry) -> None:
    answer = await registry.ask("POST", f"{registry.repository}/blobs/uploads/?mount={UNKNOWN}&from=team-b/none")
    assert answer.status == 202
    assert (await registry.ask("DELETE", answer.headers["Location"])).status == 204


async def test_a_deleted_blob_is_gone_here_and_stays_elsewhere(registry: Registry) -> None:
    digest = await registry.push_blob(b"twice")
    await registry.push_blob(b"twice", repository=f"{registry.repository}-other")
    assert (await registry.ask("DELETE", f"{registry.repository}/blobs/{digest}")).status == 202
    assert (await registry.ask("GET", f"{registry.repository}/blobs/{digest}")).status == 404
    assert (await registry.ask("GET", f"{registry.repository}-other/blobs/{digest}")).body == b"twice"


async def test_deleting_an_unknown_blob_is_refused(registry: Registry) -> None:
    answer = await registry.ask("DELETE", f"{registry.repository}/blobs/{UNKNOWN}")
    assert (answer.status, answer.code) == (404, "BLOB_UNKNOWN")


@pytest.mark.parametrize("name", ["_hidden", "a//b", "-a", "a/../b"])
async def test_a_bad_repository_name_is_refused(registry: Registry, name: str) -> None:
    answer = await registry.ask("POST", f"{name.replace('.', '%2E')}/blobs/uploads/")
    assert answer.status in {301, 400, 404}  # docker-registry's router redirects or knows no such path
