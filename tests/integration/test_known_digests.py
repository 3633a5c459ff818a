"""`pratique sbom` and `scan` of what they have seen before: what is asked of the registry, and that the report is the same."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique.registry.open_question import NamedDocument, ask_openly
from pratique_services.cli import main
from tests.support.images import ImageLayout, debian_files, make_image, make_index, make_layer, push, python_files
from tests.support.registry_fakes import FaultyProxy, serving
from tests.support.servers import DockerRegistry

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def image(tmp_path: Path) -> ImageLayout:
    layers = [make_layer(debian_files({"openssl": "3.0.9-1"}, release="12")), make_layer(python_files({"requests": "2.19.0"}))]
    return make_image(tmp_path / "image", layers)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command, and answer what it wrote, without what differs from run to run, and how it ended."""

    def run(command: str, target: str, *options: str) -> tuple[int, Any]:
        output = tmp_path / "output.json"
        output.unlink(missing_ok=True)
        form = ("--format", "json") if command == "scan" else ()
        code = main([command, target, "--plain-http", "-o", str(output), *form, *options])
        document = json.loads(output.read_bytes())
        document.get("metadata", {}).pop("timestamp", None)
        return code, document

    return run


def asked(registry: DockerRegistry) -> list[str]:
    """The kinds of what was asked for since the last time: `manifests`, `blobs`."""
    kinds = [entry.path.split("/")[-2] for entry in registry.requests()]
    registry.clear()
    return kinds


@pytest.mark.parametrize("command", ["sbom", "scan"])
def test_of_a_known_tag_only_its_manifest_is_asked_for(
    shared_registry: DockerRegistry, repository: str, image: ImageLayout, run: Run, command: str
) -> None:
    target = f"{shared_registry.host}/{repository}:1"
    push(image, target)
    first = run(command, target)
    shared_registry.clear()

    assert run(command, target) == first
    assert asked(shared_registry) == ["manifests"]
    assert first == run(command, target, "--no-cache")
    assert asked(shared_registry).count("blobs") == 3  # the config and both layers


def test_of_a_known_digest_nothing_is_asked(shared_registry: DockerRegistry, repository: str, image: ImageLayout, run: Run) -> None:
    target = f"{shared_registry.host}/{repository}"
    push(image, f"{target}:1")
    first = run("sbom", f"{target}@{image.digest}")
    shared_registry.clear()

    assert run("sbom", f"{target}@{image.digest}") == first
    assert asked(shared_registry) == []


def test_an_index_is_known_by_its_own_digest(shared_registry: DockerRegistry, repository: str, tmp_path: Path, run: Run) -> None:
    folder, names = tmp_path / "index", ("amd64", "arm64")
    images = [make_image(folder, [make_layer(python_files({name: "1"}))], config={"architecture": name}) for name in names]
    target = f"{shared_registry.host}/{repository}:1"
    push(make_index(folder, images), target)
    both = run("sbom", target)
    one = run("sbom", target, "--platform", "linux/arm64")
    shared_registry.clear()

    assert run("sbom", target) == both
    assert run("sbom", target, "--platform", "linux/arm64") == one != both
    assert asked(shared_registry) == ["manifests", "manifests"]


def test_a_tag_that_moved_is_read_anew(
    shared_registry: DockerRegistry, repository: str, image: ImageLayout, tmp_path: Path, run: Run
) -> None:
    target = f"{shared_registry.host}/{repository}:1"
    push(image, target)
    run("sbom", target)
    push(make_image(tmp_path / "other", [make_layer(python_files({"flask": "2.0"}))]), target)

    _, document = run("sbom", target)
    assert [component["name"] for component in document["components"]] == ["flask"]


def test_a_damaged_cache_is_read_over(
    shared_registry: DockerRegistry, repository: str, image: ImageLayout, tmp_path: Path, run: Run
) -> None:
    target = f"{shared_registry.host}/{repository}:1"
    cache = tmp_path / "kept"
    push(image, target)
    first = run("sbom", target, "--cache-dir", str(cache))
    for file in cache.rglob("*.inventory"):
        file.write_bytes(file.read_bytes()[:-1] + b"x")

    assert run("sbom", target, "--cache-dir", str(cache)) == first


def test_a_layer_that_was_missing_once_is_looked_for_again(
    docker_registry: Callable[..., DockerRegistry], repository: str, image: ImageLayout, run: Run
) -> None:
    registry = docker_registry()
    target = f"{registry.host}/{repository}:1"
    push(image, target)
    layer = image.layers[1].removeprefix("sha256:")
    link = next(registry.folder.rglob(f"_layers/sha256/{layer}/link"))
    content = link.read_bytes()
    link.unlink()
    assert run("sbom", target)[0] == 3
    link.write_bytes(content)

    assert run("sbom", target)[0] == 0


async def test_a_registry_that_wants_to_know_who_asks_is_asked_by_the_client_alone(
    shared_registry: DockerRegistry, repository: str, image: ImageLayout, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    push(image, f"{shared_registry.host}/{repository}:1")
    proxy = FaultyProxy(shared_registry.host)

    async def front(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") == "Basic Ym90OnB3":
            return await proxy.handle(request)
        unknown.append(request.path)
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="here"'})

    unknown: list[str] = []
    async with serving(front) as host:
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": "Ym90OnB3"}}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        first = await asyncio.to_thread(run, "sbom", f"{host}/{repository}:1")
        proxy.seen.clear()
        unknown.clear()

        assert await asyncio.to_thread(run, "sbom", f"{host}/{repository}:1") == first
        assert [path.split("/")[-2] for _, path, _ in proxy.seen] == ["manifests"]
        assert len(unknown) == 1  # by the client, which learns so how to authorize


@contextmanager
def answering(content: bytes, *, pause: float = 0.0, closes: bool = True) -> Iterator[str]:
    """Answer one connection with these bytes, one at a time where there is a pause; yields `host:port`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                for position in range(0, len(content), 1 if pause else 65536):
                    connection.sendall(content[position : position + (1 if pause else 65536)])
                    time.sleep(pause)
                if not closes:
                    connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            thread.join(10)


BODY = b'{"schemaVersion": 2}'
DIGEST = Digest.of(BODY)


def answer(*headers: str, status: str = "200 OK", body: bytes = BODY) -> bytes:
    lines = (f"HTTP/1.1 {status}", "Content-Type: a/b; c=d", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def ask(host: str, seconds: float = 5.0) -> NamedDocument | None:
    return ask_openly(Reference.parse(f"{host}/app:1"), plain_http=True, user_agent="test", seconds=seconds)


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        answer(f"Content-Length: {len(BODY)}"),
        answer(f"Content-Length: {len(BODY)}", f"Docker-Content-Digest: {DIGEST}"),
        answer("Transfer-Encoding: chunked", body=b"14\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ],
)
def test_a_plain_answer_names_what_its_bytes_are(content: bytes, closes: bool) -> None:
    with answering(content, closes=closes) as host:
        assert ask(host) == NamedDocument(digest=DIGEST, media_type="a/b")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage\r\n\r\n",
        answer("Content-Length: 1", status="401 Unauthorized"),
        answer("Content-Length: 1", status="404 Not Found"),
        answer("Content-Length: 1", "Location: http://127.0.0.1:1/", status="307 Temporary Redirect"),
        answer(f"Content-Length: {len(BODY) + 1}"),
        answer(f"Content-Length: {len(BODY)}", f"Docker-Content-Digest: {Digest.of(b'')}"),
        answer("Content-Length: 9000000", body=bytes(9_000_000)),
        answer(*(f"X-{number}: x" for number in range(200))),
    ],
)
def test_anything_else_is_left_to_the_client(content: bytes) -> None:
    with answering(content) as host:
        assert ask(host) is None


def test_an_answer_that_trickles_is_not_waited_for() -> None:
    started = time.monotonic()
    with answering(answer(f"Content-Length: {len(BODY)}"), pause=0.05) as host:
        assert ask(host, seconds=0.3) is None
        assert time.monotonic() - started < 2


def test_nobody_at_all_is_left_to_the_client() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
    assert ask(host) is None


def test_behind_a_proxy_nothing_is_asked(shared_registry: DockerRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    shared_registry.clear()

    assert ask(shared_registry.host) is None
    assert shared_registry.requests() == []
