"""The deployment files, tried on the real programs that read them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from tests.support.images import make_image, make_layer, push
from tests.support.servers import CHECKOUT, DockerRegistry


class ConfiguredRegistry(DockerRegistry):
    """docker-registry with the example's settings, moved to a free port and folder, and compose's environment."""

    def use(self, settings: dict[str, object], endpoints: str) -> None:
        """Replace the settings by these."""
        self._config.write_text(json.dumps(settings))
        self._environment |= {"REGISTRY_NOTIFICATIONS_ENDPOINTS": endpoints}


@pytest.fixture
def hooks() -> Iterator[tuple[str, list[tuple[str, str | None, bytes]]]]:
    """A receiver: its address, and path, Authorization and body of what came."""
    received: list[tuple[str, str | None, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, self.headers["Authorization"], body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is the base class's
            """Stay quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_the_registry_reads_its_example_and_the_endpoints_of_compose(
    servers_folder: Path, tmp_path: Path, hooks: tuple[str, list[tuple[str, str | None, bytes]]]
) -> None:
    address, received = hooks
    settings = yaml.safe_load((CHECKOUT / "deploy/registry-example.yml").read_text())
    environment = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())["services"]["registry"]["environment"]
    endpoints = re.sub(r"\$\{[^}]*\}", "from-compose", environment["REGISTRY_NOTIFICATIONS_ENDPOINTS"]).replace("gateway:8080", address)
    server = ConfiguredRegistry(servers_folder / "configured-registry")
    settings["http"]["addr"] = server.host
    settings["storage"]["filesystem"]["rootdirectory"] = str(server.folder / "data")
    server.use(settings, endpoints)
    with server:
        push(make_image(tmp_path, [make_layer({"file": b"content"})]), f"{server.host}/team-a/app:v1")
        deadline = time.monotonic() + 10
        while not received and time.monotonic() < deadline:
            time.sleep(0.02)
    [(path, authorization, body)] = received
    assert (path, authorization) == ("/hooks/registry", "Bearer from-compose")
    assert json.loads(body)["events"][0]["target"]["tag"] == "v1"


def test_the_wheel_of_the_image_holds_program_migrations_and_assets(tmp_path: Path) -> None:
    build = [str(Path(sys.executable).parent / "hatchling"), "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True, cwd=CHECKOUT, timeout=60)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"pratique", "pratique_services"}
    assert "pratique/storage/migrations/env.py" in names
    assets = [path for root in ("shared", "services") for path in (CHECKOUT / root).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    missing = [path for path in assets if "/".join(path.relative_to(CHECKOUT).parts[1:]) not in names]
    assert not missing
