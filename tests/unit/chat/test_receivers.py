"""Sending, to a real receiver on loopback: what it answers decides whether we try again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pratique.chat.receivers import MAX_RETRY_AFTER, check_receiver, send_message
from pratique.errors import ChatUnavailable, RefusedError, SettingsError

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # the standard library's own, behind Apprise

MESSAGE: dict[str, Any] = {"title": "2 new criticals", "body": "• CVE-1 <b>x</b> [link](http://x)", "payload": {"text": "hello"}}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """A chat server that keeps what it gets and answers as told."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.answer: Answer | None = None
        app = web.Application()
        app.router.add_post("/{path:.*}", self._receive)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/services/T0/B0/secret"))

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        self.received.append(await request.json())
        return await self.answer(request) if self.answer else web.Response(text="ok")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with receiver.server:
        yield receiver


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def _answering(status: int, **headers: str) -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    return answer


async def test_a_webhook_gets_the_payload(receiver: Receiver, session: aiohttp.ClientSession) -> None:
    await send_message(session, receiver.url, **MESSAGE)
    assert receiver.received == [{"text": "hello"}]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
async def test_a_passing_failure_is_tried_again(receiver: Receiver, session: aiohttp.ClientSession, status: int) -> None:
    receiver.answer = _answering(status)
    with pytest.raises(ChatUnavailable, match=str(status)) as caught:
        await send_message(session, receiver.url, **MESSAGE)
    assert caught.value.retry_after is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("99999999999", MAX_RETRY_AFTER),
        ("soon", None),
        ("-1", None),
        ("²", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
async def test_a_named_delay_is_passed_on_within_reason(
    receiver: Receiver, session: aiohttp.ClientSession, value: str, seconds: float | None
) -> None:
    receiver.answer = _answering(429, **{"Retry-After": value})
    with pytest.raises(ChatUnavailable) as caught:
        await send_message(session, receiver.url, **MESSAGE)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_receiver_that_will_not_have_it_is_not_asked_again(receiver: Receiver, session: aiohttp.ClientSession, status: int) -> None:
    receiver.answer = _answering(status)
    with pytest.raises(RefusedError, match=str(status)):
        await send_message(session, receiver.url, **MESSAGE)


async def test_a_redirect_is_not_followed(receiver: Receiver, session: aiohttp.ClientSession) -> None:
    receiver.answer = _answering(307, Location="/elsewhere")
    with pytest.raises(RefusedError, match="307"):
        await send_message(session, receiver.url, **MESSAGE)
    assert len(receiver.received) == 1


async def test_a_silent_receiver_is_given_up(receiver: Receiver, session: aiohttp.ClientSession) -> None:
    silence = asyncio.Event()

    async def wait(_request: web.Request) -> web.Response:
        await silence.wait()
        return web.Response()

    receiver.answer = wait
    with pytest.raises(ChatUnavailable, match=r"within 0\.1 s"):
        await send_message(session, receiver.url, **MESSAGE, seconds=0.1)
    silence.set()


async def test_a_receiver_that_is_not_there_is_unavailable_and_its_address_stays_secret(session: aiohttp.ClientSession) -> None:
    with pytest.raises(ChatUnavailable) as caught:
        await send_message(session, f"http://127.0.0.1:{_free_port()}/services/T0/B0/secret", **MESSAGE)
    assert "secret" not in str(caught.value)


async def test_apprise_delivers_title_and_body_as_text(receiver: Receiver, session: aiohttp.ClientSession) -> None:
    await send_message(session, f"json://127.0.0.1:{receiver.server.port}/hook", **MESSAGE)
    [found] = receiver.received
    assert found["title"] == MESSAGE["title"]
    assert found["message"] == MESSAGE["body"]


async def test_a_failure_through_apprise_is_tried_again(receiver: Receiver, session: aiohttp.ClientSession) -> None:
    receiver.answer = _answering(500)
    with pytest.raises(ChatUnavailable):
        await send_message(session, f"json://127.0.0.1:{receiver.server.port}/hook", **MESSAGE)


async def test_an_address_that_apprise_does_not_know_is_refused(session: aiohttp.ClientSession) -> None:
    with pytest.raises(RefusedError):
        await send_message(session, "nosuchservice://x", **MESSAGE)


@pytest.mark.parametrize(
    "url",
    ["https://hooks.example/services/x", "http://127.0.0.1:8065/hooks/x", "http://[::1]:1/x", "http://localhost/x", "json://127.0.0.1:1/x"],
)
def test_a_usable_address_is_accepted(url: str) -> None:
    check_receiver("ops", url)


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example/token-0815", "https:///token-0815", "nosuchservice://token-0815", "token-0815", "", "https://[::1/token-0815"],
)
def test_an_unusable_address_is_refused_at_start_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError, match=r"channels\.ops") as caught:
        check_receiver("ops", url)
    assert "0815" not in str(caught.value)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
