"""A small OCI registry, so that the demo needs no server: the distribution API on plain files.

It behaves like docker-registry 2.8 wherever one contract suite can tell, adds the referrers API, and has neither accounts nor TLS: bind it to
loopback only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import aiohttp
from aiohttp import web

from pratique.oci.manifest import MAX_MANIFEST_BYTES
from pratique_services.demo import registry_blobs as blobs
from pratique_services.demo import registry_manifests as manifests
from pratique_services.demo.registry_events import EventQueue, Notify, Webhook, post_envelope
from pratique_services.demo.registry_replies import refuse_bad_input
from pratique_services.demo.registry_state import ALLOW_DELETE, EVENTS, STORAGE
from pratique_services.demo.registry_storage import RegistryStorage

__all__ = ["Webhook", "create_registry_app", "serve_registry"]


def create_registry_app(storage_dir: Path, *, notify: Notify | Webhook | None = None, allow_delete: bool = True) -> web.Application:
    """Build the registry on the files in `storage_dir`, which it creates.

    `notify` is told of every push of a manifest and of every delete, in order, one envelope at a time; an envelope that is refused comes again. Events that
    were not delivered before a stop are delivered after the next start.
    """
    app = web.Application(client_max_size=MAX_MANIFEST_BYTES, middlewares=[refuse_bad_input])
    app[STORAGE] = RegistryStorage(storage_dir)
    app[blobs.SESSIONS] = blobs.UploadSessions(app[STORAGE])
    app[ALLOW_DELETE] = allow_delete
    app[EVENTS] = EventQueue(storage_dir / "events")
    app.cleanup_ctx.append(partial(_delivery, notify=notify))
    app.on_response_prepare.append(_name_api)
    app.router.add_get("/v2/", _answer_ping)
    app.router.add_get("/v2/_catalog", manifests.list_repositories)
    app.router.add_get("/v2/{name:.+}/tags/list", manifests.list_tags)
    app.router.add_get("/v2/{name:.+}/referrers/{digest}", manifests.list_referrers)
    app.router.add_get("/v2/{name:.+}/manifests/{reference}", manifests.read_manifest)
    app.router.add_put("/v2/{name:.+}/manifests/{reference}", manifests.put_manifest)
    app.router.add_delete("/v2/{name:.+}/manifests/{reference}", manifests.delete_manifest)
    app.router.add_post("/v2/{name:.+}/blobs/uploads/", blobs.begin_upload)
    app.router.add_get("/v2/{name:.+}/blobs/uploads/{session}", blobs.show_upload)
    app.router.add_patch("/v2/{name:.+}/blobs/uploads/{session}", blobs.append_chunk)
    app.router.add_put("/v2/{name:.+}/blobs/uploads/{session}", blobs.finish_upload)
    app.router.add_delete("/v2/{name:.+}/blobs/uploads/{session}", blobs.cancel_upload)
    app.router.add_get("/v2/{name:.+}/blobs/{digest}", blobs.read_blob)
    app.router.add_delete("/v2/{name:.+}/blobs/{digest}", blobs.delete_blob)
    return app


@asynccontextmanager
async def serve_registry(app: web.Application, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve the registry while the context lasts, and yield its `host:port`. Port 0 means any free one."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound_host, bound_port = runner.addresses[0][:2]
        yield f"{bound_host}:{bound_port}"
    finally:
        await runner.cleanup()


async def _delivery(app: web.Application, notify: Notify | Webhook | None) -> AsyncIterator[None]:
    async with aiohttp.ClientSession() as session:
        tell = partial(post_envelope, session, notify) if isinstance(notify, Webhook) else (notify or _forget)
        task = asyncio.create_task(app[EVENTS].deliver(tell), name="registry notifications")
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _forget(_envelope: dict[str, object]) -> None:
    """Take an envelope when nobody listens."""


async def _answer_ping(_request: web.Request) -> web.Response:
    return web.json_response({})


async def _name_api(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.setdefault("Docker-Distribution-API-Version", "registry/2.0")
