"""A whole pratique that syncs its own feeds, one of which goes bad: pushes are taken and judged by what it had, and everybody is told."""

from __future__ import annotations

import asyncio
import json
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.deployment import Deployment
from tests.support.feed_server import FeedServer, broken, feed_server
from tests.support.images import debian_files, make_image, make_layer, push, python_files
from tests.support.osv_mirror import EXTRACT
from tests.support.servers import DockerRegistry

LATER = "2099-01-01T00:00:00Z"


def records(ecosystem: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(EXTRACT / ecosystem / "all.zip") as archive:
        return [json.loads(archive.read(name)) for name in archive.namelist()]


def turn_bad(server: FeedServer) -> None:
    """PyPI's feed announces newer records and breaks off."""
    server.put_bucket("PyPI", [{**record, "modified": LATER} for record in records("PyPI")])
    server.always["PyPI/all.zip"] = broken(server.files["PyPI/all.zip"], 1000)


def readyz(pratique: Deployment) -> dict[str, Any]:
    with urllib.request.urlopen(f"{pratique.api}/readyz", timeout=5) as answer:
        assert answer.status == 200
        document: dict[str, Any] = json.loads(answer.read())
        return document


async def test_pushes_are_judged_by_the_old_database_while_a_feed_is_bad(
    deploy: Callable[..., Deployment], docker_registry: Callable[..., DockerRegistry], tmp_path: Path
) -> None:
    target = tmp_path / "pratique-embedded" / "advisories.sqlite"
    layer = make_layer({**debian_files({"bash": "5.1-2+deb11u1"}), **python_files({"searchor": "2.4.1"})})
    layout = make_image(tmp_path / "image", [layer])
    async with feed_server() as server:
        for ecosystem in ("PyPI", "Debian"):
            server.put_bucket(ecosystem, records(ecosystem))
        feeds = {"mirror": "mirror", "interval": 1, "enabled": ["osv"], "urls": {"osv": server.url}}

        def run() -> None:
            pratique = deploy("embedded", settings={"feeds": feeds}, advisories=target)
            registry = docker_registry(**pratique.webhook)
            pratique.configure(registry).start_all()
            pratique.wait_for(lambda: readyz(pratique)["feeds"]["status"] == "ok", "the first database")
            good = readyz(pratique)["feeds"]["database"]

            turn_bad(server)
            pratique.wait_for(lambda: readyz(pratique)["feeds"]["status"] == "stale", "the feed to be told of as stale")
            told = readyz(pratique)
            assert (told["status"], told["checks"]) == ("degraded", {"database": "ok", "broker": "ok"})
            assert [failure["name"] for failure in told["feeds"]["stale"]] == ["osv/PyPI"]
            assert "PyPI/all.zip" in told["feeds"]["stale"][0]["reason"]

            push(layout, f"{registry.host}/team-a/app:1")
            code, document = pratique.status(f"{registry.host}/team-a/app:1")
            assert (code, document["decision"]["verdict"]["status"]) == (1, "fail"), document
            assert readyz(pratique)["feeds"]["database"] == good

            server.always.clear()
            pratique.wait_for(lambda: readyz(pratique)["status"] == "ok", "the feed to be fine again")
            pratique.wait_for(lambda: readyz(pratique)["feeds"]["database"] != good, "the newer database")

        await asyncio.to_thread(run)
