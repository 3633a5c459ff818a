"""Fleets in PostgreSQL, made once and kept: `.cache/benchmark-fleet/<images>`."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet.loading import load_fleet
from benchmarks.fleet.policy import fleet_policy
from benchmarks.fleet.population import populate
from benchmarks.fleet.publishing import Databases, prepare_databases
from benchmarks.fleet.server import FILLING, KeptPostgreSQL
from pratique.storage.migrations import migrate
from tests.support.servers import CHECKOUT

CACHE = CHECKOUT / ".cache" / "benchmark-fleet"
BASE = "base"
"""The database with the fleet as it is before the change; measured is a copy of it."""

_GIB_AN_IMAGE = 0.00018  # twice: the fleet and the copy that is measured
_MAKERS = ("loading", "matching", "policy", "population", "universe")
_SIZES = "SELECT relname, reltuples::bigint, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"


@dataclass(frozen=True, slots=True)
class PreparedFleet:
    """A fleet's folder, and how many rows and bytes its tables have."""

    size: int
    folder: Path
    databases: Databases
    rows: dict[str, int]
    bytes: int


async def prepare_fleet(size: int) -> PreparedFleet:
    """Give a fleet of so many images, made when there is none."""
    CACHE.mkdir(parents=True, exist_ok=True)
    databases = prepare_databases(CACHE)
    folder = CACHE / str(size)
    summary = folder / "summary.json"
    made_by = _stand_for(databases)
    if not summary.exists() or json.loads(summary.read_text())["made_by"] != made_by:
        free = shutil.disk_usage(CACHE).free / 1024**3
        if free < size * _GIB_AN_IMAGE:
            raise SystemExit(f"{size:,} images need {size * _GIB_AN_IMAGE:.0f} GiB of disk, {free:.0f} are free: name a smaller number")
        shutil.rmtree(folder, ignore_errors=True)
        summary.write_text(json.dumps({**await _make(size, folder, databases), "made_by": made_by}))
    values = json.loads(summary.read_text())
    return PreparedFleet(size, folder, databases, values["rows"], values["bytes"])


def _stand_for(databases: Databases) -> str:
    """Stand for all that the data depends on: a fleet that was made otherwise is made again."""
    sources = [*sorted((CHECKOUT / "migrations" / "versions").glob("*.py")), *(Path(__file__).with_name(f"{name}.py") for name in _MAKERS)]
    digest = hashlib.sha256(databases.old.read_bytes())
    for path in sources:
        digest.update(path.read_bytes())
    return digest.hexdigest()


async def _make(size: int, folder: Path, databases: Databases) -> dict[str, object]:
    started = time.monotonic()
    print(f"making a fleet of {size:,} images", flush=True)
    server = KeptPostgreSQL(folder, FILLING).start()
    try:
        await server.execute(f"CREATE DATABASE {BASE}")
        url = server.database_url(BASE)
        await migrate(url)
        await load_fleet(url, populate(size), databases.old, fleet_policy())
        connection = await server.connect(BASE)
        sizes = await connection.fetch(_SIZES)
        await connection.close()
    finally:
        server.stop()
    print(f"made in {time.monotonic() - started:.0f} s", flush=True)
    return {"rows": {name: max(count, 0) for name, count, _ in sizes}, "bytes": sum(row[2] for row in sizes)}
