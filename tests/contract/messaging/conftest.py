"""Both brokers, each test with queues of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from pratique.messaging.embedded import EmbeddedBroker
from pratique.messaging.interface import Broker, RetryPolicy
from pratique.messaging.rabbitmq import RabbitBroker
from tests.support.servers import RabbitMQ

OpenBroker = Callable[..., Broker]

SOON = RetryPolicy(max_attempts=3, delays=(0.05, 0.1))


@pytest.fixture
def vhost(rabbitmq: RabbitMQ) -> Iterator[str]:
    url = rabbitmq.create_vhost()
    yield url
    rabbitmq.ask("DELETE", f"/vhosts/{url.rpartition('/')[2]}")  # idle quorum queues still cost the node memory


@pytest.fixture
def queue_file(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'ledger.sqlite'}"


@pytest.fixture(params=["embedded", "rabbitmq"])
async def open_broker(request: pytest.FixtureRequest) -> AsyncIterator[OpenBroker]:
    """Open brokers on the same queues, with options of your own; all are closed in the end."""
    kind: type[Any] = RabbitBroker if request.param == "rabbitmq" else EmbeddedBroker
    url = request.getfixturevalue("vhost" if kind is RabbitBroker else "queue_file")
    async with AsyncExitStack() as stack:

        def open_one(**options: Any) -> Broker:
            broker: Broker = kind(url, **{"retry": SOON, **options})
            stack.push_async_callback(broker.close)
            return broker

        yield open_one


@pytest.fixture
def broker(open_broker: OpenBroker) -> Broker:
    return open_broker()
