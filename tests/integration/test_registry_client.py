"""The registry client against a real docker-registry, also through a proxy that breaks things."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import web

from pratique.errors import (
    DigestMismatch,
    InputError,
    InvalidManifest,
    InvalidReference,
    LimitExceeded,
    MissingError,
    RefusedError,
    RegistryUnavailable,
    UnsupportedError,
)
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import MAX_MANIFEST_BYTES, Descriptor, Index, Manifest
from pratique.oci.reference import Reference
from pratique.registry.access import RegistryAccess
from pratique.registry.artifacts import ArtifactFile, FileArtifact, pull_artifact, push_artifact
from pratique.registry.client import USER_AGENT, Registries, RegistryClient
from pratique.registry.copying import CopyTarget
from pratique.registry.referrers import Artifact, ArtifactLayer
from pratique.registry.targets import open_source
from tests.support.images import make_image, make_index, make_layer, push
from tests.support.registry_fakes import FaultyProxy, TokenRegistry, TokenServer, serving
from tests.support.servers import DockerRegistry

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(docker_registry: Callable[..., DockerRegistry]) -> DockerRegistry:
    return docker_registry()


def access_to(host: str, **options: object) -> RegistryAccess:
    return replace(RegistryAccess(host=host, plain_http=True, backoff=0.01, read_timeout=5.0), **options)  # type: ignore[arg-type]


@pytest.fixture
async def registries(server: DockerRegistry) -> AsyncIterator[Registries]:
    async with Registries({server.host: access_to(server.host)}) as made:
        yield made


@pytest.fixture
async def client(server: DockerRegistry, registries: Registries) -> RegistryClient:
    return registries.client(server.host)


@pytest.fixture
def repository() -> str:
    return f"team-{uuid4().hex[:8]}/app"


@pytest.fixture
async def proxy(server: DockerRegistry) -> AsyncIterator[tuple[FaultyProxy, RegistryClient]]:
    made = FaultyProxy(server.host)
    async with serving(made.handle) as host, Registries({host: access_to(host)}) as registries:
        yield made, registries.client(host)


@pytest.fixture
def image(tmp_path: Path, server: DockerRegistry, repository: str) -> Iterator[Digest]:
    layers = [make_layer({"etc/hostname": b"a"}), make_layer({"data": os.urandom(3 * MIB)})]
    layout = make_image(tmp_path / "image", layers)
    push(layout, f"{server.host}/{repository}:1")
    return iter([Digest.parse(layout.digest)])


@pytest.fixture
def pushed(image: Iterator[Digest]) -> Digest:
    return next(image)


async def push_random_blob(client: RegistryClient, repository: str, size: int) -> tuple[bytes, Descriptor]:
    content = os.urandom(size)
    return content, await client.push_blob(repository, content)


async def read_all(client: RegistryClient, repository: str, blob: Descriptor) -> bytes:
    return b"".join([chunk async for chunk in client.stream_blob(repository, blob)])


# documents and tags


async def test_a_tag_resolves_to_the_digest_that_skopeo_pushed(client: RegistryClient, repository: str, pushed: Digest) -> None:
    found = await client.resolve_digest(repository, "1")
    assert found.digest == pushed
    assert found.media_type == media_types.OCI_MANIFEST
    document = await client.fetch_document(repository, "1")
    assert isinstance(document, Manifest)
    assert document.descriptor == found


async def test_pushed_bytes_come_back_exactly(client: RegistryClient, repository: str, pushed: Digest) -> None:
    document = await client.fetch_document(repository, pushed)
    odd = json.dumps({**json.loads(document.raw), "annotations": {"a": "b"}}, indent=7).encode()
    stored = await client.push_document(repository, odd, media_types.OCI_MANIFEST, tag="odd")
    assert stored.digest == Digest.of(odd)
    assert (await client.fetch_document(repository, "odd", expected=stored)).raw == odd


async def test_a_document_is_not_taken_for_what_its_index_does_not_say(client: RegistryClient, repository: str, pushed: Digest) -> None:
    found = await client.resolve_digest(repository, str(pushed))
    with pytest.raises(DigestMismatch):
        await client.fetch_document(repository, pushed, expected=replace(found, size=found.size + 1))
    with pytest.raises(InvalidManifest):
        await client.fetch_document(repository, pushed, expected=replace(found, media_type=media_types.DOCKER_MANIFEST))


async def test_what_is_not_there_is_missing(client: RegistryClient, repository: str, pushed: Digest) -> None:
    nowhere = Digest.of(b"nowhere")
    for locator in ("no-such-tag", str(nowhere)):
        with pytest.raises(MissingError):
            await client.resolve_digest(repository, locator)
    with pytest.raises(MissingError):
        await client.list_tags("no/such/repository")
    with pytest.raises(MissingError):
        await client.delete_document(repository, nowhere)
    with pytest.raises(MissingError):
        await client.fetch_blob(repository, Descriptor(media_type="", digest=nowhere, size=1), limit=1)
    assert not await client.has_blob(repository, nowhere)
    assert await client.has_document(repository, pushed)


async def test_no_name_reaches_another_path(client: RegistryClient, repository: str) -> None:
    for name in ("../v2/_catalog", "a/../b", "A", ""):
        with pytest.raises(InvalidReference):
            await client.list_tags(name)
    with pytest.raises(InvalidReference):
        await client.fetch_document(repository, "../tags/list")


async def test_tags_are_listed_also_where_there_are_none(client: RegistryClient, repository: str, pushed: Digest) -> None:
    assert await client.list_tags(repository) == ("1",)
    await client.delete_document(repository, pushed)
    assert await client.list_tags(repository) == ()
    assert repository in await client.list_repositories()


async def test_a_registry_that_cannot_delete_a_tag_alone_is_told_apart(client: RegistryClient, repository: str, pushed: Digest) -> None:
    with pytest.raises(UnsupportedError):
        await client.untag(repository, "1")
    assert (await client.resolve_digest(repository, "1")).digest == pushed


async def test_a_registry_with_deleting_switched_off_is_told_apart(
    docker_registry: Callable[..., DockerRegistry], tmp_path: Path, repository: str
) -> None:
    server = docker_registry(allow_delete=False)
    layout = make_image(tmp_path, [make_layer({"a": b"a"})])
    push(layout, f"{server.host}/{repository}:1")
    async with Registries({server.host: access_to(server.host)}) as registries:
        with pytest.raises(UnsupportedError):
            await registries.client(server.host).delete_document(repository, Digest.parse(layout.digest))


async def test_a_huge_manifest_is_refused_before_it_is_read() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse(headers={"Content-Type": media_types.OCI_MANIFEST})
        if "announced" in request.path:
            answer.headers["Content-Length"] = str(100 * MIB)
        await answer.prepare(request)
        try:
            for _ in range(100):
                await answer.write(bytes(MIB))
                sent += MIB
        except ConnectionError:
            pass
        return answer

    async with serving(endless) as host, Registries({host: access_to(host)}) as registries:
        for tag in ("announced", "unannounced"):
            with pytest.raises(LimitExceeded):
                await registries.client(host).fetch_document("a/b", tag)
    assert sent < 8 * MAX_MANIFEST_BYTES


async def test_pages_of_tags_are_followed_within_the_registry_only() -> None:
    elsewhere = False

    async def paged(request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/v2/loop/"):
            return web.json_response({"tags": ["a"]}, headers={"Link": '</v2/loop/x/tags/list?last=a>; rel="next"'})
        if elsewhere:
            return web.json_response({"tags": ["a"]}, headers={"Link": '<http://localhost:1/v2/a/b/tags/list>; rel="next"'})
        last = request.query.get("last")
        link = {} if last else {"Link": '</v2/a/b/tags/list?n=1&last=x%2Fy>; rel="next"'}
        return web.json_response({"tags": [last or "first"]}, headers=link)

    async with serving(paged) as host, Registries({host: access_to(host)}) as registries:
        assert await registries.client(host).list_tags("a/b") == ("first", "x/y")
        with pytest.raises(LimitExceeded):
            await registries.client(host).list_tags("loop/x")
        elsewhere = True
        with pytest.raises(InputError):
            await registries.client(host).list_tags("a/b")


# blobs


async def test_a_streamed_blob_is_whole(client: RegistryClient, repository: str) -> None:
    content, blob = await push_random_blob(client, repository, 5 * MIB + 17)
    assert b"".join([chunk async for chunk in client.stream_blob(repository, blob)]) == content
    assert await client.fetch_blob(repository, blob, limit=6 * MIB) == content
    with pytest.raises(LimitExceeded):
        await client.fetch_blob(repository, blob, limit=MIB)


async def test_a_broken_download_goes_on_by_range_from_where_it_broke(
    proxy: tuple[FaultyProxy, RegistryClient], server: DockerRegistry, repository: str
) -> None:
    faulty, client = proxy
    content, blob = await push_random_blob(client, repository, 6 * MIB)
    faulty.where = "/blobs/"
    cuts = (2 * MIB + 5, MIB, 0)
    faulty.faults.extend(lambda request, cut=cut: faulty.forward(request, cut_after=cut) for cut in cuts)
    server.clear()
    faulty.seen.clear()
    assert await read_all(client, repository, blob) == content
    ranges = [headers.get("Range") for _, _, headers in faulty.seen]
    assert ranges == [None, f"bytes={2 * MIB + 5}-", f"bytes={3 * MIB + 5}-", f"bytes={3 * MIB + 5}-"]
    assert [entry.status for entry in server.requests()] == [200, 206, 206, 206]


async def test_a_registry_that_ignores_range_still_gives_each_byte_once(proxy: tuple[FaultyProxy, RegistryClient], repository: str) -> None:
    faulty, client = proxy
    content, blob = await push_random_blob(client, repository, 4 * MIB)
    faulty.where = "/blobs/"
    faulty.faults.extend(
        [
            lambda request: faulty.forward(request, cut_after=MIB + 1),
            lambda request: faulty.forward(request, drop=("Range",)),
        ]
    )
    assert await read_all(client, repository, blob) == content


async def test_a_download_that_breaks_every_time_is_given_up(proxy: tuple[FaultyProxy, RegistryClient], repository: str) -> None:
    faulty, client = proxy
    _, blob = await push_random_blob(client, repository, MIB)
    faulty.where = "/blobs/"
    faulty.faults.extend([lambda request: faulty.forward(request, cut_after=10)] * 50)
    faulty.seen.clear()
    with pytest.raises(RegistryUnavailable):
        await read_all(client, repository, blob)
    assert len(faulty.seen) == client.access.max_attempts


async def test_a_blob_of_another_size_is_refused(client: RegistryClient, repository: str) -> None:
    _, blob = await push_random_blob(client, repository, MIB)
    for size in (MIB - 1, MIB + 1, 0):
        with pytest.raises(DigestMismatch):
            await read_all(client, repository, replace(blob, size=size))


async def test_a_blob_that_never_ends_is_refused() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(bytes(MIB))
        except ConnectionError:
            return answer

    blob = Descriptor(media_type="", digest=Digest.of(b"x"), size=3 * MIB)
    async with serving(endless) as host, Registries({host: access_to(host)}) as registries:
        with pytest.raises(DigestMismatch):
            await read_all(registries.client(host), "a/b", blob)


async def test_garbage_of_the_right_size_is_found_by_its_digest(proxy: tuple[FaultyProxy, RegistryClient], repository: str) -> None:
    faulty, client = proxy
    _, blob = await push_random_blob(client, repository, 100)

    async def garbage(_: web.Request) -> web.StreamResponse:
        return web.Response(body=bytes(100))

    faulty.where = "/blobs/"
    faulty.faults.append(garbage)
    with pytest.raises(DigestMismatch):
        await client.fetch_blob(repository, blob, limit=100)


async def test_a_download_that_is_not_read_on_does_not_block_the_next(server: DockerRegistry, repository: str) -> None:
    async with Registries({server.host: access_to(server.host, concurrency=1)}) as registries:
        client = registries.client(server.host)
        _, blob = await push_random_blob(client, repository, 8 * MIB)
        for _ in range(3):
            async with aclosing(client.stream_blob(repository, blob)) as chunks:
                assert await anext(chunks)
        copied = f"{repository}-copy"
        await client.push_blob_stream(copied, blob, client.stream_blob(repository, blob))  # with one slot each
        assert await client.has_blob(copied, blob.digest)


async def test_a_streamed_upload_is_stored_and_a_wrong_one_is_not(client: RegistryClient, repository: str) -> None:
    content = os.urandom(20 * MIB)
    blob = Descriptor(media_type="", digest=Digest.of(content), size=len(content))

    async def chunks(end: int) -> AsyncIterator[bytes]:
        for start in range(0, end, MIB):
            yield content[start : start + MIB]

    with pytest.raises(DigestMismatch):
        await client.push_blob_stream(repository, blob, chunks(19 * MIB))
    assert not await client.has_blob(repository, blob.digest)
    await client.push_blob_stream(repository, blob, chunks(len(content)))
    assert await read_all(client, repository, blob) == content


async def test_a_blob_that_is_there_is_not_sent_again(client: RegistryClient, server: DockerRegistry, repository: str) -> None:
    content, _ = await push_random_blob(client, repository, 1000)
    server.clear()
    await client.push_blob(repository, content)
    assert [entry.method for entry in server.requests()] == ["HEAD"]


async def test_a_mount_moves_no_bytes_and_says_when_there_is_nothing_to_mount(
    client: RegistryClient, server: DockerRegistry, repository: str
) -> None:
    _, blob = await push_random_blob(client, repository, 1000)
    server.clear()
    assert await client.mount_blob("other/place", blob.digest, repository)
    assert [entry.method for entry in server.requests()] == ["POST"]
    assert await client.has_blob("other/place", blob.digest)
    assert not await client.mount_blob("other/place", Digest.of(b"nowhere"), repository)


# transport


async def test_what_may_pass_is_tried_again_after_the_time_asked_for(
    proxy: tuple[FaultyProxy, RegistryClient], repository: str, pushed: Digest
) -> None:
    faulty, client = proxy

    async def busy(_: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "1"})

    async def down(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503, text="<html>")

    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    faulty.faults.extend([busy, down, hang_up])
    began = time.monotonic()
    assert (await client.resolve_digest(repository, "1")).digest == pushed
    assert time.monotonic() - began >= 1.0
    assert len(faulty.seen) == 4


async def test_a_long_wait_is_left_to_the_caller(proxy: tuple[FaultyProxy, RegistryClient]) -> None:
    faulty, client = proxy

    async def busy(_: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "3600"})

    faulty.faults.append(busy)
    with pytest.raises(RegistryUnavailable) as caught:
        await client.ping()
    assert caught.value.retry_after == 3600.0
    assert len(faulty.seen) == 1


async def test_a_registry_that_is_silent_is_unavailable() -> None:
    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3)
        return web.Response()

    async with serving(silent) as host, Registries({host: access_to(host, read_timeout=0.1, max_attempts=2)}) as registries:
        with pytest.raises(RegistryUnavailable):
            await registries.client(host).ping()


async def test_a_registry_without_tls_is_not_spoken_to_unless_that_is_set(server: DockerRegistry) -> None:
    async with Registries() as registries:
        with pytest.raises(RefusedError, match="plain_http"):
            await registries.client(server.host).ping()


async def test_nobody_listening_is_unavailable() -> None:
    async with Registries({"127.0.0.1:1": access_to("127.0.0.1:1")}) as registries:
        with pytest.raises(RegistryUnavailable):
            await registries.client("127.0.0.1:1").ping()


async def test_credentials_do_not_follow_a_redirect_to_another_host() -> None:
    seen: list[str | None] = []

    async def storage(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization"))
        assert request.raw_path == "/signed?signature=a%2Fb%3D"
        return web.Response(body=b"blob")

    async with serving(storage) as storage_host:

        async def registry(request: web.Request) -> web.StreamResponse:
            if "Authorization" not in request.headers:
                return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            return web.Response(status=307, headers={"Location": f"http://{storage_host}/signed?signature=a%2Fb%3D"})

        access = {"username": "bot", "password": "pw"}
        blob = Descriptor(media_type="", digest=Digest.of(b"blob"), size=4)
        async with serving(registry) as host, Registries({host: access_to(host, **access)}) as registries:
            assert await registries.client(host).fetch_blob("a/b", blob, limit=4) == b"blob"
            assert await registries.client(host).has_blob("a/b", blob.digest)
    assert seen == [None]


async def test_redirects_end() -> None:
    async def circle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": request.path})

    async with serving(circle) as host, Registries({host: access_to(host)}) as registries:
        with pytest.raises(InputError):
            await registries.client(host).ping()


async def test_pratique_says_who_it_is(proxy: tuple[FaultyProxy, RegistryClient]) -> None:
    faulty, client = proxy
    await client.ping()
    assert faulty.seen[0][2]["User-Agent"] == USER_AGENT
    assert faulty.seen[0][2]["Accept-Encoding"] == "identity"


# authorization


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[tuple[TokenServer, TokenRegistry]]:
    tokens = TokenServer(tmp_path)
    async with serving(tokens.handle) as realm:
        with TokenRegistry(tmp_path / "guarded", realm=f"http://{realm}/token", certificate=tokens.certificate) as server:
            yield tokens, server


async def test_tokens_are_fetched_once_for_each_scope(guarded: tuple[TokenServer, TokenRegistry]) -> None:
    tokens, server = guarded
    async with Registries({server.host: access_to(server.host, username="bot", password="pw")}) as registries:
        client = registries.client(server.host)
        await client.ping()
        tokens.asked.clear()
        contents = [os.urandom(100) for _ in range(6)]
        blobs = await asyncio.gather(*(client.push_blob("a/b", content) for content in contents))
        assert sorted(entry["scopes"] for entry in tokens.asked) == [["repository:a/b:pull"], ["repository:a/b:pull,push"]]
        await client.push_blob("a/c", b"other repository")
        assert await client.mount_blob("a/c", blobs[0].digest, "a/b")
        assert tokens.asked[-1]["scopes"] == ["repository:a/b:pull", "repository:a/c:pull,push"]


async def test_a_token_that_expires_earlier_than_promised_is_replaced(guarded: tuple[TokenServer, TokenRegistry]) -> None:
    tokens, server = guarded
    async with Registries({server.host: access_to(server.host, username="bot", password="pw")}) as registries:
        client = registries.client(server.host)
        tokens.lifetime = -58  # docker-registry forgives 60 seconds
        await client.push_blob("a/b", b"x")
        tokens.lifetime = 300
        tokens.asked.clear()
        await asyncio.sleep(3)
        await client.push_blob("a/b", b"y")
        assert sorted(entry["scopes"] for entry in tokens.asked) == [["repository:a/b:pull"], ["repository:a/b:pull,push"]]


async def test_a_registry_that_refuses_fresh_tokens_is_asked_a_few_times_only(guarded: tuple[TokenServer, TokenRegistry]) -> None:
    tokens, server = guarded
    tokens.lifetime = -1000
    async with Registries({server.host: access_to(server.host, username="bot", password="pw")}) as registries:
        with pytest.raises(RefusedError):
            await registries.client(server.host).has_blob("a/b", Digest.of(b"x"))
    assert len(tokens.asked) <= 3


async def test_an_identity_token_of_docker_login_is_exchanged(
    guarded: tuple[TokenServer, TokenRegistry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, server = guarded
    entry = {"auth": "MDAwMDA6", "identitytoken": "identity"}
    (tmp_path / "config.json").write_text(json.dumps({"auths": {f"https://{server.host}/v2/": entry}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    async with Registries({server.host: access_to(server.host)}) as registries:
        await registries.client(server.host).push_blob("a/b", b"x")
    assert {entry["method"] for entry in tokens.asked} == {"POST"}


async def test_a_wrong_password_is_refused_and_not_shown(guarded: tuple[TokenServer, TokenRegistry]) -> None:
    _, server = guarded
    async with Registries({server.host: access_to(server.host, username="bot", password="wrong-secret")}) as registries:
        with pytest.raises(RefusedError) as caught:
            await registries.client(server.host).ping()
    assert "wrong-secret" not in str(caught.value)
    assert "wrong-secret" not in repr(access_to(server.host, username="bot", password="wrong-secret"))


async def test_artifacts_travel_with_the_same_login(guarded: tuple[TokenServer, TokenRegistry], tmp_path: Path) -> None:
    _, server = guarded
    (tmp_path / "db.bin").write_bytes(b"database")
    artifact = FileArtifact(artifact_type="application/x.db", files=(ArtifactFile(path=tmp_path / "db.bin"),))
    async with Registries({server.host: access_to(server.host, username="bot", password="pw")}) as registries:
        client = registries.client(server.host)
        reference = Reference(host=server.host, repository="a/db", tag="1")
        await push_artifact(client, reference, artifact)
        (tmp_path / "out").mkdir()
        (path,) = await pull_artifact(client, reference, tmp_path / "out")
        assert path.read_bytes() == b"database"


# referrers


REPORT = Artifact(
    artifact_type="application/vnd.example.report",
    layers=(ArtifactLayer(media_type="application/json", content=b"{}"),),
    annotations={"verdict": "pass"},
)


async def test_a_pushed_referrer_is_listed_with_its_type_and_annotations(client: RegistryClient, repository: str, pushed: Digest) -> None:
    subject = await client.resolve_digest(repository, "1")
    assert await client.list_referrers(repository, pushed) == ()
    new = await client.push_referrer(repository, subject, REPORT)
    again = await client.push_referrer(repository, subject, REPORT)
    assert again == new
    (found,) = await client.list_referrers(repository, pushed, artifact_type=REPORT.artifact_type)
    assert (found.digest, found.artifact_type, found.annotations) == (new.digest, REPORT.artifact_type, {"verdict": "pass"})
    assert await client.list_referrers(repository, pushed, artifact_type="application/other") == ()
    document = await client.fetch_document(repository, new.digest)
    assert document.subject is not None
    assert document.subject.digest == pushed


async def test_referrers_pushed_at_once_are_all_listed(client: RegistryClient, repository: str, pushed: Digest) -> None:
    subject = await client.resolve_digest(repository, "1")
    made = await asyncio.gather(*(client.push_referrer(repository, subject, replace(REPORT, annotations={"n": str(n)})) for n in range(8)))
    found = await client.list_referrers(repository, pushed)
    assert {entry.digest for entry in found} == {entry.digest for entry in made}


async def test_a_digest_that_the_registry_refuses_is_sent_again(
    proxy: tuple[FaultyProxy, RegistryClient], repository: str, pushed: Digest
) -> None:
    """docker-registry answers so while another request rewrites the link of a blob that both use."""
    faulty, client = proxy
    subject = await client.resolve_digest(repository, "1")

    async def refuse(_: web.Request) -> web.StreamResponse:
        problem = {"code": "DIGEST_INVALID", "message": "provided digest did not match uploaded content"}
        return web.json_response({"errors": [problem]}, status=400)

    faulty.where = "/manifests/sha256:"
    faulty.faults.append(refuse)
    made = await client.push_referrer(repository, subject, REPORT)
    assert not faulty.faults
    assert [entry.digest for entry in await client.list_referrers(repository, pushed)] == [made.digest]


async def test_writers_in_two_processes_lose_nothing_that_was_there(
    client: RegistryClient, server: DockerRegistry, repository: str, pushed: Digest
) -> None:
    subject = await client.resolve_digest(repository, "1")
    async with Registries({server.host: access_to(server.host)}) as others:
        first = await client.push_referrer(repository, subject, REPORT)
        second = await others.client(server.host).push_referrer(repository, subject, replace(REPORT, annotations={"n": "2"}))
    assert [entry.digest for entry in await client.list_referrers(repository, pushed)] == [first.digest, second.digest]


async def test_a_new_referrer_takes_the_place_of_older_ones(client: RegistryClient, repository: str, pushed: Digest) -> None:
    subject = await client.resolve_digest(repository, "1")
    foreign = await client.push_referrer(repository, subject, replace(REPORT, artifact_type="application/foreign"))
    old = await client.push_referrer(repository, subject, REPORT)
    new = await client.push_referrer(
        repository,
        subject,
        replace(REPORT, annotations={"verdict": "fail"}),
        supersede=lambda entry: entry.artifact_type == REPORT.artifact_type,
    )
    assert [entry.digest for entry in await client.list_referrers(repository, pushed)] == [foreign.digest, new.digest]
    assert not await client.has_document(repository, old.digest)
    await client.delete_referrer(repository, pushed, foreign.digest)
    await client.delete_referrer(repository, pushed, foreign.digest)
    assert [entry.digest for entry in await client.list_referrers(repository, pushed)] == [new.digest]


async def test_an_entry_whose_manifest_was_deleted_does_not_stop_new_ones(client: RegistryClient, repository: str, pushed: Digest) -> None:
    subject = await client.resolve_digest(repository, "1")
    gone = await client.push_referrer(repository, subject, REPORT)
    await client.delete_document(repository, gone.digest)
    new = await client.push_referrer(repository, subject, replace(REPORT, annotations={"n": "2"}))
    assert [entry.digest for entry in await client.list_referrers(repository, pushed)] == [new.digest]


async def test_an_entry_with_the_wrong_type_is_found_by_its_manifest(client: RegistryClient, repository: str, pushed: Digest) -> None:
    subject = await client.resolve_digest(repository, "1")
    new = await client.push_referrer(repository, subject, REPORT)
    index = json.loads((await client.fetch_document(repository, pushed.tag_prefix)).raw)
    index["manifests"][0]["artifactType"] = media_types.OCI_EMPTY  # as cosign 3.1 writes it
    del index["manifests"][0]["annotations"]
    index["x-kept"] = "by others"
    await client.push_document(repository, json.dumps(index).encode(), media_types.OCI_INDEX, tag=pushed.tag_prefix)
    for wanted in (None, REPORT.artifact_type):
        (found,) = await client.list_referrers(repository, pushed, artifact_type=wanted)
        assert (found.digest, found.artifact_type, found.annotations) == (new.digest, REPORT.artifact_type, REPORT.annotations)
    await client.push_referrer(repository, subject, replace(REPORT, annotations={"n": "2"}))
    assert json.loads((await client.fetch_document(repository, pushed.tag_prefix)).raw)["x-kept"] == "by others"


async def test_oras_discovers_what_we_push(
    client: RegistryClient, server: DockerRegistry, repository: str, pushed: Digest, oras: Path
) -> None:
    new = await client.push_referrer(repository, await client.resolve_digest(repository, "1"), REPORT)
    command = [oras, "discover", "--plain-http", "--format", "json", f"{server.host}/{repository}@{pushed}"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True, timeout=30)
    listing = json.loads(done.stdout)
    found = listing.get("referrers") or listing["manifests"]
    assert [(entry["digest"], entry["artifactType"]) for entry in found] == [(str(new.digest), REPORT.artifact_type)]


async def test_a_registry_with_the_referrers_api_keeps_no_fallback_tag(server: DockerRegistry, repository: str, pushed: Digest) -> None:
    backend = FaultyProxy(server.host)
    known: list[dict[str, object]] = []

    async def native(request: web.Request) -> web.StreamResponse:
        if "/referrers/" in request.path:
            wanted = request.query.get("artifactType")
            found = [entry for entry in known if wanted in {None, entry["artifactType"]}]
            body = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": found})
            return web.Response(text=body, content_type=media_types.OCI_INDEX)
        if request.method == "DELETE":
            known[:] = [entry for entry in known if str(entry["digest"]) not in request.path]
        content = await request.read()
        if request.method == "PUT" and "/manifests/" in request.path:
            document = json.loads(content)
            digest = str(Digest.of(content))
            known.append(
                {
                    "mediaType": document["mediaType"],
                    "digest": digest,
                    "size": len(content),
                    "artifactType": document["artifactType"],
                    "annotations": document.get("annotations", {}),
                }
            )
            return web.Response(status=201, headers={"OCI-Subject": document["subject"]["digest"], "Docker-Content-Digest": digest})
        return await backend.forward(request)

    async with serving(native) as host, Registries({host: access_to(host)}) as registries:
        client = registries.client(host)
        subject = await client.resolve_digest(repository, "1")
        await client.push_referrer(repository, subject, REPORT)
        new = await client.push_referrer(
            repository, subject, replace(REPORT, annotations={"n": "2"}), supersede=lambda entry: entry.annotations.get("verdict") == "pass"
        )
        assert [entry.digest for entry in await client.list_referrers(repository, pushed)] == [new.digest]
        assert await client.list_referrers(repository, pushed, artifact_type="application/other") == ()
        assert not await client.has_document(repository, pushed.tag_prefix)


# copies


async def test_a_copy_brings_children_referrers_and_cosign_tags_without_a_transfer(
    client: RegistryClient, server: DockerRegistry, tmp_path: Path, repository: str
) -> None:
    folder = tmp_path / "multi"
    images = [
        make_image(folder, [make_layer({"a": name.encode()})], tag=name, config={"architecture": name, "os": "linux"})
        for name in ("amd64", "arm64")
    ]
    index = make_index(folder, images, tag="multi")
    push(index, f"{server.host}/{repository}:multi")
    digest, child = Digest.parse(index.digest), Digest.parse(images[1].digest)
    report = await client.push_referrer(repository, await client.resolve_digest(repository, index.digest), REPORT)
    signature = await client.push_referrer(repository, report, replace(REPORT, artifact_type="application/signature"))
    legacy = await client.fetch_document(repository, child)
    await client.push_document(repository, legacy.raw, legacy.descriptor.media_type, tag=f"{child.tag_prefix}.att")
    await client.push_document(repository, legacy.raw, legacy.descriptor.media_type, tag=f"{digest.tag_prefix}.sig")
    target = f"{repository}-released"
    server.clear()

    copied = await client.copy_image(repository, digest, CopyTarget(repository=target, tag="released"))

    assert copied.digest == digest
    assert not [entry for entry in server.requests() if entry.method == "PATCH" or (entry.method == "GET" and "/blobs/" in entry.path)]
    assert isinstance(await client.fetch_document(target, "released"), Index)
    assert [entry.digest for entry in await client.list_referrers(target, digest)] == [report.digest]
    assert [entry.digest for entry in await client.list_referrers(target, report.digest)] == [signature.digest]
    assert (await client.resolve_digest(target, f"{digest.tag_prefix}.sig")).digest == child


async def test_a_copy_to_another_registry_streams_what_is_not_there(
    client: RegistryClient, docker_registry: Callable[..., DockerRegistry], repository: str, pushed: Digest
) -> None:
    other = docker_registry()
    async with Registries({other.host: access_to(other.host)}) as registries:
        there = registries.client(other.host)
        for _ in range(2):
            await client.copy_image(repository, pushed, CopyTarget(repository="x/y", tag="1", registry=there, with_referrers=False))
        assert (await there.resolve_digest("x/y", "1")).digest == pushed
        source = open_source(f"{other.host}/x/y:1", registries)
        document = await source.fetch_root()
        assert isinstance(document, Manifest)
        assert source.reference == f"{other.host}/x/y:1"
        for layer in document.layers:
            assert layer.digest.matches(b"".join([chunk async for chunk in source.stream_blob(layer)]))
        assert layer.digest.matches(await source.fetch_blob(layer, limit=layer.size))
        await source.close()
    assert [entry.method for entry in other.requests()].count("PATCH") == 3


async def test_documents_nested_too_deep_are_not_copied(client: RegistryClient, repository: str, pushed: Digest) -> None:
    inner = await client.resolve_digest(repository, str(pushed))
    for _ in range(7):
        entry = {"mediaType": inner.media_type, "digest": str(inner.digest), "size": inner.size}
        content = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [entry]}).encode()
        inner = await client.push_document(repository, content, media_types.OCI_INDEX)
    with pytest.raises(LimitExceeded):
        await client.copy_image(repository, inner.digest, CopyTarget(repository=f"{repository}-deep"))


async def test_skopeo_and_we_read_the_same_image_from_its_archive(
    client: RegistryClient, repository: str, pushed: Digest, tmp_path: Path, skopeo: Path
) -> None:
    command = [skopeo, "copy", "--insecure-policy", "--src-tls-verify=false", f"docker://{client.host}/{repository}:1"]
    done = [*command, f"docker-archive:{tmp_path / 'image.tar'}:{repository}:1"]
    await asyncio.to_thread(subprocess.run, done, capture_output=True, check=True, timeout=60)
    source = open_source(f"docker-archive:{tmp_path / 'image.tar'}", Registries())
    saved, original = await source.fetch_root(), await client.fetch_document(repository, pushed)
    assert isinstance(saved, Manifest)
    assert isinstance(original, Manifest)
    assert await source.fetch_blob(saved.config, limit=MIB) == await client.fetch_blob(repository, original.config, limit=MIB)
    for layer in saved.layers:
        assert layer.digest.matches(b"".join([chunk async for chunk in source.stream_blob(layer)]))


async def test_skopeo_reads_what_we_copied(client: RegistryClient, repository: str, pushed: Digest, tmp_path: Path, skopeo: Path) -> None:
    await client.copy_image(repository, pushed, CopyTarget(repository=f"{repository}-copy", tag="2"))
    source = f"docker://{client.host}/{repository}-copy:2"
    command = [skopeo, "copy", "--insecure-policy", "--src-tls-verify=false", source, f"oci:{tmp_path}:x"]
    await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True, timeout=60)
    assert json.loads((tmp_path / "index.json").read_bytes())["manifests"][0]["digest"] == str(pushed)


# artifacts by oras


async def test_files_travel_as_an_artifact_and_come_back_verified(
    client: RegistryClient, repository: str, tmp_path: Path, oras: Path
) -> None:
    (tmp_path / "advisories.db").write_bytes(content := os.urandom(20 * MIB))
    (tmp_path / "note.txt").write_text("hello")
    files = (ArtifactFile(path=tmp_path / "advisories.db", media_type="application/x.db"), ArtifactFile(path=tmp_path / "note.txt"))
    artifact = FileArtifact(artifact_type="application/x.advisories", files=files, annotations={"built": "today"})
    reference = Reference(host=client.host, repository=repository, tag="db")
    pushed = await push_artifact(client, reference, artifact)
    document = await client.fetch_document(repository, pushed.digest)
    assert document.artifact_type == "application/x.advisories"
    assert document.annotations == {"built": "today"}

    (tmp_path / "out").mkdir()
    paths = await pull_artifact(client, reference, tmp_path / "out")
    assert [path.name for path in paths] == ["advisories.db", "note.txt"]
    assert paths[0].read_bytes() == content
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["advisories.db", "note.txt"]
    with pytest.raises(LimitExceeded):
        await pull_artifact(client, reference, tmp_path / "out", limit=MIB)

    (tmp_path / "judge").mkdir()
    command = [oras, "pull", "--plain-http", "-o", tmp_path / "judge", str(reference)]
    await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True, timeout=30)
    assert (tmp_path / "judge" / "advisories.db").read_bytes() == content


async def test_an_artifact_cannot_write_outside_its_directory(client: RegistryClient, repository: str, tmp_path: Path) -> None:
    subject = await client.push_blob(repository, b"payload")
    for name in ("../evil", "/etc/evil", "a/b", "", ".."):
        layers = (ArtifactLayer(media_type="text/plain", content=b"x", annotations={"org.opencontainers.image.title": name}),)
        evil = await client.push_referrer(repository, subject, Artifact(artifact_type="application/x.evil", layers=layers))
        with pytest.raises(InvalidManifest):
            await pull_artifact(client, Reference(host=client.host, repository=repository, digest=evil.digest), tmp_path)


async def test_an_artifact_that_was_tampered_with_is_not_kept(
    proxy: tuple[FaultyProxy, RegistryClient], repository: str, tmp_path: Path
) -> None:
    faulty, client = proxy
    (tmp_path / "a.db").write_bytes(b"good")
    reference = Reference(host=client.host, repository=repository, tag="db")
    await push_artifact(client, reference, FileArtifact(artifact_type="application/x", files=(ArtifactFile(path=tmp_path / "a.db"),)))

    async def evil(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"evil")

    async def long(_: web.Request) -> web.StreamResponse:
        return web.Response(body=bytes(MIB))

    async def down(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    (tmp_path / "out").mkdir()
    faulty.where = "/blobs/"
    for fault, error in ((evil, DigestMismatch), (long, DigestMismatch), (down, RegistryUnavailable)):
        faulty.faults.append(fault)
        began = time.monotonic()
        with pytest.raises(error):
            await pull_artifact(client, reference, tmp_path / "out")
        assert time.monotonic() - began < 2  # no sleeping between oras' own retries
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(RegistryUnavailable):
        await pull_artifact(client, reference, tmp_path / "out", seconds=0)
