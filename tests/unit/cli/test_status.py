"""`pratique status` and `release` against a server: the exit code is the verdict, and no answer is no pass."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pratique_services.cli import main

REFERENCE = "registry.example/team/app:v1"


def _document(status: str | None, **more: Any) -> dict[str, Any]:
    verdict = {"status": status, "policy": "default", "reasons": [{"message": "2 critical findings\x1b[2J"}]}
    decision = {"verdict": verdict, "decided_at": "2026-01-01T00:00:00Z", "age_s": 3 * 86400.0} if status else None
    scan = {"state": "scanned", "attempt": 1, "queue_age_s": None, "last_error": None}
    base = {
        "reference": REFERENCE,
        "digest": "sha256:00",
        "is_settled": bool(status),
        "scan": scan,
        "decision": decision,
        "actions": [],
        "notifications": [],
    }
    return base | more


class Api:
    """Answers as told; the last answer stays."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.requests: list[tuple[str, str, str]] = []
        app = web.Application()
        app.router.add_route("*", "/api/v1/{path}", self._answer)
        self.server = TestServer(app)

    async def _answer(self, request: web.Request) -> web.Response:
        asked = request.query.get("reference") or (await request.json())["reference"]
        self.requests.append((f"{request.method} {request.path}", asked, request.headers.get("Authorization", "")))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return body if isinstance(body, web.Response) else web.json_response(body, status=status)

    async def run(self, *arguments: str) -> int:
        server = str(self.server.make_url("")).rstrip("/")
        return await asyncio.to_thread(main, [*arguments, "--server", server])


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.delenv("PRATIQUE_TOKEN", raising=False)
    monkeypatch.delenv("PRATIQUE_SERVER", raising=False)
    api = Api()
    async with api.server:
        yield api


@pytest.mark.parametrize(("status", "code"), [("pass", 0), ("fail", 1), ("incomplete", 3), (None, 3), ("wonderful", 3)])
async def test_the_exit_code_is_the_verdict(api: Api, status: str | None, code: int) -> None:
    api.answers = [(200, _document(status))]
    assert await api.run("status", REFERENCE) == code
    assert api.requests == [("GET /api/v1/status", REFERENCE, "")]


async def test_the_token_goes_along_and_what_is_shown_steers_no_terminal(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRATIQUE_TOKEN", "prq_x")
    actions = [{"kind": "quarantine", "outcome": "done", "detail": "moved\x1b[31m"}, {"kind": "tag", "outcome": "pending", "detail": ""}]
    scan = {"state": "failed", "attempt": 3, "queue_age_s": 12.4, "last_error": "bad\x07layer"}
    api.answers = [(200, _document("fail", actions=actions, scan=scan))]
    assert await api.run("status", REFERENCE) == 1
    assert api.requests[0][2] == "Bearer prq_x"
    shown = capsys.readouterr().out
    for words in ("failed, attempt 3, waiting for 12 s", "fail by policy default", "2 critical findings", "quarantine: done", "not begun"):
        assert words in shown
    assert not {character for character in shown if not character.isprintable()} - {"\n"}


async def test_the_age_of_a_verdict_is_shown_and_that_it_stands_while_a_newer_scan_runs(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    stands = "stands until the scan above is judged"
    api.answers = [(200, _document("pass"))]
    assert await api.run("status", REFERENCE) == 0
    shown = capsys.readouterr().out
    assert "pass by policy default at 2026-01-01T00:00:00Z, 3 days ago" in shown
    assert stands not in shown
    for state in ("queued", "running"):
        scan = {"state": state, "attempt": 1, "queue_age_s": None, "last_error": None}
        api.answers = [(200, _document("pass", scan=scan, is_settled=False))]
        assert await api.run("status", REFERENCE) == 0
        assert stands in capsys.readouterr().out


async def test_waiting_ends_with_the_decision(api: Api) -> None:
    api.answers = [(404, {"error": {"message": "unknown"}}), (200, _document(None)), (200, _document("pass"))]
    assert await api.run("status", REFERENCE, "--wait", "--timeout", "30") == 0
    assert len(api.requests) == 3


async def test_waiting_in_vain_is_3_and_says_why(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.answers = [(200, _document(None))]
    assert await api.run("status", REFERENCE, "--wait", "--timeout", "0.1") == 3
    assert "no decision within 0.1 s: scanned, attempt 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, {"error": {"message": "no token"}}, "set PRATIQUE_TOKEN"),
        (403, {"error": {"message": "scope"}}, "set PRATIQUE_TOKEN"),
        (404, {"error": {"message": "nothing is known of it"}}, "nothing is known of it"),
        (500, {}, "answered 500"),
        (500, {"error": "text"}, "answered 500"),
        (200, [], "is that pratique?"),
        (200, None, "is that pratique?"),
        (200, web.Response(text="<html>"), "gives no answer"),
    ],
)
async def test_any_other_answer_is_3_in_one_line(
    api: Api, capsys: pytest.CaptureFixture[str], status: int, body: Any, message: str
) -> None:
    api.answers = [(status, body)]
    assert await api.run("status", REFERENCE) == 3
    shown = capsys.readouterr()
    assert message in shown.err
    assert (shown.out, shown.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("server", ["http://127.0.0.1:1", "nonsense", "http://", "ftp://x"])
def test_a_server_that_is_not_there_is_3(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", REFERENCE, "--server", server]) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_a_reference_that_is_none_is_2() -> None:
    assert main(["status", "UPPER/case"]) == 2


async def test_a_release_is_asked_for(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    answer: Mapping[str, Any] = {"reference": REFERENCE}
    api.answers = [(202, answer)]
    assert await api.run("release", REFERENCE) == 0
    assert api.requests == [("POST /api/v1/releases", REFERENCE, "")]
    assert REFERENCE in capsys.readouterr().out
