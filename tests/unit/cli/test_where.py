"""`pratique where` against a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pratique_services.cli import main

CVE = "CVE-2021-44228"


def affected(name: str, *, tags: tuple[str, ...] = ("v1",), packages: int = 1, fixed_in: str | None = "2.17.1") -> dict[str, Any]:
    one = {"installed": "2.14.1", "fixed_in": fixed_in, "severity": "critical", "since": "2021-12-10T10:00:00Z"}
    return {
        "host": "registry.example",
        "repository": f"team/{name}",
        "digest": "sha256:00",
        "tags": list(tags),
        "packages": [{**one, "purl": f"pkg:maven/org.apache.logging.log4j/log4j-core@2.{number}"} for number in range(packages)],
    }


class Api:
    """Answers page by page."""

    def __init__(self) -> None:
        self.pages: list[list[dict[str, Any]]] = [[]]
        self.asked: list[dict[str, str]] = []
        app = web.Application()
        app.router.add_get("/api/v1/where", self._answer)
        self.server = TestServer(app)

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        page = int(request.query.get("after", "0"))
        more = str(page + 1) if page + 1 < len(self.pages) else None
        return web.json_response({"vulnerability": request.query["vulnerability"], "images": self.pages[page], "next": more})

    async def run(self, *arguments: str) -> int:
        return await asyncio.to_thread(main, ["where", CVE, *arguments, "--server", str(self.server.make_url("")).rstrip("/")])


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.delenv("PRATIQUE_TOKEN", raising=False)
    api = Api()
    async with api.server:
        yield api


async def test_all_pages_are_read_and_any_image_is_exit_1(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.pages = [[affected("a", tags=("v1", "latest"))], [affected("b\x1b[2J", tags=(), packages=7, fixed_in=None)]]
    assert await api.run() == 1
    text = capsys.readouterr().out
    assert [asked.get("after") for asked in api.asked] == [None, "1"]
    assert "registry.example/team/a@sha256:00  (v1, latest)" in text
    assert "critical: pkg:maven/org.apache.logging.log4j/log4j-core@2.0, fixed in 2.17.1, since 2021-12-10" in text
    assert "(no tag points to it)" in text
    assert "no fix" in text
    assert "and 2 more packages" in text
    assert f"{CVE} is in 2 images" in text
    assert "\x1b" not in text


async def test_nowhere_is_exit_0_and_says_what_that_does_not_mean(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert await api.run() == 0
    assert "in no image that was judged; of images whose verdict is incomplete not everything is known" in capsys.readouterr().out


async def test_json_holds_everything(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.pages = [[affected("a", packages=7)]]
    assert await api.run("--format", "json") == 1
    assert json.loads(capsys.readouterr().out) == {"vulnerability": CVE, "images": api.pages[0]}


async def test_a_server_that_is_away_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(main, ["where", CVE, "--server", "http://127.0.0.1:1"]) == 3
    assert "is `pratique up` running there?" in capsys.readouterr().err
