"""One registry's HTTP: authorization, redirects, retries, timeouts, concurrency. Everything foreign becomes an error of ours here.

1. A call waits for a slot; open downloads have slots of their own, so that copying (a download that feeds uploads) cannot wait for itself.
2. It carries the authorization known so far. A 401 of the registry itself is answered once, and once more where a kept token had expired.
3. Redirects of GET and HEAD are followed by hand, a few; credentials stay with the registry's own scheme, host and port.
4. Answers that are not expected become errors; those that may pass (429, 5xx, a broken connection) are tried again with growing random pauses.
"""

from __future__ import annotations

import asyncio
import io
import random
import ssl
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from pratique.errors import InputError, RefusedError, RegistryUnavailable, SettingsError
from pratique.oci.manifest import MAX_MANIFEST_BYTES
from pratique.registry.access import RegistryAccess
from pratique.registry.answers import READ_CHUNK, error_of, read_bounded, translated
from pratique.registry.auth import MAX_TOKEN_BYTES, Authenticator, TokenRequest
from pratique.registry.credentials import load_credentials

MIN_RATE = 32 * 1024  # bytes per second: a peer that trickles holds a worker for ever otherwise
_MAX_REDIRECTS = 5
_MAX_PAUSE = 30.0  # seconds between two attempts; a registry that wants a longer one is left to the caller's own schedule
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. `path` is below `/v2/` unless `url` says exactly where to (an upload). `expect` lists the statuses that are answers, not errors."""

    method: str
    path: str = ""
    url: URL | None = None
    scopes: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    expect: frozenset[int] = frozenset({200})
    follow: bool = True

    def __str__(self) -> str:
        return f"{self.method} {self.path or (self.url.path if self.url else '')}"  # without the query: it may hold a signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A small answer, read whole. `url` is where it came from, after redirects."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    url: URL


class Transport:
    """Sends calls to one registry over a shared session. The session must leave bodies undecoded (`auto_decompress=False`)."""

    def __init__(self, access: RegistryAccess, session: aiohttp.ClientSession) -> None:
        self.access = access
        self._session = session
        self._origin = access.origin
        self._auth = Authenticator(access, self._ask_token_server, load_credentials)
        self._requests = asyncio.Semaphore(access.concurrency)
        self._downloads = asyncio.Semaphore(access.concurrency)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=access.connect_timeout, sock_read=access.read_timeout)
        self._tls = _tls_context(access)

    @property
    def is_open(self) -> bool:
        """Tell whether the registry has answered everything so far without asking for authorization."""
        return not self._auth.is_needed

    async def send(self, call: Call, *, limit: int = MAX_MANIFEST_BYTES) -> Answer:
        """Send a call and read its whole answer, of at most `limit` bytes; retry what may pass.

        Raises RegistryUnavailable, RefusedError, MissingError, InputError.
        """
        return await self.retrying(lambda: self.send_once(call, limit=limit))

    async def send_once(self, call: Call, *, limit: int = MAX_MANIFEST_BYTES) -> Answer:
        """Do as `send`, without retries: for what cannot be repeated on its own."""
        seconds = 2 * self.access.read_timeout + (limit + len(call.body or b"")) / MIN_RATE
        async with self._requests, translated(self.access.host, str(call)), asyncio.timeout(seconds), self._exchange(call) as response:
            body = b"" if call.method == "HEAD" else await read_bounded(response, limit, str(call))
            return Answer(status=response.status, headers=response.headers, body=body, url=response.url)

    @asynccontextmanager
    async def download(self, call: Call) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open an answer whose body is read in pieces. No retries. Raises like `send`, also for what happens while the body is read."""
        async with self._downloads, translated(self.access.host, str(call)), self._exchange(call) as response:
            yield response

    async def retrying(self, operation: Callable[[], Awaitable[_T]]) -> _T:
        """Run `operation` until it does not raise RegistryUnavailable, or the attempts are used up."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await operation()
            except RegistryUnavailable as error:
                pause = self.pause_after(error, attempt)
            await asyncio.sleep(pause)

    def pause_after(self, error: RegistryUnavailable, attempt: int) -> float:
        """Give the seconds to wait after failed attempt number `attempt` (full jitter, or what the registry asked for), or raise `error` for good."""
        if attempt >= self.access.max_attempts or (error.retry_after or 0.0) > _MAX_PAUSE:
            raise error
        jitter = random.uniform(0, min(_MAX_PAUSE, self.access.backoff * 2 ** (attempt - 1)))  # noqa: S311 - no secret
        return (error.retry_after or 0.0) + jitter

    async def authorization(self, scopes: tuple[str, ...]) -> str | None:
        """Give the `Authorization` header that the registry wants for `scopes`, after asking it; None if it wants none."""
        await self.send(Call(method="GET", path="", scopes=scopes, expect=frozenset({200, 404})), limit=READ_CHUNK)
        return await self._auth.authorization(scopes)

    def locate(self, base: URL, location: str | None) -> URL:
        """Resolve a `Location` or `Link` against where it came from, leaving its query as signed.

        Raises RefusedError for plain http where it is not allowed, InputError for what is no http URL.
        """
        try:
            url = base.join(URL(location or "", encoded=True))
        except ValueError as error:
            raise InputError(f"registry {self.access.host} redirects to what is no URL") from error
        if url.scheme == "http" and not self.access.plain_http:
            raise RefusedError(
                f"registry {self.access.host} redirects to http://{url.host}: set plain_http to allow connections without TLS"
            )
        if not location or url.scheme not in {"http", "https"} or not url.host or url.user is not None:
            raise InputError(f"registry {self.access.host} redirects to what is no http(s) URL")
        return url

    def is_own(self, url: URL) -> bool:
        """Tell whether `url` lies on the registry itself: same scheme, host and port."""
        return url.origin() == self._origin

    @asynccontextmanager
    async def _exchange(self, call: Call) -> AsyncIterator[aiohttp.ClientResponse]:
        response = await self._authorized(call)
        try:
            if response.status not in call.expect:
                raise await error_of(response, self.access.host, str(call))
            yield response
        finally:
            response.release()  # closes the connection where the body was not read to its end

    async def _authorized(self, call: Call) -> aiohttp.ClientResponse:
        authorization = await self._auth.authorization(call.scopes)
        response = await self._follow(call, authorization)
        for _ in range(2):
            if response.status != HTTPStatus.UNAUTHORIZED or not self.is_own(response.url):
                break
            challenges = response.headers.getall("WWW-Authenticate", [])
            response.release()
            authorization = await self._auth.renew(challenges, call.scopes, authorization)
            response = await self._follow(call, authorization)
        return response

    async def _follow(self, call: Call, authorization: str | None) -> aiohttp.ClientResponse:
        url = call.url or self._origin.with_path(f"/v2/{call.path}").with_query(dict(call.parameters) or None)
        for _ in range(_MAX_REDIRECTS + 1):
            response = await self._request(call, url, authorization)
            if response.status not in _REDIRECTS or not call.follow or call.method not in {"GET", "HEAD"}:
                return response
            location = response.headers.get("Location")
            response.release()
            url = self.locate(url, location)
        raise InputError(f"registry {self.access.host} redirects more than {_MAX_REDIRECTS} times for {call}")

    async def _request(self, call: Call, url: URL, authorization: str | None) -> aiohttp.ClientResponse:
        headers = {"Accept-Encoding": "identity", **call.headers}
        if authorization is not None and self.is_own(url):
            headers["Authorization"] = authorization
        async with asyncio.timeout(self.access.connect_timeout + self.access.read_timeout + len(call.body or b"") / MIN_RATE):
            return await self._session.request(
                call.method,
                url,
                headers=headers,
                data=None if call.body is None else io.BytesIO(call.body),  # sent in pieces, so that the loop goes on
                allow_redirects=False,
                ssl=self._tls,
                timeout=self._timeout,
                proxy=proxy_of(url),
            )

    async def _ask_token_server(self, request: TokenRequest) -> bytes:
        return await self.retrying(lambda: self._ask_token_server_once(request))

    async def _ask_token_server_once(self, request: TokenRequest) -> bytes:
        what = f"{request.method} {request.url.with_query(None)}"
        is_get = request.method == "GET"
        headers = {"Accept-Encoding": "identity", **({"Authorization": request.authorization} if request.authorization else {})}
        limits = asyncio.timeout(self.access.connect_timeout + self.access.read_timeout)
        sending = self._session.request(
            request.method,
            request.url,
            params=request.parameters if is_get else None,
            data=None if is_get else dict(request.parameters),
            headers=headers,
            allow_redirects=False,
            ssl=self._tls,
            timeout=self._timeout,
            proxy=proxy_of(request.url),
        )
        async with translated(self.access.host, what), limits, sending as response:
            if response.status != HTTPStatus.OK:
                raise await error_of(response, self.access.host, what)
            return await read_bounded(response, MAX_TOKEN_BYTES, what)


def _tls_context(access: RegistryAccess) -> ssl.SSLContext | bool:
    if access.ca_file is None:
        return True
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=access.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"registry {access.host}: cannot read certificates in {access.ca_file}: {error}") from error
    return context


def proxy_of(url: URL) -> str | None:
    """Give the proxy that the environment names (`HTTPS_PROXY`, `NO_PROXY`). Like Go's clients, never one for this very machine."""
    host = url.host or ""
    if host == "localhost" or host.startswith("127.") or host == "::1":
        return None
    proxy = urllib.request.getproxies().get(url.scheme)
    return None if proxy is None or urllib.request.proxy_bypass(host) else proxy
