"""The compiled advisory database travels through a real registry, signed as real cosigns verify it, and nothing unsigned or broken takes the place of a good one."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from pratique.advisories.compiler import compile_database
from pratique.signing.keys import SigningKey
from pratique_services.cli.advisory_artifacts import ARTIFACT_TYPE, MEDIA_TYPE
from pratique_services.cli.main import main
from tests.support.images import make_image, make_layer, python_files
from tests.support.osv_mirror import EXTRACT, make_affected, make_record, write_mirror
from tests.support.servers import DockerRegistry
from tests.support.services import verifies

OFFLINE = {"cosign25": ["--tlog-upload=false"], "cosign31": ["--use-signing-config=false", "--tlog-upload=false"]}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("advisories") / "advisories.db"
    compile_database(EXTRACT, path)
    return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two key pairs, `ours` and `theirs`, whose password is `secret`."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        key = SigningKey.generate()
        key.save_private(folder / f"{name}.key", b"secret")
        (folder / f"{name}.pub").write_bytes(key.public_pem())
    return folder


@pytest.fixture
def reference(shared_registry: DockerRegistry, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PRATIQUE_KEY_PASSWORD", "secret")
    return f"{shared_registry.host}/advisories-{uuid4().hex[:8]}/pratique:latest"


def push(reference: str, database: Path, *options: str | Path) -> int:
    return main(["advisories", "push", reference, str(database), "--plain-http", *map(str, options)])


def pull(reference: str, output: Path, *options: str | Path) -> int:
    return main(["advisories", "pull", reference, str(output), "--plain-http", *map(str, options)])


def run(*command: str | Path, folder: Path) -> None:
    environment = {**os.environ, "COSIGN_PASSWORD": "secret", "HOME": str(folder), "COSIGN_YES": "true"}
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, timeout=60, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_site_without_network_scans_with_what_was_pushed_and_signed_elsewhere(
    database: Path, keys: Path, reference: str, cosign25: Path, cosign31: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(reference, database, "--key", keys / "ours.key") == 0
    captured = capsys.readouterr()
    digest = captured.out.strip()
    assert digest.startswith(f"{reference.removesuffix(':latest')}@sha256:")
    assert captured.err == ""
    for cosign in (cosign25, cosign31):
        assert verifies(cosign, keys / "ours.pub", digest)
        assert not verifies(cosign, keys / "theirs.pub", digest)

    site = tmp_path / "site"
    site.mkdir()
    assert pull(reference, site / "advisories.db", "--verify-key", keys / "ours.pub") == 0
    assert capsys.readouterr().err == ""
    assert (site / "advisories.db").read_bytes() == database.read_bytes()
    assert [path.name for path in site.iterdir()] == ["advisories.db"]

    image = make_image(tmp_path / "image", [make_layer(python_files({"requests": "2.19.0"}))])
    main(["scan", f"oci:{image.folder}", "--advisories", str(site / "advisories.db"), "--format", "json"])
    assert "CVE-2018-18074" in {alias for finding in json.loads(capsys.readouterr().out)["findings"] for alias in finding["aliases"]}


def test_a_database_that_nobody_or_somebody_else_signed_leaves_the_old_one_in_place(
    database: Path, keys: Path, reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "kept.db"
    output.write_bytes(b"what was there")

    assert push(reference, database) == 0
    assert "not signed" in capsys.readouterr().err
    assert pull(reference, output, "--verify-key", keys / "ours.pub") == 3
    assert push(reference, database, "--key", keys / "theirs.key") == 0
    assert pull(reference, output, "--verify-key", keys / "ours.pub") == 3

    error = capsys.readouterr().err
    assert error.count("\n") == 2
    assert "ours.pub" in error
    assert output.read_bytes() == b"what was there"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.db"]
    assert pull(reference, output, "--verify-key", keys / "ours.pub", "--verify-key", keys / "theirs.pub") == 0
    assert output.read_bytes() == database.read_bytes()


def test_a_tag_that_was_moved_from_the_signed_database_to_another_is_refused(
    database: Path, keys: Path, reference: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    compile_database(
        write_mirror(tmp_path / "mirror", PyPI=[make_record("PYSEC-1", make_affected("PyPI", "a", {"introduced": "0"}))]), other
    )
    assert push(reference, database, "--key", keys / "ours.key") == 0
    assert push(reference, other) == 0

    assert pull(reference, tmp_path / "pulled.db", "--verify-key", keys / "ours.pub") == 3
    assert not (tmp_path / "pulled.db").exists()


@pytest.mark.parametrize("name", ["cosign25", "cosign31"])
def test_what_cosign_itself_signed_is_taken(
    name: str,
    database: Path,
    keys: Path,
    reference: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert push(reference, database) == 0
    digest = capsys.readouterr().out.strip()
    cosign = request.getfixturevalue(name)

    run(cosign, "sign", "--key", keys / "ours.key", "--allow-http-registry", *OFFLINE[name], digest, folder=tmp_path)

    assert pull(reference, tmp_path / "pulled.db", "--verify-key", keys / "ours.pub") == 0
    assert pull(reference, tmp_path / "pulled.db", "--verify-key", keys / "theirs.pub") == 3


def test_an_attestation_by_the_key_is_no_signature(
    database: Path, keys: Path, reference: str, cosign31: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(reference, database) == 0
    digest = capsys.readouterr().out.strip()
    (tmp_path / "said.json").write_text("{}")
    attest = [cosign31, "attest", "--key", keys / "ours.key", "--type", "custom", "--predicate", "said.json", "--allow-http-registry"]

    run(*attest, *OFFLINE["cosign31"], digest, folder=tmp_path)

    assert pull(reference, tmp_path / "pulled.db", "--verify-key", keys / "ours.pub") == 3


def test_signing_again_changes_nothing(database: Path, keys: Path, reference: str, crane: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = reference.removesuffix(":latest")
    states = []
    for _ in range(2):
        assert push(reference, database, "--key", keys / "ours.key") == 0
        digest = capsys.readouterr().out.strip().partition("@")[2].replace(":", "-")
        tags = [f"{repository}:{tag}" for tag in ("latest", digest, f"{digest}.sig")]
        states.append([subprocess.check_output([crane, "manifest", "--insecure", tag], timeout=60) for tag in tags])

    assert states[0] == states[1]


def test_a_signature_travels_to_another_registry_with_the_database(
    database: Path, keys: Path, reference: str, docker_registry: Callable[..., DockerRegistry], cosign25: Path, tmp_path: Path
) -> None:
    inside = f"{docker_registry().host}/mirror/advisories:1"
    assert push(reference, database, "--key", keys / "ours.key") == 0

    run(cosign25, "copy", "--allow-http-registry", "--allow-insecure-registry", reference, inside, folder=tmp_path)

    assert pull(inside, tmp_path / "pulled.db", "--verify-key", keys / "ours.pub") == 0
    assert (tmp_path / "pulled.db").read_bytes() == database.read_bytes()


def test_a_pull_without_a_key_says_that_nothing_was_verified(
    database: Path, reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(reference, database) == 0
    capsys.readouterr()

    assert pull(reference, tmp_path / "pulled.db") == 0

    assert "--verify-key" in capsys.readouterr().err
    assert (tmp_path / "pulled.db").read_bytes() == database.read_bytes()


def test_an_older_database_in_a_newer_ones_place_is_told(
    database: Path, keys: Path, reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = tmp_path / "newer.db"
    record = make_record("PYSEC-1", make_affected("PyPI", "a", {"introduced": "0"}), modified="2099-01-01T00:00:00Z")
    compile_database(write_mirror(tmp_path / "mirror", PyPI=[record]), newer)
    assert push(reference, database, "--key", keys / "ours.key") == 0
    capsys.readouterr()

    assert pull(reference, newer, "--verify-key", keys / "ours.pub") == 0

    assert "older" in capsys.readouterr().err


@pytest.mark.parametrize("artifact_type", [ARTIFACT_TYPE, "application/vnd.example"])
def test_an_artifact_that_is_no_database_leaves_the_old_one_in_place(
    artifact_type: str, database: Path, keys: Path, reference: str, tmp_path: Path, oras: Path, cosign25: Path
) -> None:
    (tmp_path / "broken.db").write_bytes(b"not a database")
    (tmp_path / "kept.db").write_bytes(database.read_bytes())
    run(oras, "push", "--plain-http", "--artifact-type", artifact_type, reference, f"broken.db:{MEDIA_TYPE}", folder=tmp_path)
    sign = [cosign25, "sign", "--key", keys / "ours.key", "--allow-http-registry", *OFFLINE["cosign25"]]
    run(*sign, reference, folder=tmp_path)

    assert pull(reference, tmp_path / "kept.db", "--verify-key", keys / "ours.pub") == 3

    assert (tmp_path / "kept.db").read_bytes() == database.read_bytes()


def test_a_signed_image_that_holds_a_database_is_not_taken_for_one(
    database: Path, keys: Path, reference: str, tmp_path: Path, oras: Path, cosign25: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key that admits images signs what anybody pushes, if it passes."""
    (tmp_path / "advisories.db").write_bytes(database.read_bytes())
    (tmp_path / "config.json").write_text('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}')
    config = ["--config", "config.json:application/vnd.oci.image.config.v1+json", "--artifact-type", ARTIFACT_TYPE]
    run(oras, "push", "--plain-http", *config, reference, f"advisories.db:{MEDIA_TYPE}", folder=tmp_path)
    run(cosign25, "sign", "--key", keys / "ours.key", "--allow-http-registry", *OFFLINE["cosign25"], reference, folder=tmp_path)

    assert pull(reference, tmp_path / "pulled.db", "--verify-key", keys / "ours.pub") == 3

    assert "something else" in capsys.readouterr().err


def test_a_missing_artifact_is_said_in_one_line(reference: str, tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pull(reference, tmp_path / "x.db", "--verify-key", keys / "ours.pub") == 3

    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("option", ["--key", "--verify-key"])
def test_a_key_that_cannot_be_read_is_a_mistake_of_usage(
    option: str, database: Path, reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no.key").write_text("no key")
    command = push if option == "--key" else pull

    assert command(reference, database, option, tmp_path / "missing.key") == 2
    assert command(reference, database, option, tmp_path / "no.key") == 2

    assert "no.key" in capsys.readouterr().err
