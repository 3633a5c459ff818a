"""A connection to RabbitMQ that is opened when it is needed, and again after it was lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from pratique.errors import BrokerUnavailable
from pratique.messaging.settlement import describe

_log = structlog.get_logger(__name__)

_HEARTBEAT = 30
"""Seconds between heartbeats: a peer that vanished without closing is noticed after about three of them."""


@asynccontextmanager
async def translated(doing: str, *, timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109 - the limit belongs to the translation
    """Bound one exchange with RabbitMQ to `timeout` seconds, and raise what goes wrong in it as BrokerUnavailable."""
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError as error:
        raise BrokerUnavailable(f"{doing}: expected an answer from RabbitMQ within {timeout:g} s, got none") from error
    except CONNECTION_EXCEPTIONS as error:
        raise BrokerUnavailable(f"{doing}: expected RabbitMQ to accept it, got {describe(error)}") from error


class Link:
    """One connection, shared by the channels that are opened on it.

    aio-pika's own robust connection is not used: it restores channels and consumers behind our back, and a publisher would wait for it instead of hearing
    at once that the broker is away.
    """

    def __init__(self, url: str, *, name: str, timeout: float) -> None:
        self._url = url
        self._name = name
        self._timeout = timeout
        self._connection: AbstractConnection | None = None
        self._opening = asyncio.Lock()
        self._is_closed = False

    async def open_channel(self) -> AbstractChannel:
        """Open a channel with publisher confirms, on which an unroutable message is an error.

        Raises BrokerUnavailable within the timeout.
        """
        async with translated("opening a channel", timeout=self._timeout):
            connection = await self._connected()
            channel = connection.channel(publisher_confirms=True, on_return_raises=True)
            await channel.initialize()
            return channel

    async def close(self) -> None:
        """Close the connection; the link cannot be used again."""
        self._is_closed = True
        await self._drop()

    async def _connected(self) -> AbstractConnection:
        async with self._opening:
            if self._is_closed:
                raise BrokerUnavailable("expected an open broker, got one that was closed")
            if self._connection is not None and self._connection.connected.is_set():
                return self._connection
            is_first = self._connection is None
            await self._drop()
            self._connection = await aio_pika.connect(
                self._url, timeout=self._timeout, heartbeat=_HEARTBEAT, client_properties={"connection_name": f"pratique {self._name}"}
            )
            if not is_first:
                _log.info("broker.reconnected", link=self._name)
            return self._connection

    async def _drop(self) -> None:
        if self._connection is not None:
            with suppress(BrokerUnavailable):
                async with translated("closing the connection", timeout=self._timeout):
                    await self._connection.close()
