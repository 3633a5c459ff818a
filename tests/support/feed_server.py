"""A feed server on loopback that serves an OSV bucket and other feeds as real ones do, and misbehaves on demand."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]
MODIFIED = "2024-01-02T03:04:05Z"


def osv_record(identifier: str, modified: str = MODIFIED, *, ecosystem: str = "PyPI", **fields: Any) -> dict[str, Any]:
    """A record without text that compiles: it affects one package of its own."""
    affected = {
        "package": {"ecosystem": ecosystem, "name": identifier.lower()},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
    }
    return {"id": identifier, "modified": modified, "affected": [affected], **fields}


def zip_of(records: dict[str, bytes]) -> bytes:
    """A zip with a file a record, as the bucket has it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(records):
            archive.writestr(zipfile.ZipInfo(f"{name}.json", (2024, 1, 2, 3, 4, 6)), records[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


class FeedServer:
    """Answers from `files` with strong ETags, If-None-Match, Range and If-Range. `faults` answer a path instead, in order; `always` does so each time.

    `seen` lists the requests: path, and the headers that matter.
    """

    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, bytes] = {}
        self.folder: Path | None = None
        self.faults: dict[str, list[Fault]] = {}
        self.always: dict[str, Fault] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.buckets: dict[str, dict[str, bytes]] = {}

    def put_bucket(self, ecosystem: str, records: list[dict[str, Any]]) -> None:
        """Publish an ecosystem anew: zip, index and single records."""
        contents = {record["id"]: json.dumps(record).encode() for record in records}
        self.buckets[ecosystem] = contents
        for path in [path for path in self.files if path.startswith(f"{ecosystem}/")]:
            del self.files[path]
        rows = sorted(((record["modified"], record["id"]) for record in records), reverse=True)
        self.files |= {
            "ecosystems.txt": "".join(f"{name}\n" for name in sorted(self.buckets)).encode(),
            f"{ecosystem}/all.zip": zip_of(contents),
            f"{ecosystem}/modified_id.csv": "".join(f"{modified},{name}\n" for modified, name in rows).encode(),
            **{f"{ecosystem}/{name}.json": content for name, content in contents.items()},
        }

    def put_kev(self, count: int) -> None:
        entries = [{"cveID": f"CVE-2024-{number:04}", "dateAdded": "2024-01-01"} for number in range(count)]
        self.files["kev/known_exploited_vulnerabilities.json"] = json.dumps(
            {"title": "KEV", "dateReleased": "2024-05-06T07:08:09Z", "count": count, "vulnerabilities": entries}
        ).encode()

    def asked(self, path: str) -> list[dict[str, str]]:
        """The headers of the requests for a path."""
        return [headers for asked, headers in self.seen if asked == path]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.lstrip("/")
        self.seen.append((path, dict(request.headers)))
        if self.faults.get(path):
            return await self.faults[path].pop(0)(request)
        if path in self.always:
            return await self.always[path](request)
        content = self._content(path)
        if content is None:
            raise web.HTTPNotFound
        return whole(request, content)

    def _content(self, path: str) -> bytes | None:
        if path in self.files:
            return self.files[path]
        if self.folder is None:
            return None
        ecosystem, _, name = path.partition("/")
        if (self.folder / path).is_file():
            return (self.folder / path).read_bytes()
        if not name.endswith(".json") or not (self.folder / ecosystem / "all.zip").is_file():
            return None
        with zipfile.ZipFile(self.folder / ecosystem / "all.zip") as archive:
            return archive.read(name) if name in archive.namelist() else None


def etag_of(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def whole(request: web.Request, content: bytes) -> web.Response:
    """Answer as a well-behaved server does."""
    headers = {"ETag": etag_of(content), "Accept-Ranges": "bytes"}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    start = request.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
    if start and request.headers.get("If-Range") == headers["ETag"]:
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return web.Response(status=206, body=content[int(start) :], headers=headers)
    return web.Response(body=content, headers=headers)


@asynccontextmanager
async def feed_server() -> AsyncIterator[FeedServer]:
    """Run a server on a free loopback port."""
    server = FeedServer()
    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    server.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    try:
        yield server
    finally:
        await runner.cleanup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """A feed server that runs beside a test which is not asynchronous itself."""

    server: FeedServer
    loop: asyncio.AbstractEventLoop

    def publish(self, change: Callable[[FeedServer], None]) -> None:
        """Change what the server has, between two of its answers."""

        async def apply() -> None:
            change(self.server)

        asyncio.run_coroutine_threadsafe(apply(), self.loop).result(10)


@contextmanager
def publisher() -> Iterator[Publisher]:
    """Run a server on a thread of its own: other servers have to be started from the main thread, which must not wait in a loop then."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    serving = feed_server()
    try:
        server = asyncio.run_coroutine_threadsafe(serving.__aenter__(), loop).result(10)
        try:
            yield Publisher(server=server, loop=loop)
        finally:
            asyncio.run_coroutine_threadsafe(serving.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


# what servers do wrong


def status(code: int, **headers: str) -> Fault:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


def body(content: bytes, **headers: str) -> Fault:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=content, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


def redirect(target: str) -> Fault:
    return status(302, Location=target)


def broken(content: bytes, cut: int, *, announced: int | None = None, etag: str | None = None) -> Fault:
    """Announce a file (or another length of it), send its first `cut` bytes and break the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": etag or etag_of(content), "Content-Length": str(announced or len(content))})
        await response.prepare(request)
        await response.write(content[:cut])
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


def flaky(content: bytes, cut: int) -> Fault:
    """Answer as a well-behaved server does, also to a Range, but break the connection after `cut` bytes of the body."""

    async def answer(request: web.Request) -> web.StreamResponse:
        good = whole(request, content)
        assert isinstance(good.body, bytes)
        response = web.StreamResponse(status=good.status, headers={**good.headers, "Content-Length": str(len(good.body))})
        await response.prepare(request)
        await response.write(good.body[:cut])
        await asyncio.sleep(0.01)  # so that what was written arrives
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


def unannounced_end(content: bytes, cut: int) -> Fault:
    """Send the first `cut` bytes as if they were all."""
    return body(content[:cut])


def trickle(content: bytes, *, pause: float) -> Fault:
    """Send a byte at a time: a slow loris."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(content))})
        await response.prepare(request)
        for position in range(len(content)):
            await response.write(content[position : position + 1])
            await asyncio.sleep(pause)
        return response

    return answer


def endless(chunk: bytes = bytes(65536)) -> Fault:
    """Send for as long as anybody reads, without announcing a length."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        while True:
            await response.write(chunk)

    return answer


def silent() -> Fault:
    """Take the request and say nothing."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        raise AssertionError("unreachable")

    return answer


def zip_bomb(size: int = 20 * 1024 * 1024) -> bytes:
    """A zip with one record of `size` bytes of nothing."""
    return zip_of({"PYSEC-1": bytes(size)})


def epss_file(rows: int) -> bytes:
    lines = [b"#model_version:v2025.03.14,score_date:2025-08-25T12:55:00Z\n", b"cve,epss,percentile\n"]
    return gzip.compress(b"".join([*lines, *(b"CVE-2024-%04d,0.00042,0.05\n" % number for number in range(rows))]))
