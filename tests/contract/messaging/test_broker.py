"""What `pratique.messaging.interface.Broker` promises, held against both brokers."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable

import pytest

from pratique.errors import BrokerUnavailable, InvalidMessage, MissingError, RefusedError, RegistryUnavailable
from pratique.messages import QUEUES
from pratique.messaging.interface import Broker, Delivery, RetryPolicy
from tests.support.brokers import Recorder, consuming, depth_becomes, eventually, failing, hang, publish

QUEUE = "scan.push"

OpenBroker = Callable[..., Broker]


async def bury(broker: Broker, *message_ids: str, queue: str = QUEUE) -> None:
    await publish(broker, queue, *message_ids)
    recorder = Recorder(failing(InvalidMessage("not a message")))
    async with consuming(broker, queue, recorder, prefetch=1):
        await recorder.wait_for(len(message_ids))
        await eventually(lambda: has_dead(broker, len(message_ids), queue))


async def has_dead(broker: Broker, count: int, queue: str = QUEUE) -> bool:
    return len(await broker.list_dead(queue)) == count


async def test_a_message_arrives_as_it_was_published(broker: Broker) -> None:
    recorder = Recorder()
    await broker.publish(QUEUE, b"\x00body\xff", message_id="m-1", correlation_id="c-1")
    async with consuming(broker, QUEUE, recorder):
        await recorder.wait_for(1)
    assert recorder.deliveries == [Delivery(queue=QUEUE, message_id="m-1", correlation_id="c-1", body=b"\x00body\xff", attempt=1)]


@pytest.mark.parametrize("queue", QUEUES)
async def test_every_queue_of_pratique_is_there(broker: Broker, queue: str) -> None:
    recorder = Recorder()
    async with consuming(broker, queue, recorder):
        await publish(broker, queue, "a")
        await recorder.wait_for(1)


async def test_nothing_is_lost_of_many_messages_published_at_once(broker: Broker) -> None:
    ids = {f"m{number}" for number in range(200)}
    recorder = Recorder()
    async with consuming(broker, QUEUE, recorder), asyncio.TaskGroup() as publishers:
        for message_id in ids:
            publishers.create_task(publish(broker, QUEUE, message_id))
    async with consuming(broker, QUEUE, recorder):
        await depth_becomes(broker, QUEUE, 0)
        await recorder.wait_for(len(ids))
    assert set(recorder.seen) == ids


async def test_a_handled_message_does_not_come_again(open_broker: OpenBroker) -> None:
    broker = open_broker()
    first, second = Recorder(), Recorder()
    await publish(broker, QUEUE, "a")
    async with consuming(broker, QUEUE, first):
        await first.wait_for(1)
        await asyncio.sleep(0.1)
    await broker.close()
    async with consuming(open_broker(), QUEUE, second):
        await asyncio.sleep(0.3)
    assert second.deliveries == []


async def test_messages_outlive_the_broker_object_that_took_them(open_broker: OpenBroker) -> None:
    before = open_broker()
    await publish(before, QUEUE, "a")
    await before.close()
    recorder = Recorder()
    async with consuming(open_broker(), QUEUE, recorder):
        await recorder.wait_for(1)


async def test_queues_are_kept_apart(broker: Broker) -> None:
    pushes, rescans = Recorder(), Recorder()
    async with consuming(broker, "scan.push", pushes), consuming(broker, "scan.rescan", rescans):
        await publish(broker, "scan.rescan", "again")
        await publish(broker, "scan.push", "new")
        await pushes.wait_for(1)
        await rescans.wait_for(1)
    assert (list(pushes.seen), list(rescans.seen)) == (["new"], ["again"])


async def test_a_body_of_one_megabyte_arrives_whole(broker: Broker) -> None:
    body = bytes(range(256)) * 4096
    recorder = Recorder()
    await publish(broker, QUEUE, "big", body=body)
    async with consuming(broker, QUEUE, recorder):
        await recorder.wait_for(1)
    assert recorder.deliveries[0].body == body


@pytest.mark.parametrize("use", ["publish", "consume", "depth", "list_dead", "replay_dead"])
async def test_a_queue_that_nobody_declared_is_an_error(broker: Broker, use: str) -> None:
    calls = {
        "publish": lambda: publish(broker, "scan.pusj", "a"),
        "consume": lambda: broker.consume("scan.pusj", hang, prefetch=1),
        "depth": lambda: broker.depth("scan.pusj"),
        "list_dead": lambda: broker.list_dead("scan.pusj"),
        "replay_dead": lambda: broker.replay_dead("scan.pusj"),
    }
    with pytest.raises(BrokerUnavailable, match=r"scan\.pusj"):
        await calls[use]()


# Failing


async def test_a_message_comes_back_after_the_delay_when_something_was_unavailable(open_broker: OpenBroker) -> None:
    broker = open_broker(retry=RetryPolicy(max_attempts=3, delays=(0.4,)))
    times: list[float] = []

    async def fail_once(delivery: Delivery) -> None:
        times.append(time.monotonic())
        if delivery.attempt == 1:
            raise RegistryUnavailable("expected an answer, got 503")

    recorder = Recorder(fail_once)
    await publish(broker, QUEUE, "a")
    async with consuming(broker, QUEUE, recorder):
        await recorder.wait_for(2)
        await depth_becomes(broker, QUEUE, 0)
    assert recorder.attempts == [1, 2]
    assert times[1] - times[0] >= 0.39
    assert recorder.deliveries[1].body == recorder.deliveries[0].body
    assert recorder.deliveries[1].correlation_id == "of-a"
    assert await broker.list_dead(QUEUE) == []


async def test_a_waiting_retry_does_not_hold_up_others(open_broker: OpenBroker) -> None:
    broker = open_broker(retry=RetryPolicy(max_attempts=2, delays=(30,)))

    async def fail_the_first(delivery: Delivery) -> None:
        if delivery.message_id == "first":
            raise RegistryUnavailable("away")

    recorder = Recorder(fail_the_first)
    await publish(broker, QUEUE, "first", "second")
    async with consuming(broker, QUEUE, recorder, prefetch=1):
        await recorder.wait_for(2)
    assert set(recorder.seen) == {"first", "second"}
    await depth_becomes(broker, QUEUE, 1)


async def test_a_server_may_ask_for_a_longer_delay(open_broker: OpenBroker) -> None:
    broker = open_broker(retry=RetryPolicy(max_attempts=3, delays=(0.05, 0.5)))
    times: list[float] = []

    async def fail_once(delivery: Delivery) -> None:
        times.append(time.monotonic())
        if delivery.attempt == 1:
            raise RegistryUnavailable("busy", retry_after=0.3)

    recorder = Recorder(fail_once)
    await publish(broker, QUEUE, "a")
    async with consuming(broker, QUEUE, recorder):
        await recorder.wait_for(2)
    assert times[1] - times[0] >= 0.49


@pytest.mark.parametrize("error", [InvalidMessage("no JSON"), RefusedError("no JSON"), MissingError("no JSON")])
async def test_an_error_that_time_does_not_heal_kills_at_once(broker: Broker, error: Exception) -> None:
    recorder = Recorder(failing(error))
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    await publish(broker, QUEUE, "a", body=b"the body")
    async with consuming(broker, QUEUE, recorder):
        await eventually(lambda: has_dead(broker, 1))
    [letter] = await broker.list_dead(QUEUE)
    assert (letter.queue, letter.message_id, letter.correlation_id, letter.body) == (QUEUE, "a", "of-a", b"the body")
    assert (letter.reason, letter.attempts) == (f"{type(error).__name__}: no JSON", 1)
    assert before <= letter.died_at <= dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    assert recorder.attempts == [1]
    await depth_becomes(broker, QUEUE, 0)


async def test_a_message_is_dead_when_its_attempts_are_used_up(broker: Broker) -> None:
    async def fail_differently(delivery: Delivery) -> None:
        raise RegistryUnavailable(f"failure {delivery.attempt}")

    recorder = Recorder(fail_differently)
    await publish(broker, QUEUE, "a")
    async with consuming(broker, QUEUE, recorder):
        await eventually(lambda: has_dead(broker, 1))
    [letter] = await broker.list_dead(QUEUE)
    assert recorder.attempts == [1, 2, 3]
    assert letter.attempts == 3
    assert "failure 3" in letter.reason
    assert "failure 1" in letter.reason


async def test_a_bug_is_retried_and_then_dead(broker: Broker) -> None:
    recorder = Recorder(failing(ZeroDivisionError("division by zero")))
    await publish(broker, QUEUE, "a")
    async with consuming(broker, QUEUE, recorder):
        await eventually(lambda: has_dead(broker, 1))
    assert recorder.attempts == [1, 2, 3]
    assert "ZeroDivisionError: division by zero" in (await broker.list_dead(QUEUE))[0].reason


async def test_a_consumer_that_loses_a_task_of_its_own_has_failed(broker: Broker) -> None:
    async def lose(delivery: Delivery) -> None:
        if delivery.attempt == 1:
            raise asyncio.CancelledError

    recorder = Recorder(lose)
    await publish(broker, QUEUE, "a")
    async with consuming(broker, QUEUE, recorder):
        await recorder.wait_for(2)
    assert recorder.attempts == [1, 2]


async def test_hostile_text_in_a_reason_is_bounded_and_printable(broker: Broker) -> None:
    recorder = Recorder(failing(InvalidMessage("\x1b[2J\n\x00" * 100_000)))
    await publish(broker, QUEUE, "a")
    async with consuming(broker, QUEUE, recorder):
        await eventually(lambda: has_dead(broker, 1))
    [letter] = await broker.list_dead(QUEUE)
    assert len(letter.reason) <= 500
    assert letter.reason.isprintable()


# Stopping


async def test_a_message_whose_work_is_cancelled_comes_back_at_once_and_uncounted(broker: Broker) -> None:
    interrupted, recorder = Recorder(hang), Recorder()
    await publish(broker, QUEUE, "a", "b", "c")
    async with consuming(broker, QUEUE, interrupted, prefetch=2):
        await interrupted.wait_for(2)
    started = time.monotonic()
    async with consuming(broker, QUEUE, recorder):
        await recorder.wait_for(3)
    assert time.monotonic() - started < 5
    assert recorder.attempts == [1, 1, 1]
    assert set(recorder.seen) == {"a", "b", "c"}


async def test_work_has_ended_before_its_message_goes_to_somebody_else(open_broker: OpenBroker) -> None:
    events: list[str] = []

    async def clean_up_slowly(_delivery: Delivery) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.2)
            events.append("first ended")

    async def note(_delivery: Delivery) -> None:
        events.append("second began")

    broker, other = open_broker(), open_broker()
    first, second = Recorder(clean_up_slowly), Recorder(note)
    await publish(broker, QUEUE, "a")
    async with consuming(broker, QUEUE, first) as task:
        await first.wait_for(1)
        async with consuming(other, QUEUE, second):
            task.cancel()
            await second.wait_for(1)
    assert events == ["first ended", "second began"]


async def test_closing_gives_deliveries_back_and_ends_the_consumers(open_broker: OpenBroker) -> None:
    closing = open_broker()
    interrupted, recorder = Recorder(hang), Recorder()
    await publish(closing, QUEUE, "a")
    consumer = asyncio.create_task(closing.consume(QUEUE, interrupted, prefetch=1))
    await interrupted.wait_for(1)
    await closing.close()
    await asyncio.wait_for(consumer, 5)
    async with consuming(open_broker(), QUEUE, recorder):
        await recorder.wait_for(1)
    assert recorder.attempts == [1]


async def test_a_closed_broker_is_unavailable(broker: Broker) -> None:
    await broker.ping()
    await broker.close()
    with pytest.raises(BrokerUnavailable):
        await broker.ping()
    with pytest.raises(BrokerUnavailable):
        await publish(broker, QUEUE, "a")


async def test_closing_twice_or_unused_is_fine(open_broker: OpenBroker) -> None:
    broker = open_broker()
    await broker.close()
    await broker.close()


# Sharing


async def test_no_more_than_prefetch_deliveries_are_worked_on_at_once(broker: Broker) -> None:
    working, most = 0, 0

    async def work(_delivery: Delivery) -> None:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(0.02)
        working -= 1

    recorder = Recorder(work)
    await publish(broker, QUEUE, *(f"m{number}" for number in range(20)))
    async with consuming(broker, QUEUE, recorder, prefetch=3):
        await recorder.wait_for(20)
    assert most == 3


async def test_two_consumers_share_the_work(open_broker: OpenBroker) -> None:
    broker, other = open_broker(), open_broker()

    async def wait_for_both(_delivery: Delivery) -> None:
        await one.wait_for(1)
        await two.wait_for(1)

    one, two = Recorder(wait_for_both), Recorder(wait_for_both)
    await publish(broker, QUEUE, *(f"m{number}" for number in range(60)))
    async with consuming(broker, QUEUE, one, prefetch=2), consuming(other, QUEUE, two, prefetch=2):
        await depth_becomes(broker, QUEUE, 0)
        await asyncio.sleep(0.2)
    assert one.seen + two.seen == {f"m{number}": 1 for number in range(60)}


async def test_depth_counts_what_waits_and_not_what_is_worked_on(open_broker: OpenBroker) -> None:
    broker = open_broker(retry=RetryPolicy(max_attempts=3, delays=(30,)))

    async def fail_or_hang(delivery: Delivery) -> None:
        if delivery.message_id == "delayed":
            raise RegistryUnavailable("away")
        await hang(delivery)

    assert await broker.depth(QUEUE) == 0
    recorder = Recorder(fail_or_hang)
    await publish(broker, QUEUE, "delayed", "worked on", "waiting", "waiting too")

    async with consuming(broker, QUEUE, recorder, prefetch=1):
        await recorder.wait_for(2)
        await depth_becomes(broker, QUEUE, 3)


# Dead letters


async def test_listing_removes_nothing_and_begins_with_the_oldest(broker: Broker) -> None:
    ids = [f"m{number}" for number in range(40)]
    await bury(broker, *ids)
    assert [letter.message_id for letter in await broker.list_dead(QUEUE)] == ids
    assert [letter.message_id for letter in await broker.list_dead(QUEUE, limit=5)] == ids[:5]
    assert [letter.message_id for letter in await broker.list_dead(QUEUE)] == ids


async def test_dead_letters_of_other_queues_are_not_shown(broker: Broker) -> None:
    await bury(broker, "a", queue="enforce")
    assert await broker.list_dead(QUEUE) == []
    assert await broker.replay_dead(QUEUE) == 0
    assert len(await broker.list_dead("enforce")) == 1


async def test_one_dead_letter_is_replayed_with_a_fresh_count(broker: Broker) -> None:
    failing_twice = Recorder(failing(RegistryUnavailable("away")))
    await publish(broker, QUEUE, "a", "b", "c")
    async with consuming(broker, QUEUE, failing_twice):
        await eventually(lambda: has_dead(broker, 3))
    assert await broker.replay_dead(QUEUE, message_id="b") == 1
    assert {letter.message_id for letter in await broker.list_dead(QUEUE)} == {"a", "c"}
    recorder = Recorder()
    async with consuming(broker, QUEUE, recorder):
        await recorder.wait_for(1)
    assert [(delivery.message_id, delivery.attempt, delivery.body, delivery.correlation_id) for delivery in recorder.deliveries] == [
        ("b", 1, b"{}", "of-b")
    ]


async def test_a_replayed_message_has_forgotten_why_it_died_before(broker: Broker) -> None:
    async def fail(delivery: Delivery) -> None:
        raise RegistryUnavailable(f"first life {delivery.attempt}")

    await publish(broker, QUEUE, "a")
    async with consuming(broker, QUEUE, fail):
        await eventually(lambda: has_dead(broker, 1))
    await broker.replay_dead(QUEUE)
    async with consuming(broker, QUEUE, failing(InvalidMessage("second life"))):
        await eventually(lambda: has_dead(broker, 1))
    [letter] = await broker.list_dead(QUEUE)
    assert (letter.reason, letter.attempts) == ("InvalidMessage: second life", 1)


async def test_all_dead_letters_are_replayed(broker: Broker) -> None:
    await bury(broker, "a", "b", "c")
    assert await broker.replay_dead(QUEUE) == 3
    assert await broker.list_dead(QUEUE) == []
    recorder = Recorder()
    async with consuming(broker, QUEUE, recorder):
        await recorder.wait_for(3)
    assert set(recorder.seen) == {"a", "b", "c"}


async def test_a_dead_letter_that_is_not_there_is_not_replayed(broker: Broker) -> None:
    await bury(broker, "a")
    assert await broker.replay_dead(QUEUE, message_id="b") == 0
    assert len(await broker.list_dead(QUEUE)) == 1


async def test_replaying_wakes_a_consumer_that_is_already_there(open_broker: OpenBroker) -> None:
    await bury(open_broker(), "a")
    recorder = Recorder()
    async with consuming(open_broker(), QUEUE, recorder):
        await asyncio.sleep(0.1)
        assert await open_broker().replay_dead(QUEUE) == 1
        await recorder.wait_for(1)


async def test_what_dies_again_is_not_replayed_for_ever(open_broker: OpenBroker) -> None:
    broker = open_broker()
    await bury(broker, "a", "b", "c")
    async with consuming(open_broker(), QUEUE, failing(InvalidMessage("still not a message"))):
        assert await asyncio.wait_for(broker.replay_dead(QUEUE), 5) == 3
        await eventually(lambda: has_dead(broker, 3))
