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

SECONDS = 5.0  # for the whole exchange: a registry that needs longer gets the client's patience
_MAX_BYTES = 4 * 1024 * 1024 + 64 * 1024  # a manifest at its limit, and headers
_PORTS = {False: 443, True: 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDocument:
    """A manifest or index that a tag names: its digest, computed from its bytes, and the media type it was served as."""

    digest: Digest
    media_type: str


def ask_openly(reference: Reference, *, plain_http: bool, user_agent: str, seconds: float = SECONDS) -> NamedDocument | None:
    """Ask a registry what a reference names, as nobody in particular; None where that gives no plain answer within `seconds`. Blocking."""
    if _may_need_proxy():
        return None
    host, port = _address(reference.host, _PORTS[plain_http])
    try:
        deadline = time.monotonic() + seconds
        with socket.create_connection((host, port), timeout=seconds) as plain, _secured(plain, host, plain_http) as connection:
            connection.sendall(_request(reference, user_agent))
            return _read(_Answer(connection, deadline))
    except (OSError, ValueError, http.client.HTTPException):  # ValueError: a name that cannot be encoded
        return None


def _may_need_proxy() -> bool:
    names = {name.lower() for name, value in os.environ.items() if value}
    return not names.isdisjoint({"http_proxy", "https_proxy", "all_proxy"})


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


class _Answer(io.RawIOBase):
    """What a connection brings, for `http.client`, within a time and a size that a socket's own timeouts do not bound."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = deadline
        self._room = _MAX_BYTES

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # all that a BufferedReader gives
        left = self._deadline - time.monotonic()
        if left <= 0 or self._room <= 0:
            raise TimeoutError("no answer within the time and size that one may have")
        self._connection.settimeout(left)
        count = self._connection.recv_into(buffer)
        self._room -= count
        return count


def _read(answer: _Answer) -> NamedDocument | None:
    response = http.client.HTTPResponse(answer, method="GET")  # type: ignore[arg-type] # all that it asks of a socket is a file
    response.begin()
    body = response.read()
    digest = Digest.of(body)
    if response.status != http.client.OK or response.getheader("Docker-Content-Digest", str(digest)) != str(digest):
        return None
    return NamedDocument(digest=digest, media_type=response.getheader("Content-Type", "").partition(";")[0].strip())
