"""The compiled advisory database travels through a real registry, and nothing broken takes the place of a good one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pratique.advisories.compiler import compile_database
from pratique_services.cli.main import main
from tests.support.osv_mirror import EXTRACT
from tests.support.servers import DockerRegistry


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("advisories") / "advisories.db"
    compile_database(EXTRACT, path)
    return path


def test_a_pushed_database_is_pulled_byte_for_byte(
    database: Path, docker_registry: Callable[..., DockerRegistry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = f"{docker_registry().host}/pratique/advisories:latest"

    assert main(["advisories", "push", reference, "--advisories", str(database), "--plain-http"]) == 0
    assert capsys.readouterr().out.startswith(f"{reference.removesuffix(':latest')}@sha256:")
    assert main(["advisories", "pull", reference, "-o", str(tmp_path / "pulled.db"), "--plain-http"]) == 0

    assert (tmp_path / "pulled.db").read_bytes() == database.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["pulled.db"]


def test_an_artifact_that_is_no_database_leaves_the_old_one_in_place(
    database: Path, docker_registry: Callable[..., DockerRegistry], tmp_path: Path, oras: Path
) -> None:
    reference = f"{docker_registry().host}/pratique/advisories:broken"
    (tmp_path / "broken.db").write_bytes(b"not a database")
    (tmp_path / "kept.db").write_bytes(database.read_bytes())
    command = [str(oras), "push", "--plain-http", reference, "broken.db:application/octet-stream"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)

    assert main(["advisories", "pull", reference, "-o", str(tmp_path / "kept.db"), "--plain-http"]) == 3

    assert (tmp_path / "kept.db").read_bytes() == database.read_bytes()


def test_a_missing_artifact_is_said_in_one_line(
    docker_registry: Callable[..., DockerRegistry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = f"{docker_registry().host}/pratique/advisories:none"

    assert main(["advisories", "pull", reference, "-o", str(tmp_path / "x.db"), "--plain-http"]) == 3

    assert capsys.readouterr().err.count("\n") == 1
