"""What VEX takes away stays to be seen: in the API, in the report and on the page of an image."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web
from jsonschema import Draft202012Validator

from pratique.findings import Severity
from pratique.runtime.service import listening
from pratique.storage.engine import Database
from pratique.storage.findings import record_inspections
from pratique.storage.vex import NewVex, record_image_vex
from pratique.vex.applying import StatementIndex
from pratique.vex.reading import read_vex
from pratique.vex.trust import NOBODY, VexTrust
from pratique_services.api.app import add_routes
from tests.support.databases import SqliteFactory
from tests.support.fleet import settings
from tests.support.stored import HOST, REPOSITORY, decide, digest_of, finding
from tests.support.vex import openvex, said

OLD, NEW = digest_of("old"), digest_of("new")
PURL, OTHER = "pkg:deb/debian/openssl@1", "pkg:deb/debian/zlib@1"
FINDINGS = (
    finding("CVE-2024-1", Severity.CRITICAL, package=PURL, installed="1"),
    finding("CVE-2024-2", Severity.HIGH, package=PURL, installed="1"),
    finding("CVE-2024-3", Severity.HIGH, package=OTHER, installed="1"),
)
REASON = {"impact_statement": "we <b>never</b> call it"}
ATTACHED = openvex(
    said("CVE-2024-1", {"@id": PURL}, **REASON),
    said("CVE-2024-2", {"@id": PURL}),
    {**said("CVE-2024-3", {"@id": OTHER}), "justification": ""},
)
TRUSTING = VexTrust(signers=("key",))
Ask = Callable[..., Any]


@pytest.fixture
async def database(sqlite_databases: SqliteFactory) -> AsyncIterator[Database]:
    url = await sqlite_databases.create()
    database = Database(url)
    async with database.transaction() as session:
        for name, digest in (("old", OLD), ("new", NEW)):
            await decide(session, name)
            await record_inspections(session, digest, FINDINGS)
        await record_image_vex(session, NEW, [NewVex(content=ATTACHED, signer="key")])
    yield database
    await database.close()
    await sqlite_databases.drop(url)


@pytest.fixture
async def ask(database: Database) -> AsyncIterator[Ask]:
    """Asks an API of its own that trusts somebody: for a document, or for a page."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession())
        addresses: dict[int, str] = {}

        async def ask(path: str, trust: VexTrust = TRUSTING, **query: str) -> Any:
            if id(trust) not in addresses:
                app = web.Application()
                add_routes(app, settings(anonymous_read=True), database, lambda: None, vex=trust)
                host, port = await stack.enter_async_context(listening(app, "127.0.0.1", 0))
                addresses[id(trust)] = f"http://{host}:{port}"
            async with client.get(addresses[id(trust)] + path, params=query) as response:
                assert response.status == 200, await response.text()
                return await (response.json() if response.content_type == "application/json" else response.text())

        yield ask


def of(digest: object) -> str:
    return f"{HOST}/{REPOSITORY}@{digest}"


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in found]


async def test_findings_are_listed_without_those_that_are_suppressed_which_can_be_asked_for(ask: Ask) -> None:
    standing = await ask("/api/v1/findings", reference=of(NEW))
    assert (ids(standing["findings"]), standing["suppressed"], standing["suppressed_total"]) == (["CVE-2024-3"], [], 2)
    assert (standing["summary"]["critical"], standing["summary"]["high"]) == (0, 1)
    hidden = await ask("/api/v1/findings", reference=of(NEW), suppressed="true")
    assert hidden["findings"] == []
    assert [one["finding"]["id"] for one in hidden["suppressed"]] == ["CVE-2024-1", "CVE-2024-2"]
    (statement,) = hidden["suppressed"][0]["statements"]
    assert (statement["status"], statement["justification"]) == ("not_affected", "vulnerable_code_not_present")
    assert (statement["author"], statement["impact"]) == ("Team", REASON["impact_statement"])
    assert statement["source"].endswith("signed by the key key")


async def test_suppressed_findings_are_filtered_and_leafed_through_like_others(ask: Ask) -> None:
    first = await ask("/api/v1/findings", reference=of(NEW), suppressed="true", limit="1")
    second = await ask("/api/v1/findings", reference=of(NEW), suppressed="true", limit="1", after=first["next"])
    assert [one["finding"]["id"] for page in (first, second) for one in page["suppressed"]] == ["CVE-2024-1", "CVE-2024-2"]
    assert second["next"] is None
    high = await ask("/api/v1/findings", reference=of(NEW), suppressed="true", severity="high")
    assert [one["finding"]["id"] for one in high["suppressed"]] == ["CVE-2024-2"]


async def test_what_counts_for_one_image_or_by_a_key_that_is_trusted_no_more_counts_for_no_other(ask: Ask) -> None:
    for digest, trust in ((OLD, TRUSTING), (NEW, NOBODY)):
        found = await ask("/api/v1/findings", trust, reference=of(digest))
        assert (len(found["findings"]), found["suppressed_total"]) == (3, 0)


async def test_the_operators_documents_count_for_all_images(ask: Ask) -> None:
    trust = VexTrust(documents=(StatementIndex(read_vex(openvex(said("CVE-2024-3", {"@id": OTHER})), "team.json")),))
    for digest in (OLD, NEW):
        found = await ask("/api/v1/findings", trust, reference=of(digest), suppressed="true")
        assert [one["finding"]["id"] for one in found["suppressed"]] == ["CVE-2024-3"]


async def test_the_report_has_both_and_what_was_ignored(ask: Ask) -> None:
    report = await ask("/api/v1/report", reference=of(NEW))
    assert (ids(report["findings"]), [one["finding"]["id"] for one in report["suppressed"]]) == (
        ["CVE-2024-3"],
        ["CVE-2024-1", "CVE-2024-2"],
    )
    assert ["without a known justification" in note for note in report["notes"]] == [True]


async def test_the_page_of_an_image_shows_who_says_so_and_why_as_text(ask: Ask) -> None:
    page = await ask(f"/images/{quote(of(NEW))}")
    shown = re.sub(r"\s+", " ", page)
    assert "Suppressed by VEX: <b>2</b>" in shown
    assert "not_affected (vulnerable_code_not_present, we &lt;b&gt;never&lt;/b&gt; call it), says Team" in shown
    assert "without a known justification" in shown
    assert shown.count("CVE-2024-3</a>") == 1
    assert "Suppressed by VEX" not in await ask(f"/images/{quote(of(OLD))}")


async def test_what_changed_since_the_image_before_is_told_by_what_counts(ask: Ask) -> None:
    page = re.sub(r"\s+", " ", await ask(f"/images/{quote(of(NEW))}"))
    assert "<strong>0 new</strong>, <strong>2 gone</strong>" in page


@pytest.mark.parametrize("query", [{}, {"suppressed": "true"}])
async def test_answers_are_as_described(ask: Ask, query: dict[str, str]) -> None:
    document = await ask("/api/openapi.json")
    described = document["paths"]["/v1/findings"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    answer = await ask("/api/v1/findings", reference=of(NEW), **query)
    Draft202012Validator({**described, "components": document["components"]}).validate(answer)
