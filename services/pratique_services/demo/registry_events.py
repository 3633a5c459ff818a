"""Notifications of the embedded registry, in distribution's envelope (distribution, `notifications/event.go`).

Like docker-registry with `ignoredmediatypes: [application/octet-stream]` and `ignore: {actions: [pull]}`: pushes of manifests, and deletes. Unlike
it, events wait in files, so that a restart loses none, and a full queue refuses the push instead of growing.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import aiohttp
import structlog
from aiohttp import web

from pratique.errors import UnavailableError
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Index, Manifest

CONTENT_TYPE = "application/vnd.docker.distribution.events.v1+json"
MAX_WAITING = 1000  # events: protects the disk when nobody listens
_RETRY_SECONDS = (0.2, 0.5, 1, 2, 5)  # the last is repeated
_BAD_STATUS = 400  # docker-registry takes a redirect for an acceptance, too

Envelope = dict[str, object]
Notify = Callable[[Envelope], Awaitable[None]]
"""Takes one envelope; whatever it raises, the envelope comes again."""

_LOG: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver of notifications over HTTP. `timeout` is in seconds."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # they carry the receiver's secret
    timeout: float = 5


def push_event(request: web.Request, repository: str, document: Manifest | Index, tag: str | None) -> Envelope:
    """Describe the push of a manifest; `tag` is None when it was pushed by digest."""
    own = document.descriptor
    referenced = document.manifests if isinstance(document, Index) else (document.config, *document.layers)
    target: Envelope = {
        **_descriptor(own),
        "length": own.size,
        "repository": repository,
        "url": f"{request.scheme}://{request.host}/v2/{repository}/manifests/{own.digest}",
        "references": [_descriptor(reference) for reference in referenced],
    }
    if tag is not None:
        target["tag"] = tag
    return _envelope(request, "push", target)


def delete_event(request: web.Request, repository: str, *, digest: Digest | None = None, tag: str | None = None) -> Envelope:
    """Describe the removal of a blob, of a manifest, or of one tag that went with it."""
    what = {"tag": tag} if digest is None else {"digest": str(digest)}
    return _envelope(request, "delete", {**what, "repository": repository})


class EventQueue:
    """Events in the order of what happened, kept in `folder` until delivered."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._arrived = asyncio.Event()
        self._next = max((int(path.stem) for path in self._waiting()), default=0) + 1

    @property
    def is_full(self) -> bool:
        """Tell whether nothing more may be pushed until events are delivered."""
        return len(self._waiting()) >= MAX_WAITING

    def append(self, envelope: Envelope) -> None:
        """Keep an event for delivery; it is on disk when this returns."""
        path = self._folder / f"{self._next:012d}.json"
        self._next += 1
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(envelope))
        temporary.replace(path)
        self._arrived.set()

    async def deliver(self, notify: Notify) -> None:
        """Deliver events one after the other until cancelled. Each is tried until it is accepted: the next one waits."""
        while True:
            self._arrived.clear()
            for path in self._waiting():
                await _deliver_one(self._load(path), notify)
                self._drop(path)
            await self._arrived.wait()

    def _waiting(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"))

    def _load(self, path: Path) -> Envelope:
        envelope: Envelope = json.loads(path.read_bytes())
        return envelope

    def _drop(self, path: Path) -> None:
        path.unlink()


async def _deliver_one(envelope: Envelope, notify: Notify) -> None:
    attempt = 0
    while not await _is_accepted(envelope, notify):
        await asyncio.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
        attempt += 1


async def _is_accepted(envelope: Envelope, notify: Notify) -> bool:
    try:
        await notify(envelope)
    except Exception as error:  # noqa: BLE001 - the receiver is outside: no failure of it may end the delivery of what follows
        _LOG.warning("event.refused", reason=str(error), kind=type(error).__name__)
        return False
    return True


async def post_envelope(session: aiohttp.ClientSession, webhook: Webhook, envelope: Envelope) -> None:
    """Send one envelope.

    Raises UnavailableError when it was not accepted.
    """
    timeout = aiohttp.ClientTimeout(total=webhook.timeout)
    headers = {**webhook.headers, "Content-Type": CONTENT_TYPE}
    try:
        request = session.post(webhook.url, data=json.dumps(envelope), headers=headers, timeout=timeout, allow_redirects=False)
        async with request as answer:
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnavailableError(f"webhook {webhook.url} does not answer: {type(error).__name__}") from error
    if status >= _BAD_STATUS:
        raise UnavailableError(f"webhook {webhook.url} answers {status}")


def _envelope(request: web.Request, action: str, target: Envelope) -> Envelope:
    event = {
        "id": str(uuid4()),
        "timestamp": dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z"),
        "action": action,
        "target": target,
        "request": {
            "id": str(uuid4()),
            "addr": request.remote or "",
            "host": request.host,
            "method": request.method,
            "useragent": request.headers.get("User-Agent", ""),
        },
        "actor": {},
        "source": {"addr": socket.gethostname(), "instanceID": _INSTANCE},
    }
    return {"events": [event]}


def _descriptor(descriptor: Descriptor) -> Envelope:
    return {"mediaType": descriptor.media_type, "size": descriptor.size, "digest": str(descriptor.digest)}


_INSTANCE = str(uuid4())
