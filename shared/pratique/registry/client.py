"""The registry client, and the registries of a process behind one session."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp

from pratique import __version__
from pratique.registry.access import RegistryAccess
from pratique.registry.copying import CopyCalls
from pratique.registry.transport import Call, Transport

USER_AGENT = f"pratique/{__version__}"
"""What pratique calls itself; the gateway knows its own pushes by it."""
_READ_BUFFER = 512 * 1024  # bytes: with aiohttp's 64 KiB a download stops and starts all the time


class RegistryClient(CopyCalls):
    """Everything pratique does with one registry.

    The calls are grouped by what they work on: documents (manifests, indexes, tags), blobs, referrers, copies.
    """

    @classmethod
    def over(cls, access: RegistryAccess, session: aiohttp.ClientSession) -> Self:
        """Make a client that uses `session`, which must leave bodies undecoded (`auto_decompress=False`).

        Raises SettingsError where its certificates cannot be read.
        """
        return cls(Transport(access, session))

    @property
    def is_open(self) -> bool:
        """Tell whether the registry has answered everything so far without asking for authorization."""
        return self._transport.is_open

    async def ping(self) -> None:
        """Raise unless the registry answers and accepts us."""
        await self._transport.send(Call(method="GET", path=""))

    async def authorization(self, *scopes: str) -> str | None:
        """Give the `Authorization` header that the registry wants for `scopes`; None if it wants none. For tools that make requests of their own."""
        return await self._transport.authorization(scopes)


class Registries:
    """The registries of a process: a client for each host, made at its first use, over one session.

    Hosts that `accesses` does not name are reached with TLS and Docker's own credentials.
    """

    def __init__(self, accesses: Mapping[str, RegistryAccess] | None = None, user_agent: str = USER_AGENT) -> None:
        self._accesses = dict(accesses or {})
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None
        self._clients: dict[str, RegistryClient] = {}

    def client(self, host: str) -> RegistryClient:
        """Give the client of a registry, as named in references. To be called within a running event loop."""
        known = self._clients.get(host)
        if known is None:
            access = self._accesses.get(host) or RegistryAccess(host=host)
            known = self._clients[host] = RegistryClient.over(access, self._open_session())
        return known

    async def close(self) -> None:
        """Close all connections. The clients cannot be used any more."""
        self._clients.clear()
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await asyncio.sleep(0)  # lets the transports see their end

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),  # each client bounds its own requests
                headers={"User-Agent": self._user_agent},
                cookie_jar=aiohttp.DummyCookieJar(),  # Harbor takes a cookie for a browser and wants CSRF tokens
                auto_decompress=False,
                read_bufsize=_READ_BUFFER,
            )
        return self._session
