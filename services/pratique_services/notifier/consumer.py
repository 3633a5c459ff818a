"""What the notifier does with one `decision.taken`: record who is to be told, then deliver until it is done, seen or given up."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from dataclasses import dataclass, field

import aiohttp
import structlog

from pratique.chat.receivers import SEND_SECONDS, send_message
from pratique.errors import ChatUnavailable, DatabaseUnavailable, InvalidMessage, PratiqueError
from pratique.messages import DecisionTaken, parse_message
from pratique.messaging.interface import Delivery
from pratique.runtime.concurrency import run_together
from pratique.runtime.logging import bound_correlation
from pratique.runtime.metrics import NOTIFICATIONS
from pratique.runtime.settings import RetrySettings
from pratique.storage.decisions import load_decision
from pratique.storage.engine import Database
from pratique.storage.notifications import DueDelivery, claim_due_deliveries, record_delivery
from pratique_services.notifier.composing import Composer

_POLL_SECONDS = 1.0
_BATCH = 20
_CLAIM_SECONDS = 3 * SEND_SECONDS  # longer than a send can take: nobody else sends it meanwhile

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """Records and delivers notifications. `addresses` are the receivers' URLs by channel name."""

    database: Database
    composer: Composer
    addresses: dict[str, str]
    retry: RetrySettings
    session: aiohttp.ClientSession
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def consume(self, delivery: Delivery) -> None:
        """Do one delivery of the broker: record who is to be told."""
        message = parse_message(delivery.body)
        if not isinstance(message, DecisionTaken):
            raise InvalidMessage(f"expected decision.taken, got {type(message).__name__}")
        with bound_correlation(message.correlation_id):
            async with self.database.transaction() as session:
                decision = await load_decision(session, message.decision_id)
                recorded = await self.composer.record(session, decision) if decision is not None else 0
            _log.info("notification.recorded", channels=recorded, decision_id=message.decision_id)
        self.woken.set()

    async def deliver(self) -> None:
        """Deliver what is due, until cancelled."""
        while True:
            try:
                delivered = await self._deliver_due()
            except DatabaseUnavailable as error:
                _log.warning("notification.postponed", error=str(error))
                delivered = 0
            if delivered < _BATCH:
                await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self.woken.wait()
        except TimeoutError:
            return
        self.woken.clear()

    async def _deliver_due(self) -> int:
        """Deliver what is due, all at once: none waits for another channel's silent receiver, and each is done before its claim ends."""
        now = dt.datetime.now(dt.UTC)
        async with self.database.transaction() as session:
            due = await claim_due_deliveries(session, now=now, until=now + dt.timedelta(seconds=_CLAIM_SECONDS), limit=_BATCH)
            decisions = [await load_decision(session, delivery.decision_id) for delivery in due]
        correlations = [decision.correlation_id if decision else "" for decision in decisions]
        await run_together(map(self._deliver_one, due, correlations))
        return len(due)

    async def _deliver_one(self, delivery: DueDelivery, correlation_id: str) -> None:
        with bound_correlation(correlation_id, decision_id=delivery.decision_id):
            await self._send(delivery)

    async def _send(self, delivery: DueDelivery) -> None:
        outcome, detail, next_attempt_at = "ok", "", None
        try:
            address = self.addresses.get(delivery.channel)
            if address is None:
                raise ChatUnavailable("the channel is not in the settings any more")
            await send_message(self.session, address, title=delivery.title, body=delivery.body, payload=delivery.payload)
        except PratiqueError as error:
            outcome, detail, next_attempt_at = "failed", str(error), self._next_attempt(delivery, error)
        NOTIFICATIONS.labels(channel=delivery.channel, outcome=outcome).inc()
        _log.info("notification.sent" if outcome == "ok" else "notification.failed", channel=delivery.channel, detail=detail)
        await self._record(delivery, outcome, detail, next_attempt_at)

    def _next_attempt(self, delivery: DueDelivery, error: PratiqueError) -> dt.datetime | None:
        """When to try again; None when that is pointless, or was tried often enough."""
        if not isinstance(error, ChatUnavailable) or delivery.attempts + 1 >= self.retry.max_attempts:
            return None
        delay = self.retry.delays[min(delivery.attempts, len(self.retry.delays) - 1)]
        seconds = max(error.retry_after or 0.0, delay * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)

    async def _record(self, delivery: DueDelivery, outcome: str, detail: str, next_attempt_at: dt.datetime | None) -> None:
        """Record how it went. What was sent and is not recorded would be sent again, so this waits for the database to come back."""
        while True:
            try:
                async with self.database.transaction() as session:
                    await record_delivery(session, delivery.id, outcome, detail, next_attempt_at)
            except DatabaseUnavailable:
                await asyncio.sleep(0.5)
            else:
                return
