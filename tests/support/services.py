"""The services' own classes on one ledger and real registries, without a broker: a test takes messages from the outbox and hands them over itself."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import text

from pratique.deciding.decider import Decider
from pratique.findings import Finding
from pratique.inventory.analyzers import ANALYZERS_KEY
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus
from pratique.inventory.inventory import Inventory
from pratique.messages import ImagePushed, InventoryRecorded, Message, encode_message, parse_message
from pratique.messaging.interface import Delivery
from pratique.oci.digest import Digest
from pratique.oci.manifest import Index
from pratique.policy.parse import parse_policy
from pratique.registry.access import RegistryAccess
from pratique.registry.client import Registries, RegistryClient
from pratique.runtime.advisory_file import AdvisoryFile
from pratique.runtime.layer_pool import LayerPool
from pratique.runtime.metrics import REGISTRY
from pratique.runtime.settings import ScannerSettings
from pratique.scanning import FileScope, Scanner
from pratique.signing.keys import AdmissionKey, AttestationKey, SigningKey, SigningKeys
from pratique.storage.engine import Database
from pratique.storage.findings import record_coverage
from pratique.storage.images import record_image, record_inventory
from pratique.storage.matches import load_unmatched_packages, unplace_packages
from pratique.storage.outbox import load_unpublished, mark_published
from pratique.storage.scans import finish_scan, lease_scan
from pratique_services.enforcer.consumer import Enforcer
from pratique_services.enforcer.performing import Performer
from pratique_services.scanner.consumer import ScanWorker
from pratique_services.scanner.layer_store import DatabaseLayerStore
from pratique_services.scanner.recording import Recorder
from tests.support.images import ImageLayout
from tests.support.images import push as copy_image
from tests.support.servers import DockerRegistry
from tests.support.stored import image, inventory, match, package
from tests.support.stored import push as record_event


def matched_with(feed: str) -> Coverage:
    """What the scanner says of a complete matching with an advisory database of this digest."""
    return Coverage(items=(CoverageItem(name="advisories", version=feed, status=CoverageStatus.COMPLETE),))


UNREAD = Coverage(items=(CoverageItem(name="layer", version="", status=CoverageStatus.FAILED, reason="cannot be read"),))

Kind = TypeVar("Kind", bound=Message)


def access_to(host: str, **options: Any) -> RegistryAccess:
    """Plain HTTP without long pauses."""
    return RegistryAccess(**{"host": host, "plain_http": True, "backoff": 0.01, "max_attempts": 2, "read_timeout": 10.0, **options})


def deliver(message: Message, *, attempt: int = 1) -> Delivery:
    """A message as a broker would hand it over."""
    return Delivery(
        queue=message.queue, message_id=uuid4().hex, correlation_id=message.correlation_id, body=encode_message(message), attempt=attempt
    )


def metric(name: str, **labels: str) -> float:
    """What a metric of this process stands at."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


@dataclass(kw_only=True)
class Bench:
    """A migrated ledger and registry clients; `wakes` counts how often a service told the relay of a commit."""

    database: Database
    registries: Registries
    stack: AsyncExitStack
    wakes: int = 0

    def wake(self) -> None:
        self.wakes += 1

    async def rows(self, query: str, **values: object) -> list[dict[str, Any]]:
        """Read from the ledger in SQL, past our own statements."""
        async with self.database.reading() as session:
            return [dict(row) for row in (await session.execute(text(query), values)).mappings()]

    async def row(self, query: str, **values: object) -> dict[str, Any]:
        """The one row that there is."""
        (only,) = await self.rows(query, **values)
        return only

    async def change(self, statement: str, **values: object) -> None:
        """Change the ledger as nothing of ours would."""
        async with self.database.transaction() as session:
            await session.execute(text(statement), values)

    async def take(self, kind: type[Kind] = Message) -> list[Kind]:  # type: ignore[assignment]
        """Take what waits in the outbox, or only the messages of a kind, as the relay does."""
        async with self.database.transaction() as session:
            waiting = [(row.id, parse_message(row.body)) for row in await load_unpublished(session, 100)]
            wanted = [(row, message) for row, message in waiting if isinstance(message, kind)]
            await mark_published(session, [row for row, _ in wanted])
        return [message for _, message in wanted]

    async def event(self, host: str, repository: str, **more: Any) -> ImagePushed:
        """Record a push that happened; answer the message that it caused."""
        async with self.database.transaction() as session:
            intake = await record_event(session, uuid4().hex, **{"tag": None, "host": host, "repository": repository, **more})
        assert intake.scan_id
        (message,) = await self.take(ImagePushed)
        return message

    async def upload(self, registry: DockerRegistry, layout: ImageLayout, repository: str, tag: str) -> None:
        """Push with a real client."""
        await asyncio.to_thread(copy_image, layout, f"{registry.host}/{repository}:{tag}")

    async def push(self, registry: DockerRegistry, layout: ImageLayout, repository: str, tag: str, *, host: str = "") -> ImagePushed:
        """Upload, and record the event as a registry's webhook brings it. `host` is by which name we know the registry."""
        await self.upload(registry, layout, repository, tag)
        return await self.event(host or registry.host, repository, tag=tag, digest=Digest.parse(layout.digest))

    async def scan_row(self, message: ImagePushed) -> dict[str, Any]:
        return await self.row("SELECT * FROM scan WHERE id = :id", id=message.scan_id)

    async def record_scanned(
        self,
        message: ImagePushed,
        findings: Iterable[Finding] = (),
        *,
        coverage: Coverage | None = None,
        index: Index | None = None,
    ) -> InventoryRecorded:
        """Record a scan as the scanner would, with these findings; answer the message that announces it."""
        digest = Digest.parse((await self.scan_row(message))["digest"])
        feed = str(Digest.of(uuid4().bytes))
        async with self.database.transaction() as session:
            assert await lease_scan(session, message.scan_id, worker="bench", ttl=60)
            await unplace_packages(session)  # earlier matches are replaced
            for own in [str(child.digest) for child in index.manifests] if index else [str(digest)]:
                found = inventory([package(f"lib-{own[-12:]}")])
                found = Inventory(distribution=found.distribution, packages=found.packages, coverage=coverage or found.coverage)
                await record_image(session, image(Digest.parse(own)))
                await record_inventory(session, own, found, ANALYZERS_KEY)
                unmatched = await load_unmatched_packages(session, own)
                await match(session, {row: tuple(findings) for row, _ in unmatched})
                await record_coverage(session, own, "matching", matched_with(feed))
            if index:
                await record_image(session, image(digest, kind="index", platform=None, children=index.manifests))
            assert await finish_scan(session, message.scan_id, "bench", image_digest=digest, feed_snapshot=feed)
        (recorded,) = await self.take(InventoryRecorded)
        return recorded

    def worker(
        self, advisories: Path | None = None, *, name: str = "worker", registries: Registries | None = None, **settings: Any
    ) -> ScanWorker:
        """A scan worker with one child process."""
        pool = LayerPool(workers=1)
        self.stack.push_async_callback(pool.close)
        return ScanWorker(
            database=self.database,
            registries=registries or self.registries,
            scanner=Scanner(pool, DatabaseLayerStore(self.database), files=FileScope.SUMMARY),
            recorder=Recorder(self.database, AdvisoryFile(advisories) if advisories else None),
            settings=ScannerSettings(**settings),
            name=name,
            wake=self.wake,
        )

    def enforcer(self, policy: str, keys: SigningKeys | None, *, database: Database | None = None) -> Enforcer:
        """An enforcer by a policy document."""
        return Enforcer(
            database=database or self.database,
            decider=Decider(document=parse_policy(policy.encode())),
            performer=Performer(registries=self.registries, keys=keys),
            wake=self.wake,
        )

    async def decisions(self) -> list[dict[str, Any]]:
        """All decisions with their verdicts, oldest first."""
        return await self.rows(
            "SELECT decision.id, scan_id, tag, image_digest, announced_at, status, reasons, feed_snapshot "
            "FROM decision JOIN verdict ON verdict.id = verdict_id ORDER BY decision.id"
        )


@asynccontextmanager
async def open_bench(
    url: str, accesses: Mapping[str, RegistryAccess], *, open_database: Callable[[str], Database] = Database
) -> AsyncIterator[Bench]:
    """Open a bench on a migrated database."""
    async with AsyncExitStack() as stack:
        database = open_database(url)
        stack.push_async_callback(database.close)
        registries = await stack.enter_async_context(Registries(accesses))
        yield Bench(database=database, registries=registries, stack=stack)


def generate_keys() -> SigningKeys:
    """Two keys of our own."""
    return SigningKeys(admission=AdmissionKey(key=SigningKey.generate()), attestation=AttestationKey(key=SigningKey.generate()))


def verifies(program: Path, key: Path, reference: str) -> bool:
    """Ask a real cosign whether an image has a signature by a key."""
    flags = ["--insecure-ignore-tlog=true", "--allow-http-registry", "--allow-insecure-registry"]
    done = subprocess.run(
        [str(program), "verify", "--key", str(key), *flags, reference], check=False, capture_output=True, text=True, timeout=60
    )
    return done.returncode == 0


async def points_to(client: RegistryClient, repository: str, tag: str) -> str | None:
    """The digest that a tag points to in the registry, by its list of tags and its word."""
    if not await client.has_document(repository, tag):
        return None
    return str((await client.resolve_digest(repository, tag)).digest)
