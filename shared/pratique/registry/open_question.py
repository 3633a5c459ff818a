"""What a tag names now, asked without the client: one request to a registry that is known to answer anybody.

Importing the client takes longer than all the rest of a run that finds its answer in a cache. This knows no credentials, tokens, redirects, proxies or second attempts: whatever
is not a plain answer is left to the client, which knows them all.
"""

from __future__ import annotations

import http.client
import io
import os
import socket
import ssl
import time
from dataclasses import dataclass

from pratique.oci.digest import Digest
from pratique.oci.media_types import ACCEPT
from pratique.oci.reference import Reference

_SECONDS = 5.0  # for the whole exchange: a registry that needs longer gets the client's patience
_MAX_BYTES = 4 * 1024 * 1024 + 64 * 1024  # a manifest at its limit, and headers
_CHUNK = 64 * 1024
_PORTS = {False: 443, True: 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDocument:
    """A manifest or index that a tag names: its digest, computed from its bytes, and the media type it was served as."""

    digest: Digest
    media_type: str


def ask_openly(reference: Reference, *, plain_http: bool, user_agent: str) -> NamedDocument | None:
    """Ask a registry what a reference names, as nobody in particular; None where that gives no plain answer. Blocking, for a few seconds at most."""
    if _may_need_proxy():
        return None
    try:
        return _read(_exchange(reference, plain_http=plain_http, user_agent=user_agent))
    except (OSError, ValueError, http.client.HTTPException):  # ValueError: a name that cannot be encoded
        return None


def _may_need_proxy() -> bool:
    names = {name.lower() for name, value in os.environ.items() if value}
    return not names.isdisjoint({"http_proxy", "https_proxy", "all_proxy"})


def _exchange(reference: Reference, *, plain_http: bool, user_agent: str) -> bytes:
    """Send the request, and read until the registry closes the connection. What exceeds a limit is cut off, and so is no plain answer."""
    deadline = time.monotonic() + _SECONDS
    host, port = _address(reference.host, _PORTS[plain_http])
    with socket.create_connection((host, port), timeout=_SECONDS) as plain, _secured(plain, host, plain_http) as connection:
        connection.sendall(_request(reference, user_agent))
        answer = bytearray()
        while len(answer) <= _MAX_BYTES and (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            chunk = connection.recv(_CHUNK)
            if not chunk:
                return bytes(answer)
            answer += chunk
    return b""


def _secured(connection: socket.socket, host: str, plain_http: bool) -> socket.socket:
    return connection if plain_http else ssl.create_default_context().wrap_socket(connection, server_hostname=host)


def _address(host: str, default_port: int) -> tuple[str, int]:
    """Split a reference's host, which was checked: `registry.example:5000`, `[::1]:5000`."""
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host, str(default_port)
    return name.strip("[]"), int(port)


def _request(reference: Reference, user_agent: str) -> bytes:
    lines = (
        f"GET /v2/{reference.repository}/manifests/{reference.locator} HTTP/1.1",
        f"Host: {reference.host}",
        f"User-Agent: {user_agent}",
        f"Accept: {ACCEPT}",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


class _Received:
    """Looks like a socket to `http.client`, and has been read already: within a time that a socket's own timeouts do not bound."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._content)


def _read(answer: bytes) -> NamedDocument | None:
    response = http.client.HTTPResponse(_Received(answer), method="GET")  # type: ignore[arg-type] # all that it asks of a socket
    response.begin()
    body = response.read()
    digest = Digest.of(body)
    if response.status != http.client.OK or response.getheader("Docker-Content-Digest", str(digest)) != str(digest):
        return None
    return NamedDocument(digest=digest, media_type=response.getheader("Content-Type", "").partition(";")[0].strip())
