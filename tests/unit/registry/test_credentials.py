from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from pratique.errors import RefusedError
from pratique.registry.access import RegistryAccess
from pratique.registry.credentials import Credentials, load_credentials

AUTH = base64.b64encode(b"bot:pa:ss").decode()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def write(home: Path, config: object) -> dict[str, str]:
    (home / "config.json").write_text(json.dumps(config))
    return {"DOCKER_CONFIG": str(home), "PATH": f"{home}:{os.environ['PATH']}"}


def write_helper(home: Path, name: str, script: str) -> None:
    path = home / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


async def load(host: str, environment: dict[str, str]) -> Credentials | None:
    return await load_credentials(RegistryAccess(host=host), environment)


async def test_settings_win_over_the_file(home: Path) -> None:
    environment = write(home, {"auths": {"r.example": {"auth": AUTH}}})
    found = await load_credentials(RegistryAccess(host="r.example", username="u", password="p"), environment)
    assert found == Credentials(username="u", password="p")


@pytest.mark.parametrize("key", ["r.example:5000", "https://r.example:5000", "http://r.example:5000/v1/", "https://r.example:5000/v2/"])
async def test_a_login_is_found_however_docker_wrote_its_key(home: Path, key: str) -> None:
    environment = write(home, {"auths": {key: {"auth": AUTH}}, "HttpHeaders": {}})
    assert await load("r.example:5000", environment) == Credentials(username="bot", password="pa:ss")
    assert await load("r.example", environment) is None


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"])
async def test_docker_hub_has_several_names(home: Path, key: str) -> None:
    assert await load("docker.io", write(home, {"auths": {key: {"auth": AUTH}}})) == Credentials(username="bot", password="pa:ss")


async def test_a_login_for_a_path_is_not_one_for_the_host(home: Path) -> None:
    assert await load("r.example", write(home, {"auths": {"r.example/team": {"auth": AUTH}}})) is None


async def test_an_identity_token_is_found(home: Path) -> None:
    found = await load("r.example", write(home, {"auths": {"r.example": {"auth": AUTH, "identitytoken": "idt"}}}))
    assert found is not None
    assert found.identity_token == "idt"


async def test_no_file_is_no_login(tmp_path: Path) -> None:
    assert await load("r.example", {"HOME": str(tmp_path), "PATH": ""}) is None


@pytest.mark.parametrize("content", ["", "[]", '{"auths": 5}', '{"auths": {"r.example": {"auth": "secret!!"}}}'])
async def test_a_broken_file_is_refused_without_showing_it(home: Path, content: str) -> None:
    environment = write(home, {})
    (home / "config.json").write_text(content)
    with pytest.raises(RefusedError) as caught:
        await load("r.example", environment)
    assert "secret" not in str(caught.value)


async def test_a_helper_is_asked_for_its_host(home: Path) -> None:
    write_helper(
        home,
        "mine",
        """read host; test "$1" = get; echo "{\\"ServerURL\\":\\"$host\\",\\"Username\\":\\"$host\\",\\"Secret\\":\\"s\\"}" """,
    )
    environment = write(home, {"credHelpers": {"r.example": "mine"}, "auths": {"r.example": {"auth": AUTH}}})
    assert await load("r.example", environment) == Credentials(username="r.example", password="s")


async def test_the_store_is_asked_where_the_file_has_no_secret(home: Path) -> None:
    write_helper(home, "store", """cat >/dev/null; echo '{"Username":"<token>","Secret":"idt"}'""")
    environment = write(home, {"credsStore": "store", "auths": {"r.example": {}, "s.example": {"auth": AUTH}}})
    found = await load("r.example", environment)
    assert found is not None
    assert found.identity_token == "idt"
    assert await load("s.example", environment) == Credentials(username="bot", password="pa:ss")


async def test_a_store_without_the_login_means_anonymous(home: Path) -> None:
    write_helper(home, "store", "cat >/dev/null; echo 'credentials not found in native keychain'; exit 1")
    assert await load("docker.io", write(home, {"credsStore": "store"})) is None


@pytest.mark.parametrize("script", ["exit 3", "cat >/dev/null; echo secret"])
async def test_a_failing_helper_is_refused_without_showing_its_output(home: Path, script: str) -> None:
    write_helper(home, "store", script)
    with pytest.raises(RefusedError) as caught:
        await load("r.example", write(home, {"credsStore": "store"}))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["not-installed", "../../bin/sh", "a b"])
async def test_a_helper_that_is_not_there_is_refused(home: Path, name: str) -> None:
    with pytest.raises(RefusedError):
        await load("r.example", write(home, {"credsStore": name}))
