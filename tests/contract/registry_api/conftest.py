"""Two registries with one behaviour, each telling a real HTTP receiver of what happens."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from pratique.oci import media_types
from pratique_services.demo.registry import Webhook, create_registry_app, serve_registry
from tests.support.servers import DockerRegistry

_SECRET = {"Authorization": "Bearer receiver-secret"}


@dataclass(slots=True)
class Receiver:
    """Takes notifications; answers 503 to the next `failures` of them."""

    url: str = ""
    failures: int = 0
    requests: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    refused: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that were accepted, in order."""
        return [event for _headers, envelope in self.requests for event in envelope["events"]]

    async def wait_for(self, count: int) -> list[dict[str, Any]]:
        """Wait until `count` events were accepted."""
        async with asyncio.timeout(20):
            while len(self.events) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return self.events

    async def take(self, request: web.Request) -> web.Response:
        """Accept an envelope, or not."""
        content = await request.json()
        if self.failures:
            self.failures -= 1
            self.refused.set()
            return web.Response(status=503)
        self.requests.append((dict(request.headers), content))
        self.arrived.set()
        return web.Response(status=202)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a registry answered."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error code of the distribution specification."""
        code: str = self.json["errors"][0]["code"]
        return code


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A registry under test. `repository` is one that no other test uses."""

    host: str
    session: aiohttp.ClientSession
    receiver: Receiver
    repository: str = field(default_factory=lambda: f"team-a/{uuid4().hex}")

    async def ask(self, method: str, path: str, *, body: Any = None, **headers: str) -> Answer:
        """Send one request. `path` is below `/v2/`, or what a `Location` said; header names are given with underscores."""
        url = path if path.startswith("http") else f"http://{self.host}{path if path.startswith('/') else f'/v2/{path}'}"
        names = {"Accept": media_types.ACCEPT, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.session.request(method, URL(url, encoded=True), data=body, headers=names, allow_redirects=False) as answer:
            return Answer(status=answer.status, headers=answer.headers.copy(), body=await answer.read())

    async def push_blob(self, content: bytes, *, repository: str = "") -> str:
        """Push a blob and answer its digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        begun = await self.ask("POST", f"{repository or self.repository}/blobs/uploads/")
        done = await self.ask("PUT", with_digest(begun.headers["Location"], digest), body=content)
        assert done.status == 201, done
        return digest

    async def push_image(self, tag: str = "", **fields: Any) -> tuple[str, bytes]:
        """Push a manifest with its blobs, by tag or else by digest; answer its digest and its bytes."""
        content = manifest(await self.push_blob(b"{}"), await self.push_blob(b"layer"), **fields)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        done = await self.put_manifest(tag or digest, content)
        assert done.status == 201, done
        return digest, content

    async def put_manifest(self, reference: str, content: bytes | BytesIO, media_type: str = media_types.OCI_MANIFEST) -> Answer:
        """Push a manifest or an index."""
        return await self.ask("PUT", f"{self.repository}/manifests/{reference}", body=content, Content_Type=media_type)


def manifest(config: str, layer: str, **fields: Any) -> bytes:
    """Write a manifest of a config of 2 bytes and a layer of 5."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": {"mediaType": media_types.OCI_CONFIG, "digest": config, "size": 2},
        "layers": [{"mediaType": media_types.OCI_LAYER, "digest": layer, "size": 5}],
        **fields,
    }
    return json.dumps(document).encode()


def with_digest(location: str, digest: str) -> str:
    """The address that ends an upload."""
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of notifications."""
    taker = Receiver()
    app = web.Application()
    app.router.add_post("/hook", taker.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    taker.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield taker
    await runner.cleanup()


@dataclass(slots=True)
class Embedded:
    """The embedded registry, which can be stopped and started on the same files."""

    folder: Path
    receiver: Receiver
    allow_delete: bool = True

    @asynccontextmanager
    async def run(self) -> AsyncIterator[str]:
        """Serve while the context lasts."""
        webhook = Webhook(url=self.receiver.url, headers=_SECRET)
        async with serve_registry(create_registry_app(self.folder, notify=webhook, allow_delete=self.allow_delete)) as host:
            yield host


@dataclass(slots=True)
class Real:
    """docker-registry, likewise."""

    start: Callable[..., DockerRegistry]
    receiver: Receiver
    allow_delete: bool = True
    server: DockerRegistry | None = None

    @asynccontextmanager
    async def run(self) -> AsyncIterator[str]:
        """Serve while the context lasts."""
        if self.server is None:
            self.server = self.start(webhook=self.receiver.url, headers=_SECRET, allow_delete=self.allow_delete)
        else:
            self.server.start()
        try:
            yield self.server.host
        finally:
            self.server.stop()


@pytest.fixture(params=["embedded", "docker-registry"])
def kind(
    request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver, docker_registry: Callable[..., DockerRegistry]
) -> Embedded | Real:
    """One of the two, not yet running."""
    if request.param == "embedded":
        return Embedded(tmp_path / "registry", receiver)
    return Real(docker_registry, receiver)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client that follows nothing by itself."""
    async with aiohttp.ClientSession() as client:
        yield client


@pytest.fixture
async def registry(kind: Embedded | Real, session: aiohttp.ClientSession) -> AsyncIterator[Registry]:
    """One of the two, running."""
    async with kind.run() as host:
        yield Registry(host=host, session=session, receiver=kind.receiver)


@pytest.fixture
async def embedded(tmp_path: Path, receiver: Receiver, session: aiohttp.ClientSession) -> AsyncIterator[Registry]:
    """The embedded registry alone, for what it does beyond docker-registry 2.8."""
    async with Embedded(tmp_path / "registry", receiver).run() as host:
        yield Registry(host=host, session=session, receiver=receiver)
