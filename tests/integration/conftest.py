"""What the tests of the services have in common: a ledger of their own, one registry, a compiled extract of real advisories."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from pratique.advisories.compiler import compile_database
from tests.support.databases import SqliteFactory
from tests.support.osv_mirror import EXTRACT
from tests.support.servers import DockerRegistry
from tests.support.services import Bench, access_to, open_bench


@pytest.fixture(scope="session")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> SqliteFactory:
    return SqliteFactory(tmp_path_factory.mktemp("ledgers"))


@pytest.fixture(scope="session")
def shared_registry(docker_registry: Callable[..., DockerRegistry]) -> DockerRegistry:
    """One registry for all tests that neither stop nor configure it; take a repository of your own."""
    return docker_registry()


@pytest.fixture(scope="session")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database compiled from the extract of real advisories that the demo uses."""
    path = tmp_path_factory.mktemp("extract") / "advisories.db"
    compile_database(EXTRACT, path)
    return path


@pytest.fixture
async def bench(ledgers: SqliteFactory, shared_registry: DockerRegistry) -> AsyncIterator[Bench]:
    url = await ledgers.create()
    async with open_bench(url, {shared_registry.host: access_to(shared_registry.host)}) as made:
        yield made
    await ledgers.drop(url)


@pytest.fixture
def repository() -> str:
    return f"team-{uuid4().hex[:8]}/app"
