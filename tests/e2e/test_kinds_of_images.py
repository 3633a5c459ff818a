"""Encrypted images, foreign layers and charts, pushed to a pratique whose settings say what to do with them."""

from __future__ import annotations

import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.support.deployment import Deployment
from tests.support.images import debian_files, make_image, make_layer, python_files
from tests.support.servers import DockerRegistry

CONTENT = {**debian_files({"zlib1g": "1:1.2.11.dfsg-2+deb11u2"}), **python_files({"six": "1.16.0"})}


def run(*command: object, folder: Path) -> None:
    done = subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True, timeout=60, cwd=folder)
    assert done.returncode == 0, done.stderr


def make_key(folder: Path, name: str) -> None:
    run("openssl", "genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.pem", folder=folder)
    run("openssl", "pkey", "-in", f"{name}.pem", "-pubout", "-out", f"{name}.pub", folder=folder)


def test_encrypted_images_pass_where_their_key_is_configured_and_a_chart_is_called_one(
    deploy: Callable[..., Deployment], docker_registry: Callable[..., DockerRegistry], skopeo: Path, oras: Path, tmp_path: Path
) -> None:
    for name in ("ours", "theirs"):
        make_key(tmp_path, name)
    scanner = {"lease": 3, "workers": 1, "decryption_keys": [{"key": str(tmp_path / "ours.pem")}], "foreign_layer_hosts": ["cdn.example"]}
    pratique = deploy("embedded", settings={"scanner": scanner})
    registry = docker_registry(**pratique.webhook)
    pratique.configure(registry).start_all()
    plain = make_image(tmp_path / "plain", [make_layer(CONTENT)])
    copy = (skopeo, "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false")
    place = f"{registry.host}/team-a/app"
    for name in ("ours", "theirs"):
        run(*copy, "--encryption-key", f"jwe:{name}.pub", plain.reference, f"docker://{place}:{name}", folder=tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "chart.tgz").write_bytes(b"chart")
    config = "config.json:application/vnd.cncf.helm.config.v1+json"
    layer = "chart.tgz:application/vnd.cncf.helm.chart.content.v1.tar+gzip"
    run(oras, "push", "--plain-http", "--config", config, f"{place}:chart", layer, folder=tmp_path)

    code, document = pratique.status(f"{place}:ours")
    assert (code, document["decision"]["verdict"]["status"]) == (0, "pass")
    code, document = pratique.status(f"{place}:theirs")
    assert (code, document["decision"]["verdict"]["status"]) == (3, "incomplete")
    code, document = pratique.status(f"{place}:chart")
    assert (code, document["artifact"], document["decision"]) == (3, "helm chart", None)
    shown = pratique.run("status", f"{place}:chart", "--server", pratique.api, check=False).stdout
    assert "decision: none, for this is no image, but: helm chart" in shown
    page = f"{pratique.api}/images/{urllib.parse.quote(place)}@{document['digest']}"
    with urllib.request.urlopen(page, timeout=10) as answer:
        assert "This is no image, but: helm chart." in answer.read().decode()
