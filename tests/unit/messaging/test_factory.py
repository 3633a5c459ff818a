"""Which broker a URL asks for, and what its queues are called."""

from __future__ import annotations

import pytest

from pratique.errors import BrokerUnavailable, SettingsError
from pratique.messaging.embedded import EmbeddedBroker
from pratique.messaging.factory import open_broker
from pratique.messaging.interface import RetryPolicy
from pratique.messaging.rabbitmq import RabbitBroker
from pratique.messaging.topology import name_queues


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("amqp://guest:guest@127.0.0.1/", RabbitBroker),
        ("amqps://broker.example/pratique", RabbitBroker),
        ("sqlite+aiosqlite:///ledger.sqlite", EmbeddedBroker),
    ],
)
async def test_the_scheme_names_the_broker_and_nothing_is_connected_yet(url: str, kind: type) -> None:
    broker = await open_broker(url)
    assert isinstance(broker, kind)
    await broker.close()


@pytest.mark.parametrize("url", ["", "redis://user:secret@host", "postgresql://user:secret@host/db", "user:secret@host"])
async def test_another_scheme_is_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        await open_broker(url)
    assert "secret" not in str(caught.value)


def test_each_delay_has_a_queue_of_its_own() -> None:
    names = name_queues("scan.push", prefix="pratique", retry=RetryPolicy(delays=(0.05, 1, 300)))
    assert (names.work, names.dead) == ("pratique.scan.push", "pratique.scan.push.dead")
    assert list(names.retries.items()) == [
        (0.05, "pratique.scan.push.retry.50"),
        (1, "pratique.scan.push.retry.1000"),
        (300, "pratique.scan.push.retry.300000"),
    ]


def test_an_unknown_queue_has_no_name() -> None:
    with pytest.raises(BrokerUnavailable):
        name_queues("scan", prefix="pratique", retry=RetryPolicy())
