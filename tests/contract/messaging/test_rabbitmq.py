"""What RabbitMQ does by itself, and what `RabbitBroker` makes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from pratique.errors import BrokerUnavailable
from pratique.messaging.interface import RetryPolicy
from pratique.messaging.link import Link
from pratique.messaging.rabbitmq import RabbitBroker
from pratique.messaging.settlement import DELIVERY_LIMIT
from pratique.messaging.subscription import Subscription, is_lost
from pratique.messaging.topology import declare_queues, name_queues
from tests.support.brokers import Recorder, consuming, depth_becomes, eventually, publish

QUEUE = "scan.push"
RETRY = RetryPolicy(max_attempts=3, delays=(0.05,))
NAMES = name_queues(QUEUE, prefix="pratique", retry=RETRY)


@pytest.fixture
async def broker(vhost: str) -> AsyncIterator[RabbitBroker]:
    broker = RabbitBroker(vhost, retry=RETRY)
    yield broker
    await broker.close()


@pytest.fixture
async def channel(vhost: str) -> AsyncIterator[AbstractChannel]:
    """A channel of somebody else's."""
    async with await aio_pika.connect(vhost) as connection, connection.channel() as channel:
        yield channel


async def test_a_message_that_kills_its_consumer_each_time_becomes_a_dead_letter(broker: RabbitBroker, channel: AbstractChannel) -> None:
    await publish(broker, QUEUE, "a", body=b"poison")
    queue = await channel.get_queue(NAMES.work, ensure=False)
    for _ in range(DELIVERY_LIMIT + 1):
        message = await queue.get()
        await message.nack(requeue=True)

    async def has_died() -> bool:
        return len(await broker.list_dead(QUEUE)) == 1

    await eventually(has_died)
    [letter] = await broker.list_dead(QUEUE)
    assert (letter.message_id, letter.body, letter.attempts) == ("a", b"poison", 1)
    assert "delivery_limit" in letter.reason
    assert abs(letter.died_at.timestamp() - time.time()) < 60
    assert await broker.replay_dead(QUEUE) == 1
    await depth_becomes(broker, QUEUE, 1)


async def test_a_message_that_no_queue_takes_is_an_error_and_the_queue_is_declared_again(
    broker: RabbitBroker, channel: AbstractChannel
) -> None:
    await publish(broker, QUEUE, "a")
    await channel.queue_delete(NAMES.work)
    with pytest.raises(BrokerUnavailable):
        await publish(broker, QUEUE, "b")
    await publish(broker, QUEUE, "c")
    await depth_becomes(broker, QUEUE, 1)


async def test_a_consumer_comes_back_when_its_queue_was_deleted(broker: RabbitBroker, channel: AbstractChannel, vhost: str) -> None:
    recorder = Recorder()

    async def is_declared_again() -> bool:
        async with await aio_pika.connect(vhost) as connection, connection.channel() as looking:
            try:
                await looking.get_queue(NAMES.work)
            except ChannelNotFoundEntity:
                return False
            return True

    async def is_published() -> bool:
        try:
            await publish(broker, QUEUE, "b")
        except BrokerUnavailable:  # RabbitMQ may refuse the first message to a queue that has just come back
            return False
        return True

    async with consuming(broker, QUEUE, recorder):
        await publish(broker, QUEUE, "a")
        await recorder.wait_for(1)
        await channel.queue_delete(NAMES.work)
        await eventually(is_declared_again)
        await eventually(is_published)
        await recorder.wait_for(2)


async def test_a_subscription_survives_its_channel(broker: RabbitBroker, vhost: str) -> None:
    link = Link(vhost, name="test", timeout=5)
    subscription = Subscription(link, NAMES, prefetch=5, timeout=5)
    try:
        await publish(broker, QUEUE, "a", "b")
        first, second = await subscription.next_message(), await subscription.next_message()
        await first.ack()
        await first.channel.basic_ack(first.delivery_tag or 0)  # twice: RabbitMQ closes the channel, as it does after its consumer timeout
        again = await asyncio.wait_for(subscription.next_message(), 5)
        assert (second.message_id, again.message_id, again.redelivered) == ("b", "b", True)
        assert is_lost(second)
        assert not is_lost(again)
    finally:
        await subscription.close()
        await link.close()


async def test_queues_declared_otherwise_are_refused_in_words(broker: RabbitBroker, channel: AbstractChannel) -> None:
    await channel.declare_queue(NAMES.work, durable=True)
    with pytest.raises(BrokerUnavailable, match="inequivalent arg"):
        await publish(broker, QUEUE, "a")


async def test_declaring_again_changes_nothing(broker: RabbitBroker, channel: AbstractChannel) -> None:
    await publish(broker, QUEUE, "a")
    assert set(await declare_queues(channel, NAMES)) == {NAMES.work, NAMES.dead, *NAMES.retries.values()}
    await depth_becomes(broker, QUEUE, 1)


async def test_the_prefix_keeps_two_installations_apart(broker: RabbitBroker, vhost: str) -> None:
    other = RabbitBroker(vhost, retry=RETRY, prefix="staging")
    try:
        await publish(broker, QUEUE, "a")
        await depth_becomes(broker, QUEUE, 1)
        assert await other.depth(QUEUE) == 0
    finally:
        await other.close()


@pytest.mark.parametrize("vhost_of", ["not there"])
async def test_a_refusal_at_the_door_is_unavailable_and_tells_no_password(vhost: str, vhost_of: str) -> None:
    broker = RabbitBroker(vhost.replace("guest:guest", "guest:wrong-password") + vhost_of.replace(" ", "-"), timeout=5)
    with pytest.raises(BrokerUnavailable) as caught:
        await broker.ping()
    assert "wrong-password" not in str(caught.value)
    await broker.close()
