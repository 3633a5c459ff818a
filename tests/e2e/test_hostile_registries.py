"""Registries that answer garbage: a scan of what they hold ends soon, incomplete or unfinished, and says why."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from tests.support.hostile_images import GOOD, RawLayout, random_bytes
from tests.support.images import OCI_MANIFEST
from tests.support.registry_fakes import serving
from tests.support.scans import scan

MAX_SECONDS = 30
MAX_BYTES = 600 * 1024**2
Answer = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Garbage:
    """How a registry misbehaves: what it answers for the manifest and for the layer, given the right bytes; what it promises of the layer's size."""

    word: str
    manifest: Answer | None = None
    layer: Answer | None = None
    promised: int = 0
    has_report: bool = True


async def send(_: web.Request, body: bytes, **headers: str) -> web.StreamResponse:
    return web.Response(body=body, headers={"Content-Type": OCI_MANIFEST, **headers})


def endless(unit: bytes, first: bytes = b"") -> Answer:
    """An answer without an end or a length."""

    async def answer(request: web.Request, _: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": OCI_MANIFEST})
        await response.prepare(request)
        await response.write(first)
        while True:  # until the client goes, which the server raises here
            await response.write(unit)

    return answer


def with_length(difference: int) -> Answer:
    """An answer whose Content-Length is not its length; the connection is closed at its end."""

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        length = len(body) + difference
        response = web.StreamResponse(headers={"Content-Type": OCI_MANIFEST, "Content-Length": str(length)})
        await response.prepare(request)
        await response.write(body[:length])
        if request.transport is not None:
            request.transport.close()
        return response

    return answer


def redirected(location: str = "") -> Answer:
    """A redirect, to itself if nothing else is said."""

    async def answer(request: web.Request, _: bytes) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": location or request.path})

    return answer


def with_headers(**headers: str) -> Answer:
    return lambda request, body: send(request, body, **{name.replace("_", "-"): value for name, value in headers.items()})


async def refuse(request: web.Request, _: bytes) -> web.StreamResponse:
    """Ask for a token, whatever token comes."""
    return web.Response(status=401, headers={"WWW-Authenticate": f'Bearer realm="http://{request.host}/token",service="x"'})


def replaced(content: Callable[[bytes], bytes]) -> Answer:
    return lambda request, body: send(request, content(body))


def deflated_zeros() -> tuple[bytes, bytes]:
    """The start of an endless gzip stream of zeros, and what repeats in it."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = deflate.compress(b"") + deflate.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + head, deflate.compress(bytes(64 * 1024**2)) + deflate.flush(zlib.Z_FULL_FLUSH)


ZEROS = deflated_zeros()
CASES = {
    "a manifest of 100 MB": Garbage("104857600 bytes", manifest=replaced(lambda _: b"x" * 100 * 1024**2)),
    "an endless manifest": Garbage("more than 4194304 bytes", manifest=endless(bytes(1024**2))),
    "a manifest of random bytes": Garbage("not JSON", manifest=replaced(lambda _: random_bytes(1000))),
    "a manifest that is too short": Garbage("ContentLength|Payload", manifest=with_length(1000), has_report=False),
    "a manifest that is cut": Garbage("not JSON", manifest=with_length(-10)),
    "a manifest with another digest": Garbage("expected sha256", manifest=with_headers(Docker_Content_Digest=f"sha256:{64 * '0'}")),
    "a manifest with a digest that is none": Garbage("hex digits", manifest=with_headers(Docker_Content_Digest="sha256:../../etc/passwd")),
    "a manifest with a megabyte of headers": Garbage("LineTooLong|400", manifest=with_headers(Junk="x" * 1024**2), has_report=False),
    "a manifest that redirects to itself": Garbage("redirects more than", manifest=redirected()),
    "a manifest that redirects to a file": Garbage("no http", manifest=redirected("file:///etc/passwd")),
    "a manifest that asks for one token after the other": Garbage("401", manifest=refuse, has_report=False),
    "a layer without an end": Garbage("more than the promised", layer=endless(random_bytes(1024**2))),
    "a layer without an end, promised so": Garbage("decompression bomb", layer=endless(ZEROS[1], ZEROS[0]), promised=2**50),
    "a layer with another length": Garbage("the registry has", layer=with_length(7)),
    "a layer of other bytes": Garbage("with digest", layer=replaced(lambda body: body[:4] + b"time" + body[8:])),
    "a layer that redirects to itself": Garbage("redirects more than", layer=redirected()),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
async def test_what_a_hostile_registry_serves_is_never_passed(name: str, tmp_path: Path, advisories: Path) -> None:
    case = CASES[name]
    layout = RawLayout(tmp_path)
    layer = layout.layer(GOOD)
    digest = layer.descriptor["digest"]
    if case.promised:
        layer.descriptor["size"] = case.promised
    manifest = layout.path(layout.image(layer)["digest"]).read_bytes()

    async def answer(request: web.Request) -> web.StreamResponse:
        if "/manifests/" in request.path:
            return await (case.manifest or send)(request, manifest)
        if "/blobs/" in request.path:
            found = request.path.rpartition("/")[2]
            return await (case.layer if case.layer and found == digest else send)(request, layout.path(found).read_bytes())
        return web.json_response({"token": "this"})

    async with serving(answer) as host:
        done = await asyncio.to_thread(scan, f"{host}/x:1", advisories, "--plain-http", "--fail-on", "critical")

    assert done.code == 3, done
    assert "Traceback" not in done.errors
    assert done.seconds < MAX_SECONDS
    assert done.peak_bytes < MAX_BYTES
    if case.has_report:
        assert done.report["verdict"]["status"] == "incomplete"
        assert re.search(case.word, done.reasons), done.reasons
    else:
        assert done.output == ""
        assert re.search(case.word, done.errors), done.errors
        assert done.errors.count("\n") == 1
