"""A database compiled from the small mirror of real advisories that these tests read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pratique.advisories.compiler import compile_database
from tests.support.judged import MIRROR


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("real") / "advisories.db"
    compile_database(MIRROR, path)
    return path
