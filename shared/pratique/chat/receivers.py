"""Sending one message to one receiver: Slack-compatible webhooks as JSON, everything else through Apprise.

Slack's incoming-webhook format is what Mattermost, Rocket.Chat, Zulip and most home-made receivers take too; Apprise knows some 170 other services.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from pratique.errors import ChatUnavailable, RefusedError, SettingsError

SEND_SECONDS = 15.0
MAX_RETRY_AFTER = 3600.0  # seconds: protects against a receiver that would silence us for a year
_RETRY_STATUS = frozenset({408, 425, 429})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def check_receiver(name: str, url: str) -> None:
    """Refuse an address that nothing could be sent to.

    Raises SettingsError; the address itself is a secret and is not repeated.
    """
    if _is_webhook(url):
        host = _host_of(url)
        if not host:
            raise SettingsError(f"channels.{name}: the webhook address names no host")
        if url.startswith("http://") and host not in _LOOPBACK:
            raise SettingsError(f"channels.{name}: a webhook over plain http is allowed on loopback only")
        return
    import apprise

    if apprise.Apprise.instantiate(url, suppress_exceptions=True) is None:
        raise SettingsError(f"channels.{name}: Apprise does not know this kind of address, or it is incomplete")


async def send_message(  # noqa: PLR0913
    session: aiohttp.ClientSession, url: str, *, title: str, body: str, payload: Mapping[str, Any], seconds: float = SEND_SECONDS
) -> None:
    """Send one message: `payload` to a webhook, `title` and `body` (plain text) to any other receiver. `seconds` bounds it all.

    Raises ChatUnavailable (try again) and RefusedError (the receiver will not have it).
    """
    if _is_webhook(url):
        await _post(session, url, payload, seconds)
        return
    import apprise

    service = apprise.Apprise()
    if not service.add(url):
        raise RefusedError("Apprise does not know this kind of address, or it is incomplete")
    async with _translated(seconds):
        # As text: as Markdown, names out of an image could bring links and HTML into a mail.
        delivered = await service.async_notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
        if not delivered:
            raise ChatUnavailable("the receiver did not take the message")


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # brackets without an address in them
        return None


def _is_webhook(url: str) -> bool:
    return url.startswith(("https://", "http://"))


async def _post(session: aiohttp.ClientSession, url: str, payload: Mapping[str, Any], seconds: float) -> None:
    async with _translated(seconds), session.post(url, json=dict(payload), allow_redirects=False) as response:
        if response.status in _RETRY_STATUS or response.status >= 500:  # noqa: PLR2004
            raise ChatUnavailable(f"the receiver answered {response.status}", retry_after=_retry_after(response))
        if response.status >= 300:  # noqa: PLR2004
            raise RefusedError(f"the receiver answered {response.status}")


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    value = response.headers.get("Retry-After", "")
    return min(float(value), MAX_RETRY_AFTER) if value.isascii() and value.isdigit() else None


@contextlib.asynccontextmanager
async def _translated(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise ChatUnavailable(f"the receiver gave no answer within {seconds:g} s") from error
    except aiohttp.ClientError as error:
        raise ChatUnavailable(f"the receiver cannot be reached: {type(error).__name__}") from error
