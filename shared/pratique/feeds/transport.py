"""Requests to feeds: redirects by hand, statuses and failures as errors of ours. The session must leave bodies undecoded (`auto_decompress=False`)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from yarl import URL

from pratique.errors import FeedUnavailable, InputError, LimitExceeded, MissingError, PratiqueError, RefusedError, SettingsError
from pratique.feeds.plan import SyncLimits
from pratique.registry.answers import parse_retry_after
from pratique.registry.transport import proxy_of

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ANSWERS = frozenset({200, 206, 304, 416})
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_TEXT = 200


def parse_address(text: str, what: str) -> URL:
    """Read the address of a feed: `https://`, or `http://` on loopback.

    Raises SettingsError.
    """
    try:
        url = URL(text)
    except ValueError as error:
        raise SettingsError(f"{what}: expected a URL, got {text[:_MAX_TEXT]!r}") from error
    if url.user is not None or url.password is not None:
        raise SettingsError(f"{what}: expected a URL without a user's name and password")
    if not url.host or not (url.scheme == "https" or (url.scheme == "http" and url.host in _LOOPBACK)):
        raise SettingsError(f"{what}: expected an https URL (http only on loopback), got {text[:_MAX_TEXT]!r}")
    return url


@dataclass(slots=True)
class Budget:
    """The bytes that all feeds of a sync may fetch together: protects the disk."""

    left: int

    def spend(self, size: int) -> None:
        """Take bytes off; raises LimitExceeded when there are none left."""
        self.left -= size
        if self.left < 0:
            raise LimitExceeded("the feeds of this sync together exceed the bytes that it may fetch")


class FeedTransport:
    """Opens answers of one feed. Redirects stay on the feed's own scheme, host and port, or lead by https to `redirect_hosts`."""

    def __init__(
        self, session: aiohttp.ClientSession, limits: SyncLimits, redirect_hosts: frozenset[str], budget: Budget | None = None
    ) -> None:
        self.limits = limits
        self.budget = budget or Budget(limits.total_bytes)
        self._session = session
        self._redirect_hosts = redirect_hosts
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_seconds, sock_read=limits.stall_seconds)

    @asynccontextmanager
    async def open(self, url: URL, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask for `url`; yield the answer if it is 200, 206, 304 or 416. Also raises for what happens while its body is read.

        Raises FeedUnavailable, MissingError, RefusedError, InputError.
        """
        with_defaults = {"Accept-Encoding": "identity", **headers}
        async with translated(url):
            response = await self._follow(url, with_defaults)
            try:
                if response.status not in _ANSWERS:
                    raise _error_of(response)
                if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise InputError(
                        f"{shown(url)}: expected the file itself, got it encoded as {response.headers['Content-Encoding'][:20]!r}"
                    )
                yield response
            finally:
                response.release()  # closes the connection where the body was not read to its end

    async def _follow(self, url: URL, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        start = url
        for _ in range(self.limits.redirects + 1):
            async with asyncio.timeout(self.limits.connect_seconds + self.limits.stall_seconds):  # headers can trickle as well as bodies
                response = await self._session.request(
                    "GET", url, headers=headers, allow_redirects=False, timeout=self._timeout, proxy=proxy_of(url)
                )
            if response.status not in _REDIRECTS:
                return response
            location = response.headers.get("Location", "")
            response.release()
            url = self._locate(start, url, location)
        raise InputError(f"{shown(start)}: redirected more than {self.limits.redirects} times")

    def _locate(self, start: URL, url: URL, location: str) -> URL:
        try:
            target = url.join(URL(location, encoded=True))
        except ValueError as error:
            raise InputError(f"{shown(start)}: redirected to what is no http URL") from error
        return self.check_own(start, target)

    def check_own(self, start: URL, target: URL) -> URL:
        """Give `target` back if it may be asked where `start` was meant.

        Raises RefusedError for another scheme, host or port that is not among `redirect_hosts`, InputError for what is no http URL.
        """
        if target.scheme not in {"http", "https"} or not target.host or target.user is not None:
            raise InputError(f"{shown(start)}: leads to what is no http URL")
        is_allowed = target.scheme == "https" and target.host in self._redirect_hosts
        is_own = (target.scheme, target.host, target.port) == (start.scheme, start.host, start.port)
        if not is_own and not is_allowed:
            raise RefusedError(
                f"{shown(start)}: leads to {shown(target.origin())}, which is not the feed's own scheme, host and port; "
                "if that is right, name the host in feeds.redirect_hosts"
            )
        return target


def shown(url: URL) -> str:
    """Give a URL for messages: without its query, which may hold a signature, and not too long."""
    return str(url.with_query(None).with_fragment(None))[:_MAX_TEXT]


@asynccontextmanager
async def translated(url: URL) -> AsyncIterator[None]:
    """Turn everything that aiohttp, TLS and sockets raise into FeedUnavailable, RefusedError or InputError."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        raise RefusedError(f"{shown(url)}: its certificate is not accepted; SSL_CERT_FILE can name your own authority") from error
    except (aiohttp.ClientSSLError, ssl.SSLError) as error:
        raise RefusedError(f"{shown(url)}: no TLS connection ({type(error).__name__})") from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise InputError(f"{shown(url)}: not a URL that can be requested") from error
    except TimeoutError as error:
        raise FeedUnavailable(f"{shown(url)}: no answer in time") from error
    except (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError) as error:
        raise FeedUnavailable(f"{shown(url)}: {type(error).__name__}: {_printable(str(error))}") from error


def _error_of(response: aiohttp.ClientResponse) -> PratiqueError:
    text = f"{shown(response.url)}: {response.status} {_printable(response.reason or '')}".rstrip()
    status = response.status
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return RefusedError(text)
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return MissingError(text)
    if status in _TRANSIENT or status > HTTPStatus.GATEWAY_TIMEOUT:
        retry_after = parse_retry_after(response.headers.get("Retry-After"))
        wait = f"; it asks to come back in {retry_after:.0f} s" if retry_after else ""
        return FeedUnavailable(text + wait, retry_after=retry_after)
    return InputError(text)


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:_MAX_TEXT]
