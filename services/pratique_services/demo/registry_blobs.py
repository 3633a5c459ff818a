"""Blobs of the embedded registry: uploads in pieces, mounts, reads with ranges (OCI distribution-spec 1.1, "Pulling blobs" and "Pushing blobs")."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from aiohttp import web

from pratique.errors import InvalidDigest, InvalidReference, MissingError
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique_services.demo.registry_events import delete_event
from pratique_services.demo.registry_replies import refusal, unsupported
from pratique_services.demo.registry_state import ALLOW_DELETE, EVENTS, STORAGE, repository_of
from pratique_services.demo.registry_storage import RegistryStorage

MAX_BLOB_BYTES = 10 * 1024**3  # protects the disk against one endless upload
MAX_SESSIONS = 256  # uploads under way: protects disk and memory against ones that are never finished
_IDLE_SECONDS = 3600  # after which an upload makes room for another
_REQUEST_SECONDS = 3600  # protects against a client that sends a byte a minute
_CHUNK_BYTES = 1024 * 1024
_CONTENT_RANGE = re.compile(r"(?:bytes )?([0-9]{1,19})-([0-9]{1,19})(?:/[0-9*]{1,19})?")


@dataclass(slots=True, kw_only=True)
class _Session:
    """An upload under way. `size` is in bytes, `touched` in seconds of the monotonic clock."""

    repository: str
    path: Path
    size: int = 0
    is_busy: bool = False
    touched: float = field(default_factory=time.monotonic)


class UploadSessions:
    """The uploads under way; they end with the process."""

    def __init__(self, storage: RegistryStorage) -> None:
        self._storage = storage
        self._sessions: dict[str, _Session] = {}

    def begin(self, repository: str) -> str:
        """Open an upload and answer its name."""
        self._drop_idle()
        if len(self._sessions) >= MAX_SESSIONS:
            raise refusal("TOOMANYREQUESTS", f"{MAX_SESSIONS} uploads are under way")
        name = str(uuid4())
        path = self._storage.upload_path(name)
        path.touch()
        self._sessions[name] = _Session(repository=repository, path=path)
        return name

    def find(self, repository: str, name: str) -> _Session:
        """The upload of that name in that repository."""
        session = self._sessions.get(name)
        if session is None or session.repository != repository:
            raise refusal("BLOB_UPLOAD_UNKNOWN", "no such upload")
        return session

    @contextmanager
    def hold(self, repository: str, name: str) -> Iterator[_Session]:
        """Keep every other request away from the upload: nothing may be appended while its digest is computed."""
        session = self.find(repository, name)
        if session.is_busy:
            raise refusal("BLOB_UPLOAD_INVALID", "another request is at work on this upload")
        session.is_busy = True
        try:
            yield session
        finally:
            session.is_busy = False
            session.touched = time.monotonic()

    def end(self, name: str) -> None:
        """Forget the upload and its bytes."""
        self._sessions.pop(name).path.unlink(missing_ok=True)

    def _drop_idle(self) -> None:
        oldest = time.monotonic() - _IDLE_SECONDS
        for name in [name for name, session in self._sessions.items() if session.touched < oldest and not session.is_busy]:
            self.end(name)


SESSIONS = web.AppKey("sessions", UploadSessions)


async def read_blob(request: web.Request) -> web.StreamResponse:
    """`GET` and `HEAD /v2/<name>/blobs/<digest>`, with `Range`."""
    repository, digest = repository_of(request), Digest.parse(request.match_info["digest"])
    if not request.app[STORAGE].has_blob(repository, digest):
        raise refusal("BLOB_UNKNOWN", f"{repository} does not hold {digest}")
    headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": str(digest)}
    return web.FileResponse(request.app[STORAGE].content_path(digest), headers=headers)


async def delete_blob(request: web.Request) -> web.Response:
    """`DELETE /v2/<name>/blobs/<digest>`."""
    repository, digest = repository_of(request), Digest.parse(request.match_info["digest"])
    if not request.app[ALLOW_DELETE]:
        raise unsupported(request, "this registry keeps what it was given")
    try:
        request.app[STORAGE].remove_blob(repository, digest)
    except MissingError as error:
        raise refusal("BLOB_UNKNOWN", str(error)) from error
    request.app[EVENTS].append(delete_event(request, repository, digest=digest))
    return web.Response(status=202)


async def begin_upload(request: web.Request) -> web.Response:
    """`POST /v2/<name>/blobs/uploads/`: open an upload, or with `mount` and `from` take a blob over from another repository."""
    repository = repository_of(request)
    mounted = _mount(request, repository)
    if mounted is not None:
        return _created(repository, mounted)
    name = request.app[SESSIONS].begin(repository)
    return _progress(repository, name, 0, status=202)


async def append_chunk(request: web.Request) -> web.Response:
    """`PATCH` of an upload: append the body."""
    repository, name = repository_of(request), request.match_info["session"]
    with request.app[SESSIONS].hold(repository, name) as session:
        _require_order(request, session)
        await _append_body(request, session)
        return _progress(repository, name, session.size, status=202)


async def finish_upload(request: web.Request) -> web.Response:
    """`PUT` of an upload with `digest`: append the body, verify, keep. Once the body is read the upload is over, whatever the outcome."""
    repository, name = repository_of(request), request.match_info["session"]
    sessions = request.app[SESSIONS]
    with sessions.hold(repository, name) as session:
        digest = Digest.parse(request.query.get("digest", ""))
        _require_order(request, session)
        try:
            await _append_body(request, session)
            await asyncio.to_thread(request.app[STORAGE].adopt_blob, repository, session.path, digest)
        finally:
            sessions.end(name)
    return _created(repository, digest)


async def show_upload(request: web.Request) -> web.Response:
    """`GET` of an upload: how far it is."""
    repository, name = repository_of(request), request.match_info["session"]
    return _progress(repository, name, request.app[SESSIONS].find(repository, name).size, status=204)


async def cancel_upload(request: web.Request) -> web.Response:
    """`DELETE` of an upload."""
    name = request.match_info["session"]
    with request.app[SESSIONS].hold(repository_of(request), name):
        request.app[SESSIONS].end(name)
    return web.Response(status=204)


def _mount(request: web.Request, repository: str) -> Digest | None:
    """Link the blob that the request asks to mount; None when there is none to be had, which means a plain upload."""
    try:
        digest = Digest.parse(request.query.get("mount", ""))
        source = Reference(host="localhost", repository=request.query.get("from", "")).repository
    except (InvalidDigest, InvalidReference):
        return None
    if not request.app[STORAGE].has_blob(source, digest):
        return None
    request.app[STORAGE].link_blob(repository, digest)
    return digest


def _require_order(request: web.Request, session: _Session) -> None:
    given = request.headers.get("Content-Range")
    if given is None:
        return
    found = _CONTENT_RANGE.fullmatch(given)
    if found is None or int(found[1]) != session.size:
        raise refusal("RANGE_INVALID", f"expected a range that starts at {session.size}, got {given[:80]!r}")


async def _append_body(request: web.Request, session: _Session) -> None:
    with session.path.open("ab") as file:  # takes microseconds; the writing is left to a thread
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                async for chunk in request.content.iter_chunked(_CHUNK_BYTES):
                    await _append(file, chunk, session)
        except TimeoutError as error:
            raise refusal("BLOB_UPLOAD_INVALID", f"no end of the body within {_REQUEST_SECONDS} s") from error


async def _append(file: BinaryIO, chunk: bytes, session: _Session) -> None:
    if session.size + len(chunk) > MAX_BLOB_BYTES:
        raise refusal("SIZE_INVALID", f"a blob may have {MAX_BLOB_BYTES} bytes")
    await asyncio.to_thread(file.write, chunk)
    session.size += len(chunk)


def _progress(repository: str, name: str, size: int, *, status: int) -> web.Response:
    headers = {
        "Location": f"/v2/{repository}/blobs/uploads/{name}",
        "Range": f"0-{max(size - 1, 0)}",
        "Docker-Upload-UUID": name,
    }
    return web.Response(status=status, headers=headers)


def _created(repository: str, digest: Digest) -> web.Response:
    headers = {"Location": f"/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": str(digest)}
    return web.Response(status=201, headers=headers)
