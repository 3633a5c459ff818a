"""VEX in the pipeline: who may push beside an image may attach it, and only whose key is trusted takes a finding away."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pratique.registry.access import RegistryAccess
from pratique.registry.attached_vex import OPENVEX
from pratique.registry.client import Registries
from pratique.registry.referrers import Artifact, ArtifactLayer
from tests.support.attached_vex import OFFLINE
from tests.support.deployment import Deployment
from tests.support.images import debian_files, make_image, make_layer, push, python_files
from tests.support.servers import DockerRegistry
from tests.support.vex import openvex, said

SEARCHOR = {"searchor": "2.4.1"}  # has one critical in the extract
CRITICAL = "CVE-2023-43364"
POLICY = """
version: 1
policies:
  - name: e2e
    rules: {fail_on: critical, unknown_severity: ignore, max_feed_age: unlimited, eol: warn}
"""
VEX = openvex(said(CRITICAL, {"@id": "pkg:pypi/searchor"}, impact_statement="only trusted people search"))


def attach_unsigned(host: str, repository: str, digest: str) -> None:
    async def attach() -> None:
        async with Registries({host: RegistryAccess(host=host, plain_http=True)}) as registries:
            client = registries.client(host)
            about = await client.resolve_digest(repository, digest)
            layers = (ArtifactLayer(media_type=OPENVEX, content=VEX),)
            await client.push_referrer(repository, about, Artifact(artifact_type=OPENVEX, layers=layers))

    asyncio.run(attach())


def cosign(program: Path, *arguments: str, folder: Path) -> None:
    environment = {**os.environ, "COSIGN_PASSWORD": "", "COSIGN_YES": "true", "HOME": str(folder)}
    done = subprocess.run([program, *arguments], check=False, capture_output=True, text=True, timeout=60, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]


def read(pratique: Deployment, path: str, **query: str) -> Any:
    with urllib.request.urlopen(f"{pratique.api}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
        return json.load(answer)


def verdict(pratique: Deployment, reference: str) -> tuple[str, str]:
    """The decision that stands, and its verdict."""
    decision = pratique.status(reference)[1]["decision"]
    return decision["id"], decision["verdict"]["status"]


@pytest.mark.parametrize(("kind", "version"), [("servers", "cosign31"), ("embedded", "cosign25")])
def test_a_critical_is_taken_away_by_vex_that_a_trusted_key_signed_and_by_no_other(
    kind: str,
    version: str,
    deploy: Callable[..., Deployment],
    docker_registry: Callable[..., DockerRegistry],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    program: Path = request.getfixturevalue(version)
    for key in ("ours", "theirs"):
        cosign(program, "generate-key-pair", "--output-key-prefix", key, folder=tmp_path)
    pratique = deploy(kind, policy=POLICY, settings={"vex": {"keys": [str(tmp_path / "ours.pub")]}})
    registry = docker_registry(**pratique.webhook)
    pratique.configure(registry).start_all()
    token = pratique.run("tokens", "create", "tests", "--scope", "scan").stdout.strip()
    layout = make_image(tmp_path / "app", [make_layer({**debian_files({"zlib1g": "1:1.2.11.dfsg-2+deb11u2"}), **python_files(SEARCHOR)})])
    reference = f"{registry.host}/team-a/app:1.0"

    def rescan() -> None:
        body = json.dumps({"reference": reference}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        asked = urllib.request.Request(f"{pratique.api}/api/v1/scans", data=body, headers=headers)
        assert urllib.request.urlopen(asked, timeout=10).status == 202

    def attest(key: str) -> None:
        (tmp_path / "vex.json").write_bytes(VEX)
        options = ["--key", f"{key}.key", "--type", "openvex", "--predicate", "vex.json", "--allow-http-registry", *OFFLINE[version]]
        cosign(program, "attest", *options, f"{registry.host}/team-a/app@{layout.digest}", folder=tmp_path)

    push(layout, reference)
    first, status = verdict(pratique, reference)
    assert status == "fail"

    attach_unsigned(registry.host, "team-a/app", layout.digest)
    attest("theirs")
    rescan()
    pratique.wait_for(lambda: verdict(pratique, reference)[0] != first, "a decision on the scan that was asked for")
    second, status = verdict(pratique, reference)
    assert status == "fail"
    assert read(pratique, "findings", reference=reference)["suppressed_total"] == 0
    lines = read(pratique, "audit", subject=f"{registry.host}/team-a/app@{layout.digest}")["lines"]
    assert any("refused" in str(line["detail"].get("ignored")) for line in lines)
    assert read(pratique, "status", reference=reference)["decision"]["verdict"]["reasons"][0]["rule"] != "coverage"

    attest("ours")  # nobody asks for a scan: the attachment is heard of
    pratique.wait_for(lambda: verdict(pratique, reference)[1] == "pass", "the image to pass", timeout=60)
    assert verdict(pratique, reference)[0] != second
    assert read(pratique, "findings", reference=reference)["summary"]["critical"] == 0
    (hidden,) = read(pratique, "findings", reference=reference, suppressed="true")["suppressed"]
    assert CRITICAL in {hidden["finding"]["id"], *hidden["finding"]["aliases"]}
    assert hidden["finding"]["severity"] == "critical"
    assert hidden["statements"][0]["justification"] == "vulnerable_code_not_present"
    assert hidden["statements"][0]["impact"] == "only trusted people search"
