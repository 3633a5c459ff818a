"""The API service whole, over HTTP: on SQLite, with rows as the other services write them."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import hypothesis
import pytest
import schemathesis
from jsonschema import Draft202012Validator
from schemathesis.checks import CHECKS
from sqlalchemy import text as sql_text

from pratique.messages import ImagePushed, ReleaseRequested, parse_message
from pratique.policy.verdict import Verdict, VerdictStatus
from pratique.reports.json import SCHEMA_PATH
from pratique.storage.actions import load_actions, plan_actions, record_action
from pratique.storage.audit import load_audit
from pratique.storage.decisions import NewDecision, load_latest_decision, record_decision
from pratique.storage.engine import Database
from pratique.storage.outbox import load_unpublished
from pratique.storage.scans import load_scan
from pratique.storage.tokens import hash_token, load_token_by_hash, load_tokens, revoke_token
from tests.support.databases import SqliteFactory
from tests.support.fleet import APP, CHART, HOSTILE, MULTI, OLD_APP, TOKENS, WEB, bearer, record_fleet, record_tokens, serving, settings
from tests.support.stored import HOST, digest_of

APP_TAG = f"{HOST}/team/app:1.3"
APP_PAGE = f"/images/{quote(HOST)}/team/app@{APP}"


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> SqliteFactory:
    return SqliteFactory(tmp_path_factory.mktemp("api"))


@pytest.fixture
async def empty(factory: SqliteFactory) -> AsyncIterator[Database]:
    url = await factory.create()
    database = Database(url)
    await record_tokens(database)
    yield database
    await database.close()
    await factory.drop(url)


@pytest.fixture(scope="module")
def fleet(factory: SqliteFactory) -> Path:
    """A database file with the fleet: recording it takes half a second, copying it none."""

    async def record() -> str:
        url = await factory.create()
        database = Database(url)
        await record_fleet(database)
        await database.close()
        return url

    return Path(asyncio.run(record()).partition("///")[2])


@pytest.fixture
async def database(fleet: Path, tmp_path: Path) -> AsyncIterator[Database]:
    copy = tmp_path / "fleet.sqlite"
    shutil.copyfile(fleet, copy)
    database = Database(f"sqlite+aiosqlite:///{copy}")
    yield database
    await database.close()


class Client:
    """Asks one running API."""

    def __init__(self, session: aiohttp.ClientSession, address: str, wakes: list[None]) -> None:
        self.session = session
        self.address = address
        self.wakes = wakes

    async def read(self, path: str, *, token: str | None = "reader", **query: Any) -> tuple[int, Any]:
        """GET a JSON document."""
        headers = bearer(token) if token else {}
        async with self.session.get(f"{self.address}/api{path}", params=query, headers=headers) as response:
            assert response.content_type == "application/json"
            return response.status, await response.json()

    async def post(self, path: str, body: object, *, token: str | None = "root") -> tuple[int, Any]:
        """POST a JSON document."""
        async with self.session.post(f"{self.address}/api{path}", json=body, headers=bearer(token) if token else {}) as response:
            return response.status, await response.json()

    async def page(self, path: str, *, status: int = 200, **headers: str) -> str:
        """GET a page, with the cookies of the session."""
        async with self.session.get(self.address + path, headers=headers, allow_redirects=False) as response:
            text = await response.text()
            assert response.status == status, text
            return text

    async def log_in(self, name: str) -> None:
        """Log in as a person."""
        form = {"token": TOKENS[name][0], "next": "/where"}
        async with self.session.post(f"{self.address}/login", data=form, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/where")

    async def submit(self, path: str, form: dict[str, str], **headers: str) -> int:
        """Send a form."""
        async with self.session.post(self.address + path, data=form, headers=headers, allow_redirects=False) as response:
            return response.status


@pytest.fixture
async def client(database: Database) -> AsyncIterator[Client]:
    wakes: list[None] = []
    jar = aiohttp.CookieJar(unsafe=True)  # the server goes by its number
    async with serving(database, settings(), wakes) as address, aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Client(session, address, wakes)


@pytest.fixture
async def open_client(database: Database) -> AsyncIterator[Client]:
    async with serving(database, settings(anonymous_read=True)) as address, aiohttp.ClientSession() as session:
        yield Client(session, address, [])


# Documents


async def test_the_status_of_a_tag_says_everything_about_its_image(client: Client) -> None:
    status, document = await client.read("/v1/status", reference=APP_TAG)
    assert status == 200
    assert (document["digest"], document["tags"], document["is_settled"]) == (str(APP), ["1.3"], True)
    assert document["decision"]["verdict"]["status"] == "fail"
    assert document["decision"]["counts"]["critical"] == 1
    assert [action["kind"] for action in document["actions"]] == ["attest", "quarantine", "remove"]
    assert document["scan"]["state"] == "scanned"


async def test_a_tag_that_waits_says_for_how_long_and_why(client: Client) -> None:
    _, document = await client.read("/v1/status", reference=f"{HOST}/team/new:0.1")
    assert (document["digest"], document["decision"], document["is_settled"]) == (None, None, False)
    assert document["scan"]["queue_age_s"] >= 0
    assert (document["scan"]["attempt"], document["scan"]["last_error"]) == (1, "registry.example:5000 answered 503")


@pytest.mark.parametrize("reference", [f"{HOST}/team/broken@{digest_of('broken')}", f"{HOST}/team/chart@{CHART}"])
async def test_waiting_for_what_can_have_no_decision_ends(client: Client, reference: str) -> None:
    _, document = await client.read("/v1/status", reference=reference)
    assert (document["decision"], document["is_settled"]) == (None, True)


async def test_images_are_listed_page_by_page_each_once(client: Client) -> None:
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        _, document = await client.read("/v1/images", limit=3, **after)
        seen += [f"{image['repository']}@{image['digest']}" for image in document["images"]]
        if document["next"] is None:
            break
        after = {"after": document["next"]}
    assert len(seen) == len(set(seen)) == 8


async def test_images_can_be_filtered(client: Client) -> None:
    _, failing = await client.read("/v1/images", status="fail")
    _, of_one = await client.read("/v1/images", repository=f"{HOST}/team/web")
    assert [image["repository"] for image in failing["images"]] == ["team/app"]
    assert [image["digest"] for image in of_one["images"]] == [str(WEB)]


async def test_findings_are_listed_page_by_page_worst_first(client: Client) -> None:
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        _, document = await client.read("/v1/findings", reference=APP_TAG, limit=25, **after)
        seen += [finding["id"] for finding in document["findings"]]
        if document["next"] is None:
            break
        after = {"after": document["next"]}
    assert seen[:3] == ["DSA-4963-1", "CVE-2022-0778", "CVE-2023-4039"]
    assert len(seen) == len(set(seen)) == 63 == sum(document["summary"].values())


async def test_findings_of_one_severity_can_be_asked_for(client: Client) -> None:
    _, document = await client.read("/v1/findings", reference=APP_TAG, severity="critical")
    assert [finding["id"] for finding in document["findings"]] == ["DSA-4963-1"]


async def test_an_index_has_the_packages_of_all_its_platforms(client: Client) -> None:
    _, document = await client.read("/v1/packages", reference=f"{HOST}/team/multi@{MULTI}")
    assert [package["purl"].partition("?")[2] for package in document["packages"]] == ["arch=amd64", "arch=arm64"]
    _, report = await client.read("/v1/report", reference=f"{HOST}/team/multi@{MULTI}")
    assert report["target"]["platform"] == "linux/amd64,linux/arm64"


async def test_packages_are_listed_page_by_page(client: Client) -> None:
    _, first = await client.read("/v1/packages", reference=APP_TAG, limit=3)
    _, second = await client.read("/v1/packages", reference=APP_TAG, limit=3, after=first["next"])
    assert (len(first["packages"]), len(second["packages"]), second["next"], first["total"]) == (3, 1, None, 4)


async def test_the_report_is_the_one_that_the_command_line_writes(client: Client) -> None:
    _, report = await client.read("/v1/report", reference=APP_TAG)
    Draft202012Validator(json.loads(SCHEMA_PATH.read_bytes())).validate(report)
    assert report["verdict"]["status"] == "fail"
    assert report["recommendations"] == ["update openssl to 1.1.1k-1+deb11u2 or later (Debian:11)"]


async def test_a_decision_names_all_that_it_came_from(client: Client) -> None:
    _, document = await client.read("/v1/status", reference=APP_TAG)
    status, decision = await client.read(f"/v1/decisions/{document['decision']['id']}")
    assert (status, decision["scan_id"], decision["digest"]) == (200, document["scan"]["id"], str(APP))
    assert decision["feed_snapshot"]
    assert decision["inventory_digest"]


async def test_a_vulnerability_is_found_by_any_of_its_names(client: Client) -> None:
    for name in ("CVE-2021-3711", "cve-2021-3711", "DSA-4963-1"):
        _, document = await client.read("/v1/where", vulnerability=name)
        assert [(image["repository"], image["packages"][0]["severity"]) for image in document["images"]] == [("team/app", "critical")]


async def test_where_a_vulnerability_is_can_be_read_page_by_page(client: Client) -> None:
    _, first = await client.read("/v1/where", vulnerability="CVE-2011-0000", limit=2)
    _, second = await client.read("/v1/where", vulnerability="CVE-2011-0000", limit=2, after=first["next"])
    found = [image["digest"] for page in (first, second) for image in page["images"]]
    assert (len(found), len(set(found)), second["next"]) == (3, 3, None)


async def test_the_audit_trail_is_listed_newest_first(client: Client) -> None:
    _, document = await client.read("/v1/audit", subject=f"{HOST}/team/app@{APP}", limit=2)
    _, rest = await client.read("/v1/audit", subject=f"{HOST}/team/app@{APP}", after=document["next"])
    assert [line["verb"] for line in (*document["lines"], *rest["lines"])] == ["remove", "quarantine", "attest", "decided"]


@pytest.mark.parametrize("path", ["/v1/status", "/v1/findings", "/v1/packages", "/v1/report", "/v1/attempts"])
async def test_what_was_never_heard_of_is_not_found(client: Client, path: str) -> None:
    status, document = await client.read(path, reference=f"{HOST}/team/nothing:1")
    assert (status, document["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/status", {}),
        ("/v1/status", {"reference": "Not A Reference"}),
        ("/v1/status", {"reference": "a", "tag": "b"}),
        ("/v1/images", {"limit": "1000"}),
        ("/v1/images", {"repository": "a\x00b"}),
        ("/v1/findings", {"reference": APP_TAG, "after": "nonsense"}),
        ("/v1/where", {"vulnerability": "%00"}),
        ("/v1/decisions/none", {}),
        ("/v1/decisions/" + "0" * 32, {"x": "y"}),
    ],
)
async def test_a_query_is_read_strictly(client: Client, path: str, query: dict[str, str]) -> None:
    status, document = await client.read(path, **query)
    assert (status, document["error"]["code"]) == (400, "invalid_request")


async def test_a_parameter_that_is_there_twice_is_refused(client: Client) -> None:
    async with client.session.get(f"{client.address}/api/v1/status?reference=a&reference=b", headers=bearer("reader")) as response:
        assert response.status == 400


async def test_an_unknown_address_of_the_api_is_answered_in_json(client: Client) -> None:
    assert (await client.read("/v1/nothing"))[0] == 404
    assert (await client.read("/v1/scans"))[0] == 405


async def test_with_the_database_away_the_answer_is_to_ask_again(tmp_path: Path) -> None:
    away = Database(f"sqlite+aiosqlite:///{tmp_path}")
    async with serving(away, settings(anonymous_read=True)) as address, aiohttp.ClientSession() as session:
        async with session.get(f"{address}/api/v1/images") as response:
            assert (response.status, (await response.json())["error"]["code"]) == (503, "unavailable")
            assert int(response.headers["Retry-After"]) > 0
        async with session.get(f"{address}/") as response:
            assert response.status == 503
            assert "Not now" in await response.text()
    await away.close()


# Tokens


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer prq_nobody", "Basic cHJxX3Jvb3Q=", f"Bearer {'x' * 5000}", "Bearer \xff"])
async def test_without_a_valid_token_nothing_is_answered(client: Client, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with client.session.get(f"{client.address}/api/v1/images", headers=headers) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (401, "unauthorized")
        assert response.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_a_revoked_token_opens_nothing(client: Client, database: Database) -> None:
    async with database.transaction() as session:
        token = next(token for token in await load_tokens(session) if token.name == "reader")
        await revoke_token(session, token.id)
    assert (await client.read("/v1/images"))[0] == 401


@pytest.mark.parametrize(
    ("token", "path", "scope"), [("reader", "/v1/scans", "scan"), ("scanner", "/v1/releases", "release"), ("releaser", "/v1/scans", "scan")]
)
async def test_a_token_without_the_scope_is_told_which(client: Client, token: str, path: str, scope: str) -> None:
    status, document = await client.post(path, {"reference": APP_TAG}, token=token)
    assert status == 403
    assert f"`{scope}`" in document["error"]["message"]


async def test_where_anybody_may_read_nobody_may_write(open_client: Client) -> None:
    assert (await open_client.read("/v1/images", token=None))[0] == 200
    assert (await open_client.post("/v1/scans", {"reference": APP_TAG}, token=None))[0] == 403
    async with open_client.session.get(f"{open_client.address}/api/v1/images", headers={"Authorization": "Bearer wrong"}) as response:
        assert response.status == 401


async def test_only_the_hash_of_a_token_is_known(database: Database) -> None:
    async with database.reading() as session:
        row = await load_token_by_hash(session, hash_token(TOKENS["root"][0]))
    assert row is not None
    assert TOKENS["root"][0] not in repr(row)


# Commands


async def test_a_scan_is_queued_with_its_audit_line_and_its_message(client: Client, database: Database) -> None:
    status, document = await client.post("/v1/scans", {"reference": f"{HOST}/team/other:7"}, token="scanner")
    assert status == 202
    assert len(client.wakes) == 1
    async with database.transaction() as session:
        scan = await load_scan(session, document["scan_id"])
        lines = await load_audit(session, actor="scanner")
        messages = [parse_message(row.body) for row in await load_unpublished(session, 100)]
    assert scan is not None
    assert (scan.priority, scan.requested_by, scan.tag) == ("demand", "scanner", "7")
    assert [(line.verb, line.subject) for line in lines] == [("scan_requested", f"{HOST}/team/other:7")]
    assert ImagePushed(scan_id=scan.scan_id, correlation_id=document["correlation_id"], priority="demand") in messages


async def test_two_wishes_for_one_image_are_one_scan(client: Client) -> None:
    first, second = [await client.post("/v1/scans", {"reference": f"{HOST}/team/other:7"}) for _ in range(2)]
    assert first[1]["scan_id"] == second[1]["scan_id"]


async def test_a_registry_that_is_not_in_the_settings_is_not_talked_to(client: Client) -> None:
    status, document = await client.post("/v1/scans", {"reference": "metadata.internal/team/app:1"})
    assert (status, document["error"]["code"]) == (422, "refused")
    assert client.wakes == []


async def test_a_release_is_requested_with_its_audit_line_and_its_message(client: Client, database: Database) -> None:
    status, document = await client.post("/v1/releases", {"reference": APP_TAG}, token="releaser")
    assert (status, document["digest"]) == (202, str(APP))
    async with database.transaction() as session:
        decision = await load_latest_decision(session, HOST, "team/app", digest=APP)
        lines = await load_audit(session, actor="releaser")
        messages = [parse_message(row.body) for row in await load_unpublished(session, 100)]
    assert decision is not None
    wanted = ReleaseRequested(decision_id=decision.id, correlation_id=decision.correlation_id, requested_by="releaser")
    assert wanted in messages
    assert [(line.verb, line.subject) for line in lines] == [("release_requested", f"{HOST}/team/app@{APP}")]


async def test_what_newer_advisories_clear_is_released_by_the_decision_that_put_it_into_quarantine(
    client: Client, database: Database
) -> None:
    async with database.transaction() as session:
        first = await load_latest_decision(session, HOST, "team/app", digest=APP)
        assert first is not None
        cleared = Verdict(status=VerdictStatus.PASS, reasons=(), policy="production", policy_digest=f"sha256:{'9' * 64}")
        await record_decision(session, NewDecision(scan_id=first.scan_id, image_digest=APP, verdict=cleared, revision=7))
    await client.log_in("root")
    assert "Release from quarantine" in await client.page(APP_PAGE)
    status, document = await client.post("/v1/releases", {"reference": APP_TAG}, token="releaser")
    assert (status, document["decision_id"]) == (202, first.id)

    async with database.transaction() as session:
        await plan_actions(session, first.id, [("release", {})])
        *_, release = await load_actions(session, first.id)
        await record_action(session, release.id, outcome="done", detail="", attempt=1)
    assert "Release from quarantine" not in await client.page(APP_PAGE)
    assert (await client.post("/v1/releases", {"reference": APP_TAG}, token="releaser"))[0] == 409


@pytest.mark.parametrize(
    ("reference", "expected"), [(f"{HOST}/team/web:2.0", 409), (f"{HOST}/team/app@{OLD_APP}", 409), (f"{HOST}/team/no:1", 404)]
)
async def test_what_is_not_in_quarantine_is_not_released(client: Client, database: Database, reference: str, expected: int) -> None:
    assert (await client.post("/v1/releases", {"reference": reference}))[0] == expected
    async with database.reading() as session:
        assert await load_audit(session, actor="root") == ()


@pytest.mark.parametrize("body", [{}, {"reference": 1}, {"reference": APP_TAG, "force": True}, [], "x"])
async def test_a_body_is_read_strictly(client: Client, body: object) -> None:
    assert (await client.post("/v1/scans", body))[0] == 400


async def test_a_body_is_bounded_and_is_json(client: Client) -> None:
    for data, content_type, expected in (
        (b"{}", "text/plain", 415),
        (b"{", "application/json", 400),
        (b'{"reference": "\xff"}', "application/json", 400),
        (b"[" * 2_000_000, "application/json", 413),
    ):
        headers = {**bearer("root"), "Content-Type": content_type}
        async with client.session.post(f"{client.address}/api/v1/scans", data=io.BytesIO(data), headers=headers) as response:
            assert response.status == expected


# The document


async def test_the_api_is_what_its_document_says(database: Database) -> None:
    async with serving(database, settings()) as address:
        await asyncio.to_thread(check_against_document, address)


def check_against_document(address: str) -> None:
    """Ask what the document allows, and what it does not, with examples made from it; every answer must be one that it describes."""
    schema = schemathesis.openapi.from_url(f"{address}/api/openapi.json", headers=bearer("root"))
    checks = CHECKS.get_by_names(
        [
            "not_a_server_error",
            "status_code_conformance",
            "content_type_conformance",
            "response_schema_conformance",
            "response_headers_conformance",
        ]
    )
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 11
    for operation in operations:
        for mode in modes:
            ask_examples(operation, mode, checks)


def ask_examples(operation: Any, mode: schemathesis.GenerationMode, checks: Any) -> None:
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis.settings(max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck))
    def ask(case: Any) -> None:
        case.call_and_validate(headers=bearer("root"), checks=checks)

    ask()


async def test_every_answer_on_a_real_image_is_as_described(client: Client) -> None:
    _, document = await client.read("/openapi.json", token=None)
    _, status = await client.read("/v1/status", reference=APP_TAG)
    asked = {
        "/v1/status": {"reference": APP_TAG},
        "/v1/images": {},
        "/v1/findings": {"reference": APP_TAG},
        "/v1/packages": {"reference": APP_TAG},
        "/v1/report": {"reference": APP_TAG},
        "/v1/attempts": {"reference": APP_TAG},
        "/v1/audit": {},
        "/v1/where": {"vulnerability": "CVE-2021-3711"},
        "/v1/decisions/{id}": {},
    }
    assert asked.keys() == {path for path, methods in document["paths"].items() if "get" in methods}
    for path, query in asked.items():
        _, answer = await client.read(path.replace("{id}", status["decision"]["id"]), **query)
        described = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        Draft202012Validator({**described, "components": document["components"]}).validate(answer)


# Pages


async def test_nobody_reads_a_page_without_logging_in(client: Client) -> None:
    for path in ("/", APP_PAGE.replace("%3A", ":"), "/where", "/badge?reference=a"):
        async with client.session.get(client.address + path, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, f"/login?next={quote(path, safe='')}")


async def test_a_token_opens_the_pages_until_log_out(client: Client) -> None:
    await client.log_in("reader")
    page = await client.page("/")
    form_token = re.search(r'name="form_token" value="([0-9a-f]{64})"', page)
    assert form_token
    assert TOKENS["reader"][0] not in page
    assert await client.submit("/logout", {"form_token": form_token[1]}) == 303
    await client.page("/", status=303)


async def test_a_wrong_token_is_refused_in_words(client: Client) -> None:
    async with client.session.post(f"{client.address}/login", data={"token": "prq_wrong"}) as response:
        assert response.status == 401
        assert "unknown, expired or revoked" in await response.text()
        assert "Set-Cookie" not in response.headers


async def test_the_cookie_is_kept_from_scripts_and_other_sites(database: Database) -> None:
    async with (
        serving(database, settings(public_url="https://pratique.example")) as address,
        aiohttp.ClientSession() as session,
        session.post(f"{address}/login", data={"token": "prq_root"}, allow_redirects=False) as response,
    ):
        cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-pratique=")
    assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))


async def test_after_the_login_nobody_is_led_to_another_site(client: Client) -> None:
    form = {"token": "prq_root", "next": "//evil.example/"}
    async with client.session.post(f"{client.address}/login", data=form, allow_redirects=False) as response:
        assert response.headers["Location"] == "/"
    assert 'value="/"' in await client.page("/login?next=https://evil.example")


async def test_a_link_from_a_chat_is_taken_by_a_page_of_our_own(client: Client) -> None:
    page = await client.page(APP_PAGE, **{"Sec-Fetch-Site": "cross-site"})
    assert f'content="0;url={APP_PAGE.replace("%3A", ":")}"' in page


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
    ],
)
async def test_forms_of_other_sites_are_refused(client: Client, headers: dict[str, str], expected: int) -> None:
    assert await client.submit("/login", {"token": "prq_root"}, **headers) == expected


@pytest.mark.parametrize(
    ("content_type", "expected"), [("application/x-www-form-urlencoded; charset=none", 400), ("application/json", 415)]
)
async def test_a_form_that_is_none_is_refused(client: Client, content_type: str, expected: int) -> None:
    assert await client.submit("/login", {"token": "prq_root"}, **{"Content-Type": content_type}) == expected


async def test_buttons_need_the_token_of_their_own_form(client: Client, database: Database) -> None:
    await client.log_in("root")
    for forged in ({}, {"form_token": ""}, {"form_token": "0" * 64}):
        assert await client.submit("/release", {"reference": APP_TAG, **forged}) == 403
    async with database.reading() as session:
        assert await load_audit(session, actor="root") == ()


async def test_an_image_can_be_released_and_scanned_again_with_buttons(client: Client, database: Database) -> None:
    await client.log_in("root")
    page = await client.page(APP_PAGE)
    form_token = re.search(r'name="form_token" value="([0-9a-f]{64})"', page)
    assert form_token
    form = {"reference": f"{HOST}/team/app@{APP}", "form_token": form_token[1]}
    assert "Release from quarantine" in page
    assert await client.submit("/release", form) == 303
    assert await client.submit("/rescan", form) == 303
    async with database.reading() as session:
        assert {line.verb for line in await load_audit(session, actor="root")} == {"release_requested", "scan_requested"}
    assert "Until it is judged this verdict stands" in await client.page(APP_PAGE)


async def test_buttons_are_shown_and_work_only_with_their_scope(client: Client) -> None:
    await client.log_in("reader")
    page = await client.page(APP_PAGE)
    assert "<button" in page
    assert 'action="/release"' not in page
    assert 'action="/rescan"' not in page
    form_token = re.search(r'name="form_token" value="([0-9a-f]{64})"', page)
    assert form_token
    assert await client.submit("/rescan", {"reference": APP_TAG, "form_token": form_token[1]}) == 403


async def test_a_cookie_alone_changes_nothing_through_the_api(client: Client) -> None:
    await client.log_in("root")
    assert (await client.read("/v1/images", token=None))[0] == 200
    assert (await client.post("/v1/scans", {"reference": APP_TAG}, token=None))[0] == 401


async def test_the_page_of_an_image_answers_the_question_first(open_client: Client) -> None:
    page = await open_client.page(APP_PAGE)
    order = [
        "May this ship?",
        "No, because",
        "CVE-2021-3711 in openssl",
        "update openssl to",
        "quarantine to",
        "CVE-2022-0778",
        "690 days|days",
        "decided",
    ]
    places = [re.search(text, page) for text in order]
    assert all(places)
    assert "not supported since" in page


async def test_text_from_an_image_is_text_on_every_page(open_client: Client) -> None:
    for path in (
        APP_PAGE,
        "/",
        "/where?vulnerability=CVE-2023-4039",
        "/where?vulnerability=" + quote(HOSTILE),
        "/?repository=" + quote(HOSTILE),
    ):
        async with open_client.session.get(open_client.address + path) as response:
            page = await response.text()
        assert "<script" not in page
        assert "<img src=x" not in page
        assert "javascript:" not in page


async def test_pages_may_load_nothing_but_their_own_style(open_client: Client) -> None:
    for path in ("/", APP_PAGE, "/where", "/login", "/nothing"):
        async with open_client.session.get(open_client.address + path) as response:
            policy = response.headers["Content-Security-Policy"]
            page = await response.text()
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"\sstyle=|<style|<script|\son\w+=", page)
        for link in re.findall(r'<a [^>]*href="http[^>]*>', page):
            assert "noopener" in link


async def test_every_table_has_a_caption_and_every_head_a_scope(open_client: Client) -> None:
    for path in ("/", APP_PAGE, "/where?vulnerability=CVE-2021-3711"):
        page = await open_client.page(path)
        assert page.count("<table") == page.count("<caption") > 0
        assert not re.search(r"<th(?![^>]*scope=)[ >]", page)


async def test_a_page_says_what_is_exploited_and_what_newer_advisories_changed(open_client: Client, database: Database) -> None:
    assert "exploited" not in (await open_client.page(APP_PAGE)).replace("known to be exploited, then what an update ends", "")
    cause = {"kind": "advisories", "changes": [{"kind": "exploited", "id": "CVE-2021-3711", "severity": "critical"}], "more": 1}
    async with database.transaction() as session:
        await session.execute(
            sql_text("INSERT INTO exploitation (cve, exploited_since, epss) VALUES ('CVE-2021-3711', :since, 0.944)"), {"since": HOSTILE}
        )
        change = sql_text("UPDATE decision SET cause = :cause WHERE image_digest = :digest")
        await session.execute(change, {"cause": json.dumps(cause), "digest": str(APP)})
    page = await open_client.page(APP_PAGE)
    assert "<strong>1 known to be exploited:</strong> CVE-2021-3711" in page
    assert "EPSS&nbsp;94%" in page
    assert "Newer advisories led to this verdict" in page
    assert "<li>CVE-2021-3711 became known to be exploited (critical)</li><li>and 1 more</li>" in page
    assert HOSTILE not in page


async def test_findings_on_a_page_can_be_filtered_and_leafed_through(open_client: Client) -> None:
    critical = (await open_client.page(f"{APP_PAGE}?severity=critical")).partition('id="findings"')[2]
    assert "CVE-2021-3711" in critical
    assert "CVE-2022-0778" not in critical
    first = await open_client.page(APP_PAGE)
    following = re.search(r'<a href="([^"]+)#findings" rel="next"', first)
    assert following
    second = await open_client.page(following[1].replace("&amp;", "&"))
    assert "CVE-2011-0059" in second
    assert "DSA-4963-1" not in re.findall(r'id="findings".*', second, re.DOTALL)[0]


async def test_a_tag_leads_to_the_page_of_its_digest(open_client: Client) -> None:
    async with open_client.session.get(f"{open_client.address}/images/{quote(HOST)}/team/app:1.3", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, APP_PAGE)


async def test_a_tag_that_waits_has_a_page_with_its_last_error(open_client: Client) -> None:
    page = await open_client.page(f"/images/{quote(HOST)}/team/new:0.1")
    assert "It is not decided yet." in page
    assert "answered 503" in page


async def test_what_changed_since_the_image_before_is_said(open_client: Client) -> None:
    page = await open_client.page(APP_PAGE)
    assert "<strong>63 new</strong>" in page
    assert f"@{OLD_APP}" in page


async def test_every_page_of_the_fleet_can_be_shown(open_client: Client) -> None:
    _, document = await open_client.read("/v1/images", token=None)
    assert len(document["images"]) == 8
    for image in document["images"]:
        name = f"{image['host']}/{image['repository']}"
        await open_client.page(
            f"/images/{quote(name)}@{image['digest']}" if image["digest"] else f"/images/{quote(name)}:{image['tags'][0]}"
        )


async def test_the_list_can_be_filtered_and_says_when_nothing_is_left(open_client: Client) -> None:
    assert "team/web" not in await open_client.page("/?repository=team%2Fapp&status=")
    assert "No image is like that." in await open_client.page("/?status=running")
    assert "No image is like that." in await open_client.page("/?repository=nothing&status=fail")


async def test_empty_pages_say_what_to_do_next(empty: Database) -> None:
    async with serving(empty, settings(anonymous_read=True)) as address, aiohttp.ClientSession() as session:
        client = Client(session, address, [])
        assert "webhook" in await client.page("/")
        assert "Give a name" in await client.page("/where")
        assert "In no image that was judged" in await client.page("/where?vulnerability=CVE-2021-1")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/images/" + "x" * 600, 400),
        ("/images/a/b:1", 404),
        ("/?after=x", 400),
        ("/where?vulnerability=a%20b", 400),
        (APP_PAGE + "?after=x", 400),
    ],
)
async def test_problems_are_pages_as_well(open_client: Client, path: str, status: int) -> None:
    page = await open_client.page(path, status=status)
    assert '<a class="brand"' in page


@pytest.mark.parametrize(
    ("reference", "word"),
    [(APP_TAG, "fail"), (f"{HOST}/team/web:2.0", "pass"), (f"{HOST}/data/etl:nightly", "incomplete"), ("nobody/knows", "unknown")],
)
async def test_a_badge_shows_the_verdict(open_client: Client, reference: str, word: str) -> None:
    async with open_client.session.get(f"{open_client.address}/badge", params={"reference": reference}) as response:
        assert (response.status, response.content_type) == (200, "image/svg+xml")
        assert f">{word}</text>" in await response.text()


async def test_style_and_icon_are_served_without_a_token(client: Client) -> None:
    for name, content_type in (("pratique.css", "text/css"), ("icon.svg", "image/svg+xml")):
        async with client.session.get(f"{client.address}/static/{name}") as response:
            assert (response.status, response.content_type) == (200, content_type)
