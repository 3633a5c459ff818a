"""compose.yaml and what it mounts agree with the program."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pratique.runtime.settings import load_settings
from pratique_services.cli.main import SERVICES

CHECKOUT = Path(__file__).resolve().parents[3]
COMPOSE = (CHECKOUT / "compose.yaml").read_text()
CONTAINERS: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
OURS = {name: container for name, container in CONTAINERS.items() if "build" in container}
SECRET = "0123456789abcdef0123456789abcdef"


def filled(text: str) -> str:
    """Put a secret where compose would."""
    return re.sub(r"\$\{[A-Z_]+:\?[^}]*\}", SECRET, text)


def test_every_service_runs_and_no_other() -> None:
    commands = {name: container["command"] for name, container in OURS.items()}
    assert commands == {"migrate": ["migrate"], **{name: ["serve", name] for name in SERVICES}}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_has_no_more_rights_than_it_needs(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp" in container["tmpfs"]
    assert not {"privileged", "cap_add", "network_mode", "pid"} & set(container)


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_publishes_on_loopback_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in CONTAINERS[name].get("ports", []))


@pytest.mark.parametrize("name", sorted(set(CONTAINERS) - {"migrate"}))
def test_a_container_tells_whether_it_is_well(name: str) -> None:
    assert CONTAINERS[name]["healthcheck"]["interval"]


def test_no_secret_has_a_default() -> None:
    variables = re.findall(r"\$\{([A-Z_]+)(:[?-])?", COMPOSE)
    assert {name for name, kind in variables if kind != ":?"} == {"PRATIQUE_IMAGE"}
    required = {name for name, kind in variables if kind == ":?"}
    assert required == set(re.findall(r"^([A-Z_]+)=$", (CHECKOUT / "deploy/env.example").read_text(), re.MULTILINE))


def test_services_start_after_the_migration() -> None:
    for name in SERVICES:
        assert CONTAINERS[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_only_the_advisor_writes_the_advisory_database() -> None:
    writers = [name for name, container in OURS.items() if "advisories:/var/lib/pratique" in container["volumes"]]
    assert writers == ["advisor"]


def test_what_is_mounted_is_there() -> None:
    mounts = [mount for container in CONTAINERS.values() for mount in container["volumes"] if mount.startswith("./")]
    assert mounts
    assert all((CHECKOUT / mount.split(":")[0]).is_file() for mount in mounts)


def test_the_settings_are_valid_with_the_environment_of_compose() -> None:
    environment = {name: filled(value) for name, value in CONTAINERS["gateway"]["environment"].items()}
    settings = load_settings({**environment, "PRATIQUE_CONFIG": str(CHECKOUT / "deploy/pratique.yaml")})
    assert not settings.is_embedded
    assert settings.sources[0].secrets == (SECRET,)
    assert settings.registries[0].host == settings.sources[0].host == "registry:5000"


def test_the_registry_tells_the_gateway_with_the_secret_that_it_expects() -> None:
    [endpoint] = json.loads(filled(CONTAINERS["registry"]["environment"]["REGISTRY_NOTIFICATIONS_ENDPOINTS"]))
    [example] = yaml.safe_load((CHECKOUT / "deploy/registry-example.yml").read_text())["notifications"]["endpoints"]
    assert endpoint["headers"] == {"Authorization": [f"Bearer {SECRET}"]}
    assert endpoint == {**example, "headers": endpoint["headers"]}
    assert endpoint["url"].endswith("/hooks/registry")


def test_the_image_runs_as_nobody_in_particular_from_locked_packages() -> None:
    dockerfile = (CHECKOUT / "deploy/Dockerfile").read_text()
    assert re.findall(r"^USER (.*)$", dockerfile, re.MULTILINE) == ["10001:10001"]
    installs = re.findall(r"pip install (.*?)(?: &&| \\|$)", dockerfile, re.MULTILINE)
    assert len(installs) == 3
    assert all("--require-hashes" in install or "--no-index" in install for install in installs)
    copied = {source.rstrip("/") for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE) for source in line.split()}
    kept = set(re.findall(r"^!(\S+)$", (CHECKOUT / "deploy/Dockerfile.dockerignore").read_text(), re.MULTILINE))
    assert copied == kept
