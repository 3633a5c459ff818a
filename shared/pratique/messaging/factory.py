"""Which broker a URL asks for."""

from __future__ import annotations

from pratique.errors import SettingsError
from pratique.messaging.embedded import EmbeddedBroker
from pratique.messaging.interface import Broker, RetryPolicy
from pratique.messaging.rabbitmq import RabbitBroker

_DEFAULT_RETRY = RetryPolicy()


async def open_broker(url: str, *, retry: RetryPolicy = _DEFAULT_RETRY) -> Broker:
    """Make the broker for `amqp://…`, `amqps://…` (RabbitMQ) or `sqlite+aiosqlite:///path` (the embedded queue).

    It connects when it is first used, so that a service starts while its broker is still coming up. Raises SettingsError for any other URL.
    """
    scheme, separator, _ = url.partition("://")
    match scheme:
        case "amqp" | "amqps":
            return RabbitBroker(url, retry=retry)
        case "sqlite+aiosqlite":
            return EmbeddedBroker(url, retry=retry)
        case _:
            got = f"the scheme {scheme!r}" if separator else "no scheme"  # without one, all of it may be a password
            raise SettingsError(f"expected a broker URL amqp://, amqps:// or sqlite+aiosqlite://, got {got}")
