"""The advisor: what got stuck between two steps is found and put back, and nothing else is."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from pratique.errors import BrokerUnavailable
from pratique.messages import DecisionTaken, ImagePushed, InventoryRecorded
from pratique.messaging.embedded import EmbeddedBroker
from pratique.runtime.settings import ReconcileSettings
from pratique.storage.images import record_image
from pratique.storage.scans import finish_scan, lease_scan
from pratique_services.advisor.reconciling import Reconciler
from tests.support.services import Bench, deliver, metric
from tests.support.stored import digest_of, image

HOST = "registry.example:5000"
POLICY = "version: 1\npolicies: [{name: any, rules: {fail_on: low, max_feed_age: unlimited, eol: ignore}}]"
PAST = "2020-01-01 00:00:00.000000"
FUTURE = "2999-01-01 00:00:00.000000"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    made = EmbeddedBroker(f"sqlite+aiosqlite:///{tmp_path / 'queue.db'}")
    yield made
    await made.close()


@pytest.fixture
def reconciler(bench: Bench, broker: EmbeddedBroker) -> Reconciler:
    return Reconciler(database=bench.database, broker=broker, settings=ReconcileSettings(interval=0.05, queued_for=60))


async def ago(seconds: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")


async def push(bench: Bench, name: str = "app") -> ImagePushed:
    return await bench.event(HOST, "team/app", tag=name, digest=digest_of(name))


async def test_a_scan_whose_worker_died_is_queued_again(bench: Bench, reconciler: Reconciler) -> None:
    message = await push(bench)
    async with bench.database.transaction() as session:
        assert await lease_scan(session, message.scan_id, worker="dead", ttl=60)
    await bench.change("UPDATE scan SET lease_until = :past", past=PAST)
    requeued = metric("pratique_reconciled_total", kind="scan")

    assert await reconciler.reconcile() == 1

    scan = await bench.scan_row(message)
    assert (scan["state"], scan["worker"], scan["lease_until"], scan["attempt"]) == ("queued", None, None, 1)
    assert scan["last_error"] == "worker dead did not finish attempt 1 in time"
    assert await bench.take() == [message]
    assert metric("pratique_reconciled_total", kind="scan") == requeued + 1
    assert await reconciler.reconcile() == 0  # the message is on its way


async def test_a_scan_whose_message_was_lost_is_queued_again(bench: Bench, reconciler: Reconciler) -> None:
    message = await push(bench)
    await push(bench, "fresh")
    await bench.change("UPDATE scan SET queued_at = :then WHERE id = :id", then=await ago(61), id=message.scan_id)

    assert await reconciler.reconcile() == 1

    assert await bench.take() == [message]


async def test_a_scan_that_a_living_worker_holds_is_left_alone(bench: Bench, reconciler: Reconciler) -> None:
    message = await push(bench)
    async with bench.database.transaction() as session:
        assert await lease_scan(session, message.scan_id, worker="alive", ttl=60)
    await bench.change("UPDATE scan SET queued_at = :past", past=PAST)
    assert await reconciler.reconcile() == 0
    assert await bench.take() == []


async def test_what_was_scanned_and_not_decided_is_announced_again(bench: Bench, reconciler: Reconciler) -> None:
    recorded = await bench.record_scanned(await push(bench))
    assert await reconciler.reconcile() == 0  # there is time
    await bench.change("UPDATE scan SET announced_at = :then", then=await ago(61))

    assert await reconciler.reconcile() == 1

    assert await bench.take() == [recorded]
    await bench.enforcer(POLICY, None).consume(deliver(recorded))
    await bench.change("UPDATE scan SET announced_at = :then", then=await ago(61))
    assert await reconciler.reconcile() == 0
    assert await bench.take(InventoryRecorded) == []


async def test_a_decision_that_was_not_announced_is_brought_to_its_end(bench: Bench, reconciler: Reconciler) -> None:
    recorded = await bench.record_scanned(await push(bench))
    enforcer = bench.enforcer(POLICY, None)
    await enforcer.consume(deliver(recorded))
    (taken,) = await bench.take(DecisionTaken)
    await bench.change("UPDATE decision SET announced_at = NULL")  # as if the enforcer had ended just before
    await bench.change("UPDATE scan SET announced_at = :then", then=await ago(61))

    assert await reconciler.reconcile() == 1

    (again,) = await bench.take()
    await enforcer.consume(deliver(again))
    assert await bench.take() == [taken]
    assert len(await bench.decisions()) == 1


async def test_what_is_no_image_waits_for_no_decision(bench: Bench, reconciler: Reconciler) -> None:
    message = await push(bench)
    async with bench.database.transaction() as session:
        assert await lease_scan(session, message.scan_id, worker="w", ttl=60)
        await record_image(session, image(digest_of("app"), kind="artifact", platform=None))
        assert await finish_scan(session, message.scan_id, "w", image_digest=digest_of("app"))
    await bench.take()
    await bench.change("UPDATE scan SET announced_at = :then", then=await ago(3600))

    assert await reconciler.reconcile() == 0
    assert await bench.take() == []


async def test_scans_that_failed_stay_failed(bench: Bench, reconciler: Reconciler) -> None:
    await push(bench)
    await bench.change("UPDATE scan SET state = 'failed', queued_at = :past, lease_until = :past", past=PAST)
    assert await reconciler.reconcile() == 0


async def test_messages_are_kept_for_a_day_after_they_were_published(bench: Bench, reconciler: Reconciler) -> None:
    for name in ("old", "young"):
        await push(bench, name)
    first, second = await bench.rows("SELECT id FROM outbox ORDER BY id")
    await bench.change("UPDATE outbox SET published_at = :then WHERE id = :id", then=await ago(25 * 3600), id=first["id"])
    await bench.change("UPDATE outbox SET published_at = :then WHERE id = :id", then=await ago(23 * 3600), id=second["id"])
    await bench.change("INSERT INTO outbox SELECT 'waiting', queue, body, correlation_id, :past, NULL FROM outbox LIMIT 1", past=PAST)

    await reconciler.reconcile()

    assert [row["id"] for row in await bench.rows("SELECT id FROM outbox ORDER BY id")] == sorted([second["id"], "waiting"])


async def test_what_waits_is_measured(bench: Bench, broker: EmbeddedBroker, reconciler: Reconciler) -> None:
    message = await push(bench)
    await bench.change("UPDATE scan SET queued_at = :then", then=await ago(30))
    await broker.publish("scan.push", b"{}", message_id="m", correlation_id="c")
    await bench.change("UPDATE outbox SET published_at = NULL")

    await reconciler.reconcile()

    assert metric("pratique_queue_depth", queue="scan.push") == 1
    assert metric("pratique_queue_depth", queue="enforce") == 0
    assert metric("pratique_outbox_depth") == 1
    assert 29 < metric("pratique_oldest_queued_scan_seconds") < 60
    await bench.change("UPDATE scan SET state = 'failed' WHERE id = :id", id=message.scan_id)
    await reconciler.reconcile()
    assert metric("pratique_oldest_queued_scan_seconds") == 0


async def test_a_broker_that_is_away_keeps_nothing_from_being_put_back(
    bench: Bench, broker: EmbeddedBroker, reconciler: Reconciler
) -> None:
    message = await push(bench)
    await bench.change("UPDATE scan SET queued_at = :past", past=PAST)
    requeued = metric("pratique_reconciled_total", kind="scan")
    await broker.close()

    with pytest.raises(BrokerUnavailable):
        await reconciler.reconcile()

    assert await bench.take() == [message]
    assert metric("pratique_reconciled_total", kind="scan") == requeued + 1


async def test_it_goes_on_after_an_outage(bench: Bench, broker: EmbeddedBroker, reconciler: Reconciler) -> None:
    await broker.close()  # every round fails at its end
    message = await push(bench)
    await bench.change("UPDATE scan SET queued_at = :past", past=PAST)
    task = asyncio.create_task(reconciler.run())
    try:
        async with asyncio.timeout(5):
            for _ in range(2):
                while not (taken := await bench.take(ImagePushed)):
                    await asyncio.sleep(0.02)
                assert taken == [message]
                await bench.change("UPDATE scan SET queued_at = :past", past=PAST)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_hundreds_of_stuck_scans_are_put_back_in_pieces(bench: Bench, reconciler: Reconciler) -> None:
    await push(bench)
    await bench.change(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 450) "
        "INSERT INTO scan (id, repository_id, target, subject, state, priority, attempt, correlation_id, requested_by, created_at, queued_at) "
        "SELECT 'scan-' || i, repository_id, 'target-' || i, 'tag:x', 'queued', 'push', 0, 'c', 'tests', :past, :past FROM n, scan",
        past=PAST,
    )
    assert [await reconciler.reconcile() for _ in range(4)] == [200, 200, 50, 0]
