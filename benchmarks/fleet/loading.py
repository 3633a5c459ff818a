"""Fills a migrated PostgreSQL with a fleet, as the services would have left it after scanning each image once.

1. Tables are filled by COPY; foreign keys are not checked meanwhile.
2. `image_package`, by far the largest, is written by the server from the layers' lists, without indexes, which are made afterwards.
3. All is vacuumed and analyzed, as autovacuum does in time.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from benchmarks.fleet.matching import Row, match_all
from benchmarks.fleet.population import FleetImage, Population
from benchmarks.fleet.universe import SYSTEMS
from pratique.advisories.coverage import matching_coverage
from pratique.advisories.database import AdvisoryDatabase
from pratique.inventory.analyzers import ANALYZERS_KEY, REGISTERED
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus
from pratique.policy.policy import PolicyDocument
from pratique.policy.verdict import VerdictStatus
from pratique.storage import models
from pratique.storage.dialect import table_of
from pratique.storage.models.base import Base
from pratique.storage.text import hash_json

HOST = "registry.example"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_LONG_AGO = dt.datetime(2025, 8, 1, tzinfo=dt.UTC)
_IMAGES_A_PIECE = 500
_COUNTS = {"critical": 1, "high": 9, "medium": 30, "low": 12, "negligible": 0, "unknown": 3}
_COUNTERS = ("image", "layer", "package", "advisory", "match_event")

_SHAPES = """
CREATE UNLOGGED TABLE shape_member (image_id bigint, layer_id bigint);
CREATE UNLOGGED TABLE shape_layer (layer_id bigint, is_os boolean, packages bigint[]);
"""
_EXPAND = """
INSERT INTO image_package (image_id, package_id, layer_id, paths)
SELECT m.image_id, p, l.layer_id,
  CASE WHEN l.is_os THEN '["var/lib/dpkg/status"]'::jsonb ELSE jsonb_build_array('srv/app/vendor/package-' || p || '/metadata.json') END
FROM shape_member m JOIN shape_layer l ON l.layer_id = m.layer_id, unnest(l.packages) p
WHERE m.image_id > $1 AND m.image_id <= $2 ORDER BY m.image_id, p
"""


async def load_fleet(url: str, fleet: Population, database: Path, document: PolicyDocument) -> None:
    """Fill the database at `url`, which is migrated and empty."""
    connection = await asyncpg.connect(url)
    try:
        await _prepare(connection)
        effects = await _load_packages(connection, fleet, database, document)
        with AdvisoryDatabase.open(database) as advisories:
            await _load_images(connection, fleet, advisories)
            await _copy(connection, models.AdvisoryState, [_state(advisories)])
        statuses = _judge(fleet, effects, len(document.policies))
        await _load_judgements(connection, fleet, document, statuses)
        _say("expanding layers into image_package")
        await _expand(connection, url, fleet.size)
        await _finish(connection)
    finally:
        await connection.close()


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", encoder=_encode, decoder=_decode, schema="pg_catalog", format="binary")
    await connection.execute("SET session_replication_role = replica")  # no checks of foreign keys


def _encode(value: Any) -> bytes:  # noqa: ANN401 - JSON
    return b"\x01" + msgspec.json.encode(value)  # the version of PostgreSQL's own form


def _decode(content: bytes) -> Any:  # noqa: ANN401 - JSON
    return msgspec.json.decode(content[1:])


async def _load_packages(
    connection: asyncpg.Connection, fleet: Population, database: Path, document: PolicyDocument
) -> Mapping[int, Sequence[VerdictStatus]]:
    _say(f"matching {len(fleet.packages):,} packages")
    advisories: dict[str, tuple[int, Row]] = {}
    aliases: set[tuple[str, str]] = set()
    exploits: dict[str, Any] = {}
    effects: dict[int, Sequence[VerdictStatus]] = {}
    for matched in match_all(fleet, database, document):
        for name, row in matched.advisories.items():
            advisories.setdefault(name, (len(advisories) + 1, row))
        aliases |= matched.aliases
        exploits |= matched.exploits
        effects |= matched.effects
        await _copy(connection, models.PackageModel, matched.packages)
        matches = ({**row, "advisory_id": advisories[name][0], "first_seen": _LONG_AGO} for name, row in matched.matches)
        await _copy(connection, models.PackageAdvisory, matches)
    await _copy(connection, models.AdvisoryModel, ({"id": number, **row} for number, row in advisories.values()))
    names = ({"alias": alias, "advisory_id": advisories[name][0]} for alias, name in sorted(aliases))
    await _copy(connection, models.AdvisoryAlias, names)
    known = ({"cve": cve, "exploited_since": found.since, "epss": found.epss} for cve, found in sorted(exploits.items()))
    await _copy(connection, models.Exploitation, known)
    return effects


async def _load_images(connection: asyncpg.Connection, fleet: Population, advisories: AdvisoryDatabase) -> None:
    _say(f"copying {fleet.size:,} images")
    await connection.execute(_SHAPES)
    await _copy(connection, models.Layer, ({"id": layer.id, "digest": digest_of("layer", layer.id)} for layer in fleet.layers))
    await _copy(connection, models.Image, (_image(image) for image in fleet.images))
    coverages = {system: list(_coverages(system, advisories)) for system in SYSTEMS}
    rows = ({"image_id": image.id, **section} for image in fleet.images for section in coverages[image.system])
    await _copy(connection, models.CoverageModel, rows)
    members = [(image.id, layer) for image in fleet.images for layer in image.layers]
    await connection.copy_records_to_table("shape_member", records=members)
    shapes = ((layer.id, is_os, packages) for layer in fleet.layers for is_os, packages in _split(fleet, layer.packages))
    for piece in _pieces(shapes, 2000):
        await connection.copy_records_to_table("shape_layer", records=piece)


def _split(fleet: Population, packages: Sequence[int]) -> Iterator[tuple[bool, list[int]]]:
    """The packages of a system, and the others."""
    of_system = [number for number in packages if fleet.is_of_system(number)]
    of_language = [number for number in packages if not fleet.is_of_system(number)]
    yield from ((is_os, found) for is_os, found in ((True, of_system), (False, of_language)) if found)


def _image(image: FleetImage) -> Row:
    namespace = SYSTEMS[image.system][1]
    return {
        "id": image.id,
        "digest": digest_of("image", image.id),
        "media_type": _MANIFEST,
        "kind": "image",
        "size": 200_000_000,
        "platform": {"os": "linux", "architecture": "amd64", "variant": ""},
        "config": {"user": "1000", "entrypoint": ["/srv/app/start"], "cmd": [], "labels": {}},
        "layers": [digest_of("layer", layer) for layer in image.layers],
        "distribution": {"id": namespace, "version_id": image.system.partition(":")[2], "ecosystem": image.system},
        "analyzers_key": ANALYZERS_KEY,
        "inventory_digest": digest_of("inventory", image.id),
        "recorded_at": _LONG_AGO,
        "inspected_at": _LONG_AGO,
    }


def _coverages(system: str, advisories: AdvisoryDatabase) -> Iterator[Row]:
    """The two sections that a scan records: one item an analyzer, and matching."""
    items = (CoverageItem(name=one.name, version=str(one.version), status=CoverageStatus.COMPLETE) for one in REGISTERED)
    base = system.partition(":")[0]
    matching = matching_coverage(advisories, (), ())
    feeds = advisories.feeds_about([base, "npm", "PyPI", "Maven", "Go"])
    for section, coverage in (("inventory", Coverage(items=tuple(items))), ("matching", Coverage(items=matching.items, feeds=feeds))):
        yield {
            "section": section,
            "status": str(coverage.status),
            "items": msgspec.to_builtins(coverage.items),
            "feeds": msgspec.to_builtins(coverage.feeds),
        }


def _state(advisories: AdvisoryDatabase) -> Row:
    feeds = msgspec.to_builtins(advisories.feeds)
    return {"id": 1, "position": 1, "digest": str(advisories.digest), "feeds": feeds, "failures": [], "applied_at": _LONG_AGO}


def _judge(fleet: Population, effects: Mapping[int, Sequence[VerdictStatus]], policies: int) -> Mapping[int, VerdictStatus]:
    """The verdict on each image by the policy of its repository: the worst effect of any of its packages."""
    best = (VerdictStatus.PASS,) * policies

    def worst(found: Iterable[Sequence[VerdictStatus]]) -> tuple[VerdictStatus, ...]:
        return tuple(min(one, key=lambda status: status.rank) for one in zip(best, *found, strict=True))

    of_layers = {layer.id: worst(effects[number] for number in layer.packages if number in effects) for layer in fleet.layers}
    return {
        image.id: worst(of_layers[layer] for layer in image.layers)[0 if fleet.repositories[image.repository].startswith("prod/") else 1]
        for image in fleet.images
    }


async def _load_judgements(
    connection: asyncpg.Connection, fleet: Population, document: PolicyDocument, statuses: Mapping[int, VerdictStatus]
) -> None:
    """Scans, verdicts, decisions with their actions, and tags: one of each for an image."""
    _say("copying decisions")
    policies = [
        {"digest": policy.digest, "name": policy.name, "document": msgspec.json.encode(policy, order="sorted").decode()}
        for policy in document.policies
    ]
    await _copy(connection, models.PolicyModel, ({**row, "recorded_at": _LONG_AGO} for row in policies))
    await _copy(connection, models.Registry, [{"id": text_id("registry", 1), "host": HOST}])
    repositories = (
        {"id": text_id("repository", number), "registry_id": text_id("registry", 1), "name": name}
        for number, name in enumerate(fleet.repositories)
    )
    await _copy(connection, models.Repository, repositories)
    for piece in _pieces(fleet.images, 5000):
        rows = [
            _judgement(image, statuses[image.id], policies[not fleet.repositories[image.repository].startswith("prod/")]) for image in piece
        ]
        for model in (
            models.Scan,
            models.VerdictModel,
            models.DecisionModel,
            models.StandingDecision,
            models.Tag,
            models.ActionModel,
            models.Audit,
        ):
            await _copy(connection, model, (row for found in rows for row in found.get(model, ())))


def _judgement(image: FleetImage, status: VerdictStatus, policy: Row) -> Mapping[type[Base], Sequence[Row]]:
    number, digest, repository = image.id, digest_of("image", image.id), text_id("repository", image.repository)
    tag = f"v{image.version}"
    decision_id, verdict_id, scan_id = (text_id(kind, number) for kind in ("decision", "verdict", "scan"))
    reasons = [{"rule": "fail_on", "message": "3 findings at or above the threshold", "count": 3}] if status is VerdictStatus.FAIL else []
    of_image = {"repository_id": repository, "tag": tag, "image_digest": digest, "feed_snapshot": digest_of("database", 1)}
    scan = {"id": scan_id, "target": digest, "subject": digest, "digest": digest, "state": "scanned", "priority": "push", "attempt": 1}
    times = dict.fromkeys(("created_at", "queued_at", "started_at", "finished_at", "announced_at"), _LONG_AGO)
    actions = ("attest", "sign") if status is VerdictStatus.PASS else ("attest", "mark")
    return {
        models.Scan: [{**scan, **of_image, **times, "correlation_id": scan_id, "requested_by": "webhook"}],
        models.VerdictModel: [
            {
                "id": verdict_id,
                "status": str(status),
                "reasons": reasons,
                "policy": policy["name"],
                "policy_digest": policy["digest"],
                "waived": 0,
            }
        ],
        models.DecisionModel: [
            {
                "id": decision_id,
                "scan_id": scan_id,
                "revision": 0,
                "verdict_id": verdict_id,
                **of_image,
                "counts": _COUNTS,
                "inventory_digest": digest_of("inventory", number),
                "created_at": _LONG_AGO,
                "announced_at": _LONG_AGO,
            }
        ],
        models.StandingDecision: [{"image_id": number, "repository_id": repository, "decision_id": decision_id, "status": str(status)}],
        models.Tag: [{"id": text_id("tag", number), "repository_id": repository, "name": tag, "digest": digest, "moved_at": _LONG_AGO}]
        if image.is_tagged
        else [],
        models.ActionModel: [_action(decision_id, kind, place) for place, kind in enumerate(actions)],
        models.Audit: [
            {
                "id": text_id("audit", number),
                "at": _LONG_AGO,
                "actor": "pratique",
                "verb": "decided",
                "subject": f"{HOST}/{repository}@{digest}",
                "detail": {"verdict": str(status), "policy": policy["name"]},
                "correlation_id": scan_id,
            }
        ],
    }


def _action(decision_id: str, kind: str, place: int) -> Row:
    return {
        "id": f"0{place + 1}{decision_id[2:]}",
        "decision_id": decision_id,
        "kind": kind,
        "key": hash_json({}),
        "parameters": {},
        "outcome": "done",
        "detail": "",
        "attempts": 1,
        "updated_at": _LONG_AGO,
    }


async def _expand(connection: asyncpg.Connection, url: str, size: int) -> None:
    """Write `image_package`, with two connections, and its indexes."""
    rows = await connection.fetch("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'image_package'")
    await connection.execute(
        "CREATE INDEX ON shape_member (image_id); CREATE INDEX ON shape_layer (layer_id); ANALYZE shape_member, shape_layer"
    )
    await connection.execute("ALTER TABLE image_package DROP CONSTRAINT pk_image_package")
    others = [row for row in rows if row["indexname"] != "pk_image_package"]
    for row in others:
        await connection.execute(f'DROP INDEX "{row["indexname"]}"')
    pieces = iter(range(0, size, _IMAGES_A_PIECE))

    async def expand() -> None:
        own = await asyncpg.connect(url)
        try:
            await own.execute("SET session_replication_role = replica")
            for start in pieces:
                await own.execute(_EXPAND, start, start + _IMAGES_A_PIECE)
        finally:
            await own.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(expand())
    _say("indexing image_package")
    await connection.execute("ALTER TABLE image_package ADD CONSTRAINT pk_image_package PRIMARY KEY (image_id, package_id)")
    for row in others:
        await connection.execute(row["indexdef"])


async def _finish(connection: asyncpg.Connection) -> None:
    _say("vacuuming")
    await connection.execute("DROP TABLE shape_member, shape_layer")
    for table in _COUNTERS:
        await connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT coalesce(max(id), 1) FROM {table}))")
    await connection.execute("VACUUM (ANALYZE, FREEZE)")
    await connection.execute("CHECKPOINT")


async def _copy(connection: asyncpg.Connection, model: type[Base], rows: Iterable[Row]) -> None:
    """Copy rows of a model; columns that a row does not name are NULL."""
    table = table_of(model)
    columns = list(table.columns)
    for piece in _pieces(rows, 5000):
        records = [tuple(row.get(column.name) for column in columns) for row in piece]
        if records:
            await connection.copy_records_to_table(table.name, columns=[column.name for column in columns], records=records)


def _pieces(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while piece := list(islice(iterator, size)):
        yield piece


def digest_of(kind: str, number: int) -> str:
    """The digest of an invented thing."""
    return f"sha256:{hashlib.sha256(f'{kind} {number}'.encode()).hexdigest()}"


def text_id(kind: str, number: int) -> str:
    """A text id as the services make them, of a time long ago."""
    return f"01{hashlib.sha256(kind.encode()).hexdigest()[:6]}{number:024x}"


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
