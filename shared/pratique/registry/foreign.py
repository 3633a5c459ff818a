"""Layers whose bytes lie outside the registry: descriptors with `urls`, as the base layers of Windows images have them.

An image says where its layers lie, so whoever pushes one could make this process fetch from anywhere. Therefore

1. only hosts that an operator allowed are asked, by https; by plain http only this very machine, where its entry says so;
2. redirects are followed by hand, a few, and only to allowed hosts;
3. no credentials and no cookies go along;
4. addresses that a name leads to are looked at before they are connected to: those of a cloud's own services are refused, whatever the name.

Private addresses are not refused: a mirror within the company is what an operator may well allow. Behind a proxy it is the proxy that resolves names.
The bytes are verified by who reads the layer, like all others. Source: OCI image-spec, descriptor.md ("urls") and layer.md ("Non-Distributable Layers").
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import random
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from pratique import __version__
from pratique.errors import InputError, MissingError, RefusedError, RegistryUnavailable, SettingsError, UnavailableError
from pratique.oci import media_types
from pratique.oci.manifest import Descriptor
from pratique.registry.answers import error_of, translated
from pratique.registry.blob_stream import BlobStream
from pratique.registry.interface import ImageSource
from pratique.registry.transport import proxy_of

_MAX_ADDRESSES = 4  # of one layer: an image must not make us knock at a hundred doors
_ROUNDS = 2  # over a layer's addresses
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONCURRENCY = 4
_PAUSE = 1.0  # seconds at most between two rounds
_ANSWERS = frozenset({200, 206, 416})
_METADATA = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"))
)  # of Alibaba, Azure, Oracle and AWS, beside those that are link-local


@dataclass(frozen=True, slots=True)
class ForeignHost:
    """A host that layers may be fetched from. `name` may begin with `*.` for everything below it."""

    scheme: str
    name: str
    port: int

    @classmethod
    def parse(cls, text: str) -> ForeignHost:
        """Read `HOST[:PORT]`, or `http://HOST[:PORT]` for this very machine.

        Raises SettingsError.
        """
        rest = text.removeprefix("*.")
        with contextlib.suppress(ValueError):
            url = URL(rest if "://" in rest else f"https://{rest}")
            host, port = url.host or "", url.port or 0
            is_whole = bool(host and port) and url == url.origin() and not _is_disguised(host)
            if is_whole and (url.scheme == "https" or (url.scheme == "http" and _is_this_machine(host))):
                return cls(url.scheme, host if rest == text else f"*.{host}", port)
        raise SettingsError(
            f"foreign layers: expected HOST[:PORT], *.HOST, or http://127.0.0.1:PORT for this very machine, got {text[:140]!r}"
        )

    def admits(self, url: URL) -> bool:
        """Tell whether an address lies on this host."""
        host = url.host or ""
        is_named = host.endswith(self.name[1:]) if self.name.startswith("*.") else host == self.name
        return is_named and (url.scheme, url.port) == (self.scheme, self.port)


class ForeignLayers:
    """Fetches layers from the hosts that are allowed; with none, it only says which one would have to be. A context manager that closes its connections."""

    def __init__(
        self,
        hosts: Collection[str] = (),
        *,
        user_agent: str = f"pratique/{__version__}",
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
    ) -> None:
        """Keep the hosts, as `ForeignHost.parse` reads them. Times are in seconds. Raises SettingsError."""
        self._hosts = tuple(map(ForeignHost.parse, hosts))
        self._user_agent = user_agent
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._turns = asyncio.Semaphore(_CONCURRENCY)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def stream_of(self, source: ImageSource, layer: Descriptor) -> AsyncIterator[bytes]:
        """Stream a layer of an image: the source's own bytes where it has them, else what `stream` gives."""
        is_foreign = bool(layer.urls) or media_types.is_foreign_layer(layer.media_type)
        return self._stream_either(source, layer) if is_foreign else source.stream_blob(layer)

    async def _stream_either(self, source: ImageSource, layer: Descriptor) -> AsyncIterator[bytes]:
        has_begun = False
        try:
            async with _closing(source.stream_blob(layer)) as chunks:
                async for chunk in chunks:
                    has_begun = True
                    yield chunk
            return
        except MissingError:
            if has_begun:
                raise
        async with _closing(self.stream(layer)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def stream(self, layer: Descriptor) -> AsyncIterator[bytes]:
        """Stream a layer from its addresses: the next one goes on where one broke off. The digest is NOT verified: who reads the layer does that.

        Raises MissingError where no allowed host has it, DigestMismatch for a wrong size, RegistryUnavailable where one may have it later.
        """
        blob = BlobStream(descriptor=layer, patience=self._read_timeout)
        waiting, reasons = self._allowed(layer), dict[str, None]()
        for _ in range(_ROUNDS):
            broken: list[URL] = []
            for url in waiting:
                try:
                    async with self._turns, self._open(url, blob) as response:
                        async for chunk in blob.read(response):
                            yield chunk
                    return
                except UnavailableError as error:
                    broken.append(url)
                    reasons[str(error)] = None
                except (RefusedError, MissingError, InputError) as error:
                    if blob.offset and isinstance(error, InputError):  # what came first cannot be taken back
                        raise
                    reasons[str(error)] = None
            waiting = broken
            if waiting:
                await asyncio.sleep(random.uniform(0, _PAUSE))  # noqa: S311 - no secret
        text = f"the layer lies outside the registry and could not be fetched: {'; '.join(reasons)}"
        raise RegistryUnavailable(text) if waiting else MissingError(text)

    def _allowed(self, layer: Descriptor) -> list[URL]:
        """The addresses on allowed hosts.

        Raises MissingError that says what would have to be allowed.
        """
        urls = list(_parse_addresses(layer.urls))
        allowed = [url for url in urls if self._admits(url)][:_MAX_ADDRESSES]
        if allowed:
            return allowed
        if not urls:
            raise MissingError("the layer lies outside the registry, and says nowhere where (foreign layer without a usable address)")
        hosts = " or ".join(dict.fromkeys(_name_of(url) for url in urls[:_MAX_ADDRESSES]))
        raise MissingError(
            f"the layer lies outside the registry, on {hosts}: nothing is fetched from there unless it is among scanner.foreign_layer_hosts (--foreign-layers)"
        )

    def _admits(self, url: URL) -> bool:
        return any(host.admits(url) for host in self._hosts)

    @asynccontextmanager
    async def _open(self, url: URL, blob: BlobStream) -> AsyncIterator[aiohttp.ClientResponse]:
        what = f"GET {url.path[:200]}"
        async with translated(_name_of(url), what):
            response = await self._follow(url, blob)
            try:
                if response.status not in _ANSWERS or (response.status != 200 and not blob.offset):  # noqa: PLR2004
                    raise await error_of(response, _name_of(response.url), what)
                yield response
            finally:
                response.release()

    async def _follow(self, url: URL, blob: BlobStream) -> aiohttp.ClientResponse:
        for _ in range(_MAX_REDIRECTS + 1):
            response = await self._request(url, blob)
            if response.status not in _REDIRECTS:
                return response
            location = response.headers.get("Location", "")
            response.release()
            targets = list(_parse_addresses([str(_join(url, location))]))
            if not targets or not self._admits(targets[0]):
                name = _name_of(targets[0]) if targets else "what is no address"
                raise RefusedError(f"{_name_of(url)} redirects to {name}, which is not allowed for foreign layers")
            url = targets[0]
        raise InputError(f"{_name_of(url)} redirects more than {_MAX_REDIRECTS} times")

    async def _request(self, url: URL, blob: BlobStream) -> aiohttp.ClientResponse:
        refuse_address(url.host or "", url.host or "")
        async with asyncio.timeout(self._connect_timeout + self._read_timeout):
            return await self._open_session().request(
                "GET",
                url,
                headers={"Accept-Encoding": "identity", **blob.range_headers},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout, sock_read=self._read_timeout),
                proxy=proxy_of(url),
            )

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONCURRENCY, resolver=_CarefulResolver()),
                headers={"User-Agent": self._user_agent},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


class _CarefulResolver(AbstractResolver):
    """Resolves names, and keeps none of the addresses that are refused. The connection goes to what this answers: nobody asks twice."""

    def __init__(self) -> None:
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        kept = []
        refusal: RefusedError | None = None
        for entry in found:
            try:
                refuse_address(host, entry["host"])
            except RefusedError as error:
                refusal = error
            else:
                kept.append(entry)
        if refusal is not None and not kept:
            raise refusal
        return kept

    async def close(self) -> None:
        await self._inner.close()


@asynccontextmanager
async def _closing(chunks: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """End the transfer when its reader stops early."""
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


def refuse_address(name: str, address: str) -> None:
    """Raise RefusedError for an address that no layer is fetched from; names pass."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return
    inner = _embedded(found)
    if inner.is_loopback:
        is_refused = not _is_this_machine(name)
    else:
        is_refused = inner.is_link_local or inner.is_multicast or inner.is_unspecified or inner.is_reserved or inner in _METADATA
    if is_refused:
        raise RefusedError(f"{name[:140]} leads to {found}, where no layers are fetched from")


def _embedded(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address within an IPv6 one that only stands for it: mapped, 6to4, or translated (RFC 6052)."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in ipaddress.ip_network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_disguised(name: str) -> bool:
    """Tell an address that is written as a number, `2130706433` or `127.1`: connecting to it asks no resolver."""
    return name.replace(".", "").isdigit() and name.count(".") != 3  # noqa: PLR2004


def _is_this_machine(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _parse_addresses(texts: Iterable[str]) -> Iterable[URL]:
    """Yield what is an http(s) address without a user in it."""
    for text in texts:
        with contextlib.suppress(ValueError):
            url = URL(text, encoded=True)
            if url.scheme in {"http", "https"} and url.host and url.user is None and url.password is None:
                yield url


def _join(base: URL, location: str) -> URL:
    try:
        return base.join(URL(location, encoded=True))
    except ValueError as error:
        raise InputError(f"{_name_of(base)} redirects to what is no address") from error


def _name_of(url: URL) -> str:
    """Name an address's host for people, with its scheme where that is what is wrong with it."""
    name = f"{url.host}:{url.explicit_port}" if url.explicit_port else f"{url.host}"
    return f"http://{name}"[:200] if url.scheme == "http" else name[:200]
