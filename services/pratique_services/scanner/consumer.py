"""What a scan worker does with one `image.pushed`.

1. lease the scan's row: whoever holds the lease does the work, however often the message comes;
2. resolve the reference to a digest, or check that the tag named with a digest points to it; inspect the image, and hold the lease by a heartbeat meanwhile;
3. record images, inventories and matches;
4. finish the scan: only if the lease is still held, and in the transaction that announces the inventory.

What is only unavailable is tried again; what is not readable, refused, too slow or tried too often is announced as unreadable, so that it is decided all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import structlog

from pratique.errors import InputError, InvalidMessage, LimitExceeded, MissingError, PratiqueError, RefusedError, UnavailableError
from pratique.messages import ImagePushed, parse_message
from pratique.messaging.interface import Delivery
from pratique.oci.digest import Digest
from pratique.registry.client import Registries
from pratique.registry.registry_source import RegistrySource
from pratique.runtime.logging import bound_correlation
from pratique.runtime.metrics import SCAN_SECONDS, SCANS
from pratique.runtime.settings import ScannerSettings
from pratique.scanning import Inspection, Scanner, unreadable_inspection
from pratique.storage.engine import Database
from pratique.storage.scans import (
    ScanJob,
    extend_lease,
    fail_scan,
    finish_scan,
    lease_scan,
    record_checked_tag,
    record_resolved,
    release_scan,
)
from pratique_services.scanner.recording import Recorder
from pratique_services.scanner.vex import VexRecorder

MISSING_ATTEMPTS = 3  # so often must a registry say that something is not there: some know it only a moment after they announced it

_log = structlog.get_logger()


class _LeaseLost(Exception):
    """The scan is another worker's by now, or done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanWorker:
    """Performs scans. `name` is unique to the process: leases are held in it. `wake` tells the outbox relay of a commit. Without `vex` no attachment is read."""

    database: Database
    registries: Registries
    scanner: Scanner
    recorder: Recorder
    settings: ScannerSettings
    name: str
    wake: Callable[[], None]
    vex: VexRecorder | None = None

    async def consume(self, delivery: Delivery) -> None:
        """Do one delivery; returns when the scan is recorded, or has nothing left to do.

        Raises UnavailableError (try again).
        """
        message = parse_message(delivery.body)
        if not isinstance(message, ImagePushed):
            raise InvalidMessage(f"expected image.pushed in {delivery.queue}, got {type(message).__name__}")
        with bound_correlation(message.correlation_id, scan_id=message.scan_id):
            async with self.database.transaction() as session:
                job = await lease_scan(session, message.scan_id, worker=self.name, ttl=self.settings.lease)
            if job is None:
                _log.info("scan.passed_over", reason="finished, or leased by another worker")
                return
            await self._perform(job)

    async def _perform(self, job: ScanJob) -> None:
        started = time.monotonic()
        _log.info("scan.started", reference=str(job.reference), attempt=job.attempt)
        try:
            async with self._held_lease(job), asyncio.timeout(self.settings.timeout):
                job = await self._resolve(job)
                await self._scan(job)
        except _LeaseLost:
            _log.warning("scan.lease_lost")
        except MissingError as error:
            await self._miss(job, error)
        except TimeoutError:
            await self._give_up(job, LimitExceeded(f"scan took longer than {self.settings.timeout:g} s"))
        except (RefusedError, InputError) as error:
            await self._give_up(job, error)
        except UnavailableError as error:
            if job.attempt < self.settings.max_attempts:
                await self._release(job, str(error))
                raise
            await self._give_up(job, error)
        except asyncio.CancelledError:
            # The message goes back at once, and must not meet the lease of a worker that is no more.
            with contextlib.suppress(UnavailableError):
                await self._release(job, "the worker was stopped")
            raise
        SCAN_SECONDS.observe(time.monotonic() - started)

    async def _resolve(self, job: ScanJob) -> ScanJob:
        """Ask the registry, once for all attempts, which digest the tag stands for."""
        if job.digest is not None:
            return await self._check_tag(job, job.tag) if job.tag and job.attempt <= self.settings.max_attempts else job
        found = await self.registries.client(job.host).resolve_digest(job.repository, job.reference.locator)
        async with self.database.transaction() as session:
            await record_resolved(session, job.scan_id, found.digest, job.tag)
        return dataclasses.replace(job, digest=found.digest)

    async def _check_tag(self, job: ScanJob, tag: str) -> ScanJob:
        """Ask the registry whether the tag points to the digest that it was named with: policies and waivers go by tags. If not, go on without it."""
        asked_at = dt.datetime.now(dt.UTC)
        found: Digest | None = None
        try:
            found = (await self.registries.client(job.host).resolve_digest(job.repository, tag)).digest
        except MissingError:
            if self._may_appear(job):
                raise
        async with self.database.transaction() as session:
            holds = await record_checked_tag(session, job.scan_id, tag, found, seen_at=asked_at)
        if holds:
            return job
        _log.warning("scan.tag_dropped", tag=tag, points_to=str(found))
        return dataclasses.replace(job, tag=None)

    def _may_appear(self, job: ScanJob) -> bool:
        return job.attempt < min(MISSING_ATTEMPTS, self.settings.max_attempts)

    async def _scan(self, job: ScanJob) -> None:
        if job.digest is None:
            raise InvalidMessage(f"expected scan {job.scan_id} to have a digest by now")
        if (
            job.attempt > self.settings.max_attempts
        ):  # attempts beyond are those of workers that died: it would kill them all in turn, for ever
            raise LimitExceeded("the workers that tried it ended without a word")
        source = RegistrySource(self.registries.client(job.host), job.reference)
        inspection = await self.scanner.inspect(source, root=job.digest)
        snapshot = await self.recorder.record(job.digest, inspection)
        if self.vex is not None:
            await self.vex.record(source, job.reference, inspection, job.correlation_id)
        await self._finish(job, job.digest, inspection, snapshot)

    async def _finish(self, job: ScanJob, digest: Digest, inspection: Inspection, snapshot: str | None) -> None:
        async with self.database.transaction() as session:
            finished = await finish_scan(session, job.scan_id, self.name, image_digest=digest, feed_snapshot=snapshot)
        if not finished:
            _log.warning("scan.lease_lost")  # another worker has it now; what we recorded is the same
            return
        self.wake()
        outcome = "artifact" if inspection.is_artifact else "scanned"
        SCANS.labels(outcome=outcome).inc()
        _log.info("scan.finished", outcome=outcome, images=len(inspection.images))

    async def _release(self, job: ScanJob, reason: str) -> None:
        SCANS.labels(outcome="postponed").inc()
        async with self.database.transaction() as session:
            await release_scan(session, job.scan_id, self.name, reason)

    async def _miss(self, job: ScanJob, error: MissingError) -> None:
        reason = f"gone before it was scanned: {error}"
        if self._may_appear(job):
            await self._release(job, reason)
            raise UnavailableError(reason) from error
        await self._fail(job, reason, outcome="gone")

    async def _give_up(self, job: ScanJob, error: PratiqueError) -> None:
        """Let the push be decided without its content: a verdict of `incomplete` that says why is seen, a scan that only failed is not.

        What is stored of this very digest from an earlier scan stays, and is what the decision is taken on. Only a tag that was never resolved has no decision.
        """
        reason = f"not scanned, at attempt {job.attempt}: {error}"
        if job.digest is None:
            await self._fail(job, reason, outcome="failed")
            return
        inspection = unreadable_inspection(job.digest, reason)
        snapshot = await self.recorder.record(job.digest, inspection)
        await self._finish(job, job.digest, inspection, snapshot)
        _log.warning("scan.given_up", reason=reason)

    async def _fail(self, job: ScanJob, reason: str, *, outcome: str) -> None:
        async with self.database.transaction() as session:
            await fail_scan(session, job.scan_id, reason)
        SCANS.labels(outcome=outcome).inc()
        _log.warning("scan.failed", reason=reason)

    @contextlib.asynccontextmanager
    async def _held_lease(self, job: ScanJob) -> AsyncIterator[None]:
        """Extend the lease three times in its life; stop the work when it is lost."""
        owner = asyncio.current_task()
        lost = False

        async def extend() -> None:
            nonlocal lost
            while True:
                await asyncio.sleep(self.settings.lease / 3)
                if not await self._extend(job):
                    lost = True
                    if owner is not None:
                        owner.cancel()
                    return

        heartbeat = asyncio.create_task(extend())
        try:
            yield
        except asyncio.CancelledError:
            if lost and owner is not None and owner.uncancel() == 0:
                raise _LeaseLost from None
            raise
        finally:
            heartbeat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await heartbeat

    async def _extend(self, job: ScanJob) -> bool:
        try:
            async with self.database.transaction() as session:
                return await extend_lease(session, job.scan_id, self.name, self.settings.lease)
        except UnavailableError as error:
            _log.warning("lease.not_extended", error=str(error))
            return True  # the lease may well outlive the outage; finish_scan has the last word


def worker_name() -> str:
    """Make a name that no other process has."""
    return f"scanner-{uuid.uuid4().hex[:12]}"
