"""A chat channel for the demo: takes what Slack's incoming webhooks take, and keeps it."""

from __future__ import annotations

import asyncio
import html
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

_MAX_BODY_BYTES = 64 * 1024  # Slack itself takes less


class ChatReceiver:
    """The messages that came, as text, in order. `url` is where to send them, once it is served; its last part is a secret, as with Slack."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.url = ""
        self._path = f"/services/{secrets.token_urlsafe(12)}"
        self._arrived = asyncio.Event()

    def about(self, image: str) -> list[str]:
        """The messages whose title names `image` (`host/repository`)."""
        return [message for message in self.messages if f" {image}:" in message.partition("\n")[0]]

    async def wait_for(self, image: str, *, timeout: float) -> list[str]:  # noqa: ASYNC109 - it answers what there is by then
        """Wait until a message about `image` is there, or `timeout` seconds have passed; answer the messages about it."""
        try:
            async with asyncio.timeout(timeout):
                while not self.about(image):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            pass
        return self.about(image)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Listen on a free loopback port while the block runs."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_post(self._path, self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}{self._path}"
            yield
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        document = await request.json()
        self.messages.append(html.unescape(document["text"]))
        self._arrived.set()
        return web.Response(text="ok")
