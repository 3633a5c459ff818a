"""Deployments to test pratique whole: on the real servers, and on the embedded default."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pratique.advisories.compiler import compile_database
from tests.support.deployment import Deployment
from tests.support.osv_mirror import EXTRACT
from tests.support.servers import PostgreSQL, RabbitMQ

DeploymentFactory = Callable[..., Deployment]


@pytest.fixture(scope="session")
def advisories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database compiled from the extract of real advisories that the demo uses."""
    path = tmp_path_factory.mktemp("advisories") / "advisories.db"
    compile_database(EXTRACT, path)
    return path


@pytest.fixture
def deploy(request: pytest.FixtureRequest, tmp_path: Path, advisories: Path) -> Iterator[Callable[..., Deployment]]:
    """Make a deployment of the kind `servers` (PostgreSQL, RabbitMQ, a process for each service) or `embedded` (one process, SQLite)."""
    with ExitStack() as stack:

        def make(kind: str, **options: Any) -> Deployment:
            folder = tmp_path / f"pratique-{kind}"
            if kind == "embedded":
                options["database_url"] = f"sqlite+aiosqlite:///{folder / 'pratique.sqlite'}"
            else:
                postgres: PostgreSQL = options.pop("postgres", None) or request.getfixturevalue("postgres")
                rabbitmq: RabbitMQ = options.pop("rabbitmq", None) or request.getfixturevalue("rabbitmq")
                options |= {"database_url": postgres.create_database(), "broker_url": rabbitmq.create_vhost()}
            return stack.enter_context(Deployment(folder, **{"advisories": advisories, **options}))

        yield make
