"""Fixtures that every test may ask for: real servers, started once a session when first asked for, and real clients."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pratique.storage.engine import Database
from tests.support.databases import DatabaseFactory, PostgresFactory, SqliteFactory
from tests.support.servers import DockerRegistry, PostgreSQL, RabbitMQ, find_tool

_CACHES = itertools.count()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named after their argument: compressed ones hold the time at which they were made, and every worker must name a test alike."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A test meets no result of an earlier one, and leaves none in the home of whoever runs it."""
    monkeypatch.setenv("PRATIQUE_CACHE_DIR", str(tmp_path_factory.getbasetemp() / f"cache-{next(_CACHES)}"))


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """Short, and open to the account that PostgreSQL runs as, which pytest's own folders are not."""
    with tempfile.TemporaryDirectory(prefix="pratique-tests-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture(scope="session")
def docker_registry(servers_folder: Path) -> Iterator[Callable[..., DockerRegistry]]:
    """Start a docker-registry with the options of `DockerRegistry`: 50 ms each. All are stopped at the end; a test may stop its own before."""
    with ExitStack() as stack:
        count = iter(range(1_000_000))

        def start(**options: Any) -> DockerRegistry:
            return stack.enter_context(DockerRegistry(servers_folder / f"registry-{next(count)}", **options))

        yield start


@pytest.fixture(scope="session")
def rabbitmq(servers_folder: Path) -> Iterator[RabbitMQ]:
    """One broker for the session (8 s); take a virtual host of your own with `create_vhost`."""
    with RabbitMQ(servers_folder / "rabbitmq") as server:
        yield server


@pytest.fixture(scope="session")
def postgres(servers_folder: Path) -> Iterator[PostgreSQL]:
    """One PostgreSQL for the session (1 s); take a database of your own with `create_database`."""
    with PostgreSQL(servers_folder / "postgresql") as server:
        yield server


@pytest.fixture(scope="session")
def cosign25() -> Path:
    """cosign 2.5, the last line that signs with tags."""
    return find_tool("cosign-2")


@pytest.fixture(scope="session")
def cosign31() -> Path:
    """cosign 3.1, which signs with bundles."""
    return find_tool("cosign-3")


@pytest.fixture(scope="session")
def skopeo() -> Path:
    """skopeo, for copies between layouts and registries."""
    return find_tool("skopeo")


@pytest.fixture(scope="session")
def crane() -> Path:
    """crane, for single API calls and a second registry (`crane registry serve`)."""
    return find_tool("crane")


@pytest.fixture(scope="session")
def oras() -> Path:
    """oras, for artifacts and referrers."""
    return find_tool("oras")


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteFactory:
    """SQLite files."""
    return SqliteFactory(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_databases(postgres: PostgreSQL) -> PostgresFactory:
    """Databases of the one PostgreSQL."""
    return PostgresFactory(postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> DatabaseFactory:
    """Both kinds: a test that takes this runs twice."""
    factory: DatabaseFactory = request.getfixturevalue("sqlite_databases" if request.param == "sqlite" else "postgres_databases")
    return factory


@pytest.fixture
async def url(databases: DatabaseFactory) -> AsyncIterator[str]:
    """The address of a migrated database of the test's own."""
    created = await databases.create()
    yield created
    await databases.drop(created)


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    """That database, open."""
    database = Database(url, pool_size=5)
    yield database
    await database.close()
