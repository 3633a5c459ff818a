"""From a push with a real client to a verdict, a signature that cosign accepts, and one chat message."""

from __future__ import annotations

import gzip
import json
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.deployment import Deployment
from tests.support.images import debian_files, debian_rootfs, make_image, make_layer, push, python_files
from tests.support.servers import DockerRegistry, find_tool

KINDS = pytest.mark.parametrize("kind", ["servers", "embedded"])
CRITICAL = {"searchor": "2.4.1"}  # fixed in 2.4.2; a critical by its own CVSS vector


def cosign(program: Path, key: Path, reference: str) -> subprocess.CompletedProcess[str]:
    flags = ["--insecure-ignore-tlog=true", "--allow-http-registry", "--allow-insecure-registry"]
    return subprocess.run(
        [str(program), "verify", "--key", str(key), *flags, reference], check=False, capture_output=True, text=True, timeout=60
    )


def has_tag(registry: DockerRegistry, repository: str, tag: str) -> str | None:
    """The digest that a tag points to, as the registry itself says."""
    accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
    request = urllib.request.Request(f"{registry.url}/v2/{repository}/manifests/{tag}", headers={"Accept": accept}, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return str(answer.headers["Docker-Content-Digest"])
    except urllib.error.HTTPError:
        return None


@KINDS
def test_a_real_debian_image_is_judged_promoted_and_signed_for_both_cosigns(
    kind: str,
    deploy: Callable[..., Deployment],
    docker_registry: Callable[..., DockerRegistry],
    tmp_path: Path,
    cosign25: Path,
    cosign31: Path,
) -> None:
    pratique = deploy(kind)
    registry = docker_registry(**pratique.webhook)
    pratique.configure(registry).start_all()
    layout = make_image(tmp_path / "debian", [gzip.compress(debian_rootfs("bullseye").read_bytes(), 1)])
    push(layout, f"{registry.host}/team-a/debian:11")

    code, document = pratique.status(f"{registry.host}/team-a/debian:11", timeout=90)

    assert (code, document["decision"]["verdict"]["status"]) == (0, "pass"), json.dumps(document, indent=1) + pratique.logs()
    assert {action["kind"]: action["outcome"] for action in document["actions"]} == {"attest": "done", "sign": "done", "promote": "done"}
    assert has_tag(registry, "team-a/debian", "11-cleared") == layout.digest
    for program in (cosign25, cosign31):
        for tag in ("11", "11-cleared"):
            verified = cosign(program, pratique.public_key, f"{registry.host}/team-a/debian:{tag}")
            assert verified.returncode == 0, f"{program}: {verified.stderr}"
    pratique.wait_for(lambda: len(pratique.chat.messages) >= 1, "a chat message")
    assert len(pratique.chat.messages) == 1
    text = pratique.chat.messages[0]["text"]
    assert "team-a/debian:11" in text
    assert "@team-a" in text


@KINDS
def test_an_image_with_a_fixable_critical_is_quarantined_told_once_and_never_verifies(
    kind: str,
    deploy: Callable[..., Deployment],
    docker_registry: Callable[..., DockerRegistry],
    tmp_path: Path,
    cosign25: Path,
    cosign31: Path,
) -> None:
    pratique = deploy(kind)
    registry = docker_registry(**pratique.webhook)
    pratique.configure(registry).start_all()
    files = {**debian_files({"zlib1g": "1:1.2.11.dfsg-2+deb11u2"}), **python_files(CRITICAL)}
    layout = make_image(tmp_path / "app", [make_layer(files)])
    push(layout, f"{registry.host}/team-a/app:1.0")

    code, document = pratique.status(f"{registry.host}/team-a/app:1.0")

    assert (code, document["decision"]["verdict"]["status"]) == (1, "fail"), json.dumps(document, indent=1)
    assert {action["outcome"] for action in document["actions"]} == {"done"}, document["actions"]
    assert has_tag(registry, "team-a/app", "1.0") is None
    kept = f"{registry.host}/quarantine/team-a/app@{layout.digest}"
    for program in (cosign25, cosign31):
        assert cosign(program, pratique.public_key, kept).returncode != 0, "a failing image must not verify"
    pratique.wait_for(lambda: len(pratique.chat.messages) >= 1, "a chat message")
    text = pratique.chat.messages[0]["text"]
    assert all(part in text for part in ("searchor", "2.4.2", "team-a/app", "@team-a", pratique.api)), text

    push(layout, f"{registry.host}/team-a/app:1.1")  # the same critical again: nothing new to tell but that it was quarantined
    code, document = pratique.status(f"{registry.host}/team-a/app:1.1")
    assert code == 1
    pratique.wait_for(lambda: len(pratique.chat.messages) >= 2, "the second message")
    assert "new critical" not in pratique.chat.messages[1]["text"]


@KINDS
def test_a_released_image_is_back_under_its_tag(
    kind: str, deploy: Callable[..., Deployment], docker_registry: Callable[..., DockerRegistry], tmp_path: Path
) -> None:
    pratique = deploy(kind)
    registry = docker_registry(**pratique.webhook)
    pratique.configure(registry).start_all()
    layout = make_image(tmp_path / "app", [make_layer({**debian_files({}), **python_files(CRITICAL)})])
    reference = f"{registry.host}/team-a/app:1.0"
    push(layout, reference)
    assert pratique.status(reference)[0] == 1
    token = pratique.run("tokens", "create", "tests", "--scope", "release").stdout.strip()

    pratique.run("release", f"{registry.host}/team-a/app@{layout.digest}", "--server", pratique.api, environment={"PRATIQUE_TOKEN": token})

    pratique.wait_for(lambda: has_tag(registry, "team-a/app", "1.0") == layout.digest, "the tag to be back")


@KINDS
def test_what_is_no_image_ends_without_a_decision(
    kind: str, deploy: Callable[..., Deployment], docker_registry: Callable[..., DockerRegistry], tmp_path: Path
) -> None:
    pratique = deploy(kind)
    registry = docker_registry(**pratique.webhook)
    pratique.configure(registry).start_all()
    chart = tmp_path / "chart.tgz"
    chart.write_bytes(b"not an image")
    command = [
        str(find_tool("oras")),
        "push",
        "--plain-http",
        "--disable-path-validation",
        "--artifact-type",
        "application/vnd.example.chart",
    ]
    subprocess.run([*command, f"{registry.host}/team-a/chart:1", str(chart)], check=True, capture_output=True, timeout=60)

    _, document = pratique.status(f"{registry.host}/team-a/chart:1")

    assert document["scan"]["state"] == "scanned"
    assert document["decision"] is None
    assert pratique.chat.messages == []
