"""The notifier: `decision.taken` in; each thing told once, to whom it concerns, out."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import DatabaseUnavailable, InvalidMessage
from pratique.findings import Finding, Severity
from pratique.messages import DecisionTaken, InventoryRecorded
from pratique.policy.parse import parse_policy
from pratique.runtime.settings import Settings, parse_settings
from pratique.storage.engine import Database
from pratique.storage.notifications import claim_due_deliveries
from pratique.storage.text import new_id
from pratique.vex.applying import StatementIndex
from pratique.vex.reading import read_vex
from pratique.vex.trust import VexTrust
from pratique_services.notifier.composing import Composer
from pratique_services.notifier.consumer import Notifier
from tests.support.databases import SqliteFactory
from tests.support.deployment import ChatReceiver
from tests.support.registry_fakes import serving
from tests.support.services import UNREAD, Bench, deliver, metric, open_bench
from tests.support.stored import digest_of, finding
from tests.support.vex import openvex, said

HOST = "registry.example:5000"
POLICY = """
version: 1
policies:
  - name: test
    rules: {fail_on: critical, unknown_severity: ignore, max_feed_age: unlimited, eol: ignore}
    waivers: [{id: CVE-2026-9, owner: alice, reason: not reachable, expires: 2999-01-01}]
"""
FIRST = finding(
    "GHSA-1", Severity.CRITICAL, aliases=("CVE-2026-1",), package="pkg:pypi/searchor@2.4.1", fixed_in="2.4.2", title="Code runs"
)
SECOND = finding("CVE-2026-2", Severity.CRITICAL)
WAIVED = finding("CVE-2026-9", Severity.CRITICAL)


@pytest.fixture
def chat() -> Iterator[ChatReceiver]:
    receiver = ChatReceiver()
    yield receiver
    receiver.close()


def make_settings(*channels: dict[str, Any], **more: Any) -> Settings:
    raw: dict[str, Any] = {
        "public_url": "https://pratique.example/",
        "channels": list(channels),
        "owners": [{"repositories": "*/team-a/*", "owner": "@team-a"}],
        "retry": {"max_attempts": 3, "delays": [0.2, 0.2]},
    }
    return parse_settings(raw | more, {}, base=Path.cwd())


def channel(chat: ChatReceiver, name: str = "security", **more: Any) -> dict[str, Any]:
    return {"name": name, "url": chat.url, "events": ["new_criticals", "exploited", "quarantined", "held", "promoted", "recovered"], **more}


class Site:
    """A notifier on a bench: decisions are taken by the real enforcer, without a registry."""

    def __init__(self, bench: Bench, settings: Settings, session: aiohttp.ClientSession) -> None:
        self.bench = bench
        self.enforcer = bench.enforcer(POLICY, None)
        self.notifier = Notifier(
            database=bench.database,
            composer=Composer(settings=settings, document=parse_policy(POLICY.encode())),
            addresses={each.name: each.url for each in settings.channels},
            retry=settings.retry,
            session=session,
        )

    async def decide(self, repository: str, name: str, *findings: Finding, tag: str = "1.0", **more: Any) -> DecisionTaken:
        """Push an image called `name`, with these findings, and take its decision; answer the message about it."""
        message = await self.bench.event(HOST, repository, tag=tag, digest=digest_of(name))
        await self.enforcer.consume(deliver(await self.bench.record_scanned(message, findings, **more)))
        (taken,) = await self.bench.take(DecisionTaken)
        return taken

    async def tell(self, repository: str, name: str, *findings: Finding, **more: Any) -> DecisionTaken:
        """Decide, and let the notifier hear of it."""
        taken = await self.decide(repository, name, *findings, **more)
        await self.notifier.consume(deliver(taken))
        return taken

    async def rejudge(self, taken: DecisionTaken, status: str, *changes: dict[str, str]) -> DecisionTaken:
        """Adopt another verdict on the same image, as newer advisories lead to one, and let the notifier hear of it."""
        made = DecisionTaken(decision_id=new_id(), correlation_id=taken.correlation_id)
        cause = {"kind": "advisories", "position": 7, "database": "sha256:00", "changes": changes, "more": 0}
        values = {"id": made.decision_id, "status": status, "earlier": taken.decision_id, "cause": json.dumps(cause)}
        await self.bench.change(
            "INSERT INTO verdict (id, status, reasons, policy, policy_digest, waived) VALUES ('v' || :id, :status, '[]', 'test', '', 0)",
            id=made.decision_id,
            status=status,
        )
        await self.bench.change(
            "INSERT INTO decision (id, scan_id, revision, repository_id, verdict_id, tag, image_digest, counts, cause, created_at)"
            " SELECT :id, scan_id, revision + 7, repository_id, 'v' || :id, tag, image_digest, counts, :cause, created_at"
            " FROM decision WHERE id = :earlier",
            **{name: values[name] for name in ("id", "cause", "earlier")},
        )
        await self.notifier.consume(deliver(made))
        return made

    async def exploit(self, cve: str, since: str) -> None:
        """Let a CVE become known to be exploited."""
        await self.bench.change("INSERT INTO exploitation (cve, exploited_since, epss) VALUES (:cve, :since, 0.9)", cve=cve, since=since)

    async def deliver_until(self, condition: Any, seconds: float = 8.0) -> None:
        """Run the delivery until something holds."""
        task = asyncio.create_task(self.notifier.deliver())
        try:
            async with asyncio.timeout(seconds):
                while not await condition():
                    await asyncio.sleep(0.02)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def run_for(self, seconds: float) -> None:
        """Run the delivery for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.notifier.deliver()

    async def settle(self) -> None:
        """Run the delivery until nothing is pending."""

        async def is_settled() -> bool:
            return not await self.bench.rows("SELECT id FROM notification WHERE state = 'pending'")

        await self.deliver_until(is_settled)


@asynccontextmanager
async def open_site(bench: Bench, settings: Settings) -> AsyncIterator[Site]:
    async with aiohttp.ClientSession() as session:
        yield Site(bench, settings, session)


@pytest.fixture
async def site(bench: Bench, chat: ChatReceiver) -> AsyncIterator[Site]:
    async with open_site(bench, make_settings(channel(chat))) as made:
        yield made


async def test_a_new_critical_is_told_once_to_a_repository(site: Site, bench: Bench, chat: ChatReceiver) -> None:
    await site.tell("team-a/app", "one", FIRST)
    await site.tell("team-a/app", "two", FIRST, tag="1.1")  # the same, in another image
    await site.tell("team-a/app", "three", FIRST, SECOND, tag="1.2")
    await site.tell("team-b/app", "one", FIRST)
    await site.settle()

    titles = [message["blocks"][0]["text"]["text"] for message in chat.messages]
    assert sorted(title.partition(" in ")[0] + " " + title.partition("/")[2].partition("@")[0] for title in titles) == [
        "1 new critical team-a/app:1.0",
        "1 new critical team-a/app:1.2",
        "1 new critical team-b/app:1.0",
    ]
    (third,) = [message["text"] for message in chat.messages if ":1.2" in message["text"]]
    assert "CVE-2026-2" in third
    assert "• CVE-2026-1 in" not in third
    assert {row["state"] for row in await bench.rows("SELECT state FROM notification")} == {"delivered"}


async def test_one_cve_by_several_advisories_is_one_piece_of_news(site: Site, chat: ChatReceiver) -> None:
    await site.tell("team-a/app", "one", FIRST, finding("PYSEC-1", Severity.CRITICAL, aliases=("CVE-2026-1",)))
    await site.settle()
    (message,) = chat.messages
    assert message["text"].startswith("1 new critical in ")
    assert "fixed in 2.4.2" in message["text"]  # of the two, the one that says what to do


async def test_a_message_says_what_where_who_and_what_to_do(site: Site, chat: ChatReceiver) -> None:
    await site.tell("team-a/app", "one", FIRST)
    await site.settle()
    (message,) = chat.messages
    digest = digest_of("one")
    for part in (
        f"{HOST}/team-a/app:1.0@{str(digest)[:19]}",
        "CVE-2026-1",
        "pkg:deb/debian/lib-",
        "fixed in 2.4.2",
        "Code runs",
        "Verdict: fail (not cleared)",
        "Owner: @team-a",
        f"https://pratique.example/images/{HOST.replace(':', '%3A')}/team-a/app@{digest}",
    ):
        assert part in message["text"], f"{part} is not in {message['text']}"


async def test_a_waived_critical_is_not_told(site: Site, bench: Bench, chat: ChatReceiver) -> None:
    await site.tell("team-a/app", "one", WAIVED)
    assert (await bench.decisions())[0]["status"] == "pass"
    await site.tell("team-a/app", "two", WAIVED, SECOND, tag="1.1")
    await site.settle()
    (message,) = chat.messages
    assert "CVE-2026-2" in message["text"]
    assert "• CVE-2026-9" not in message["text"]
    assert await bench.rows("SELECT key FROM notification_key") == [{"key": "CVE-2026-2"}]


async def test_what_becomes_known_to_be_exploited_is_told_once_a_repository_and_why(site: Site, bench: Bench, chat: ChatReceiver) -> None:
    high = finding("CVE-2026-3", Severity.HIGH)
    one = await site.tell("team-a/app", "one", high)
    two = await site.tell("team-a/app", "two", high, tag="1.1")
    assert await bench.rows("SELECT * FROM notification") == []
    await site.exploit("CVE-2026-3", "2026-11-20")
    change = {"kind": "exploited", "id": "CVE-2026-3", "package": "pkg:deb/debian/zlib@1", "severity": "high"}
    await site.rejudge(one, "fail", change)
    await site.rejudge(two, "fail", change)  # the same, of another image
    await site.tell("team-a/app", "three", high, tag="1.2")  # and in a push
    await site.settle()
    (message,) = chat.messages
    assert message["text"].startswith(f"1 known to be exploited after newer advisories in {HOST}/team-a/app:1.0@")
    assert "(high, known to be exploited since 2026-11-20, no fix yet)" in message["text"]
    assert "• CVE-2026-3 in pkg:deb/debian/zlib@1 became known to be exploited (high)" in message["text"]


async def test_a_critical_that_was_told_is_news_again_when_it_is_exploited_and_only_then(site: Site, chat: ChatReceiver) -> None:
    taken = await site.tell("team-a/app", "one", FIRST)
    taken = await site.rejudge(taken, "fail", {"kind": "fix-available", "id": "CVE-2026-1", "package": "", "severity": "critical"})
    await site.settle()
    assert len(chat.messages) == 1
    await site.exploit("CVE-2026-1", "2026-11-20")
    taken = await site.rejudge(taken, "fail", {"kind": "exploited", "id": "CVE-2026-1", "package": "", "severity": "critical"})
    await site.notifier.consume(deliver(taken, attempt=2))
    await site.settle()
    assert len(chat.messages) == 2
    assert "1 known to be exploited after newer advisories in" in chat.messages[1]["text"]


async def test_a_waived_vulnerability_is_not_told_when_it_is_exploited(site: Site, bench: Bench) -> None:
    await site.exploit("CVE-2026-9", "2026-11-20")
    await site.tell("team-a/app", "one", WAIVED)
    assert await bench.rows("SELECT * FROM notification") == []


async def test_what_vex_takes_away_is_not_told(site: Site, bench: Bench) -> None:
    product = f"pkg:deb/debian/lib-{str(digest_of('one'))[-12:]}"
    document = openvex(said("CVE-2026-2", product, justification="vulnerable_code_not_present"))
    trusted = VexTrust(documents=(StatementIndex(read_vex(document, "a.json")),))
    believing = replace(site.notifier, composer=replace(site.notifier.composer, vex=trusted))
    await site.exploit("CVE-2026-2", "2026-11-20")
    taken = await site.decide("team-a/app", "one", SECOND)
    await believing.consume(deliver(taken))
    assert await bench.rows("SELECT * FROM notification_key") == []
    await site.notifier.consume(deliver(taken))
    assert len(await bench.rows("SELECT * FROM notification_key")) == 2


async def test_of_an_image_that_passes_again_in_quarantine_it_is_said_that_it_is_still_there(bench: Bench, chat: ChatReceiver) -> None:
    async with open_site(bench, make_settings(channel(chat, events=["recovered"]))) as site:
        for repository, kinds in (("team-a/app", ("quarantine",)), ("team-a/released", ("quarantine", "release")), ("team-a/stayed", ())):
            taken = await site.tell(repository, repository, SECOND)
            for number, kind in enumerate(kinds):
                await bench.change(
                    "INSERT INTO action (id, decision_id, kind, key, parameters, outcome, detail, attempts, updated_at)"
                    " SELECT :id, id, :kind, :kind, '{}', 'done', '', 1, created_at FROM decision WHERE id = :decision",
                    id=f"{number}{taken.decision_id}",
                    kind=kind,
                    decision=taken.decision_id,
                )
            await site.rejudge(taken, "pass")
        await site.settle()
    told = {
        name: "stays in quarantine" in message["text"]
        for message in chat.messages
        for name in [message["text"].split("/")[2].split(":")[0]]
    }
    assert told == {"app": True, "released": False, "stayed": False}


async def test_an_image_that_passes_again_is_told_to_who_asked_for_it(bench: Bench, chat: ChatReceiver) -> None:
    other = ChatReceiver()
    settings = make_settings(channel(chat, events=["recovered"]), channel(other, "by-default", events=["new_criticals", "quarantined"]))
    async with open_site(bench, settings) as site:
        taken = await site.tell("team-a/app", "one", SECOND)
        change = {"kind": "retracted", "id": "CVE-2026-2", "package": "pkg:deb/debian/zlib@1", "severity": "critical"}
        taken = await site.rejudge(taken, "pass", change)
        await site.rejudge(taken, "pass")  # it passed before, too
        await site.settle()
    other.close()
    (message,) = chat.messages
    assert message["text"].startswith(f"Cleared again after newer advisories: {HOST}/team-a/app:1.0@")
    assert "CVE-2026-2 in pkg:deb/debian/zlib@1 was retracted by its publisher" in message["text"]
    assert len(other.messages) == 1  # of the critical, when it was new


async def test_what_is_held_is_not_told_again_after_every_update_of_the_advisories(site: Site, chat: ChatReceiver) -> None:
    taken = await site.tell("team-a/app", "one", coverage=UNREAD)
    await site.rejudge(taken, "incomplete", {"kind": "appeared", "id": "CVE-2026-4", "package": "", "severity": "low"})
    await site.settle()
    assert len(chat.messages) == 1


async def test_what_is_only_high_is_not_told(site: Site, bench: Bench) -> None:
    await site.tell("team-a/app", "one", finding("CVE-2026-3", Severity.HIGH))
    assert await bench.rows("SELECT * FROM notification") == []


async def test_what_is_held_is_told(site: Site, chat: ChatReceiver) -> None:
    await site.tell("team-a/app", "one", coverage=UNREAD)
    await site.settle()
    assert "held: could not be judged completely" in chat.messages[0]["text"].lower()
    assert "cannot be read" in chat.messages[0]["text"]


async def test_an_action_that_was_refused_is_told(bench: Bench, chat: ChatReceiver) -> None:
    async with open_site(bench, make_settings(channel(chat, events=["quarantined"]))) as site:
        taken = await site.decide("team-a/app", "image")
        await bench.change(
            "INSERT INTO action (id, decision_id, kind, key, parameters, outcome, detail, attempts, updated_at)"
            " VALUES ('a', :id, 'withdraw', 'k', '{}', 'refused', 'no delete', 1, '2026-01-01 00:00:00+00:00')",
            id=taken.decision_id,
        )
        await site.notifier.consume(deliver(taken))
    assert "Problem: could not withdraw the signature: no delete" in (await bench.row("SELECT body FROM notification"))["body"]


async def test_a_message_that_comes_twice_is_told_once(site: Site, bench: Bench, chat: ChatReceiver) -> None:
    taken = await site.tell("team-a/app", "one", FIRST)
    await site.notifier.consume(deliver(taken, attempt=2))
    await site.settle()
    await site.notifier.consume(deliver(taken, attempt=3))
    await site.settle()
    assert len(chat.messages) == 1
    assert len(await bench.rows("SELECT * FROM delivery")) == 1


async def test_each_channel_gets_what_it_asked_for(bench: Bench, chat: ChatReceiver) -> None:
    other = ChatReceiver()
    settings = make_settings(
        channel(chat, "all"),
        channel(other, "team-b", repositories=["*/team-b/*"]),
        channel(other, "held-only", events=["held"]),
    )
    async with open_site(bench, settings) as site:
        await site.tell("team-a/app", "one", FIRST)
        await site.tell("team-b/app", "two", FIRST)
        await site.settle()
    other.close()

    rows = await bench.rows("SELECT channel, body FROM notification ORDER BY channel, id")
    assert [row["channel"] for row in rows] == ["all", "all", "team-b"]
    assert [("team-a" in message["text"]) for message in other.messages] == [False]
    assert len(chat.messages) == 2


async def test_a_failed_delivery_is_tried_again_after_a_delay_and_seen(bench: Bench, chat: ChatReceiver) -> None:
    chat.answers[:] = [503]
    failed = metric("pratique_notifications_total", channel="security", outcome="failed")
    async with open_site(bench, make_settings(channel(chat), retry={"max_attempts": 5, "delays": [1.5]})) as site:
        await site.tell("team-a/app", "one", FIRST)

        async def has_failed() -> bool:
            return bool(await bench.rows("SELECT id FROM delivery"))

        await site.deliver_until(has_failed)
        pending = await bench.row("SELECT state, attempts, next_attempt_at FROM notification")
        due = dt.datetime.fromisoformat(pending["next_attempt_at"]).replace(tzinfo=dt.UTC)
        assert (pending["state"], pending["attempts"]) == ("pending", 1)
        assert 0.5 < (due - dt.datetime.now(dt.UTC)).total_seconds() < 2
        assert chat.messages == []
        await site.settle()

    tried = await bench.rows("SELECT outcome, detail FROM delivery ORDER BY id")
    assert tried == [{"outcome": "failed", "detail": "the receiver answered 503"}, {"outcome": "ok", "detail": ""}]
    assert len(chat.messages) == 1
    assert metric("pratique_notifications_total", channel="security", outcome="failed") == failed + 1


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (500, 3)], ids=["refused", "away for good"])
async def test_what_cannot_be_delivered_is_given_up_in_the_open(
    site: Site, bench: Bench, chat: ChatReceiver, status: int, attempts: int
) -> None:
    chat.answers[:] = [status] * 10
    await site.tell("team-a/app", "one", FIRST)
    await site.settle()
    row = await bench.row("SELECT state, attempts, next_attempt_at FROM notification")
    assert row == {"state": "failed", "attempts": attempts, "next_attempt_at": None}
    assert {row["detail"] for row in await bench.rows("SELECT detail FROM delivery")} == {f"the receiver answered {status}"}


async def test_a_channel_that_is_gone_from_the_settings_fails_in_the_open(site: Site, bench: Bench) -> None:
    await site.tell("team-a/app", "one", FIRST)
    await bench.change("UPDATE notification SET channel = 'former'")
    await site.settle()
    assert (await bench.row("SELECT state FROM notification"))["state"] == "failed"
    assert "not in the settings" in (await bench.rows("SELECT detail FROM delivery"))[0]["detail"]


class FlakyDatabase(Database):
    """A ledger that restarts: `plan` says of each transaction to come whether it works; without a plan all do."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.plan: deque[bool] = deque()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        if self.plan and not self.plan.popleft():
            raise DatabaseUnavailable("the database is restarting")
        async with super().transaction() as session:
            yield session


@pytest.fixture
async def flaky(ledgers: SqliteFactory, chat: ChatReceiver) -> AsyncIterator[tuple[FlakyDatabase, Site]]:
    url = await ledgers.create()
    async with open_bench(url, {}, open_database=FlakyDatabase) as bench, open_site(bench, make_settings(channel(chat))) as site:
        assert isinstance(bench.database, FlakyDatabase)
        yield bench.database, site
    await ledgers.drop(url)


async def test_a_database_that_restarts_while_a_delivery_is_recorded_does_not_make_it_twice(
    flaky: tuple[FlakyDatabase, Site], chat: ChatReceiver
) -> None:
    database, site = flaky
    await site.tell("team-a/app", "one", FIRST)
    database.plan.extend([True, False, False])  # it is claimed; sent; and then twice not recorded
    await site.settle()
    assert not database.plan
    await site.run_for(1.2)
    assert len(chat.messages) == 1
    assert [row["outcome"] for row in await site.bench.rows("SELECT outcome FROM delivery")] == ["ok"]


async def test_a_database_that_is_away_stops_nothing_for_good(flaky: tuple[FlakyDatabase, Site], chat: ChatReceiver) -> None:
    database, site = flaky
    await site.tell("team-a/app", "one", FIRST)
    database.plan.append(False)
    await site.settle()
    assert len(chat.messages) == 1


async def test_a_silent_receiver_keeps_no_other_channel_waiting(bench: Bench, chat: ChatReceiver) -> None:
    async def hold(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    async with serving(hold) as host:
        silent = {"name": "a-silent", "url": f"http://{host}/", "events": ["new_criticals"]}
        async with open_site(bench, make_settings(silent, channel(chat, "b-alive"))) as site:
            await site.tell("team-a/app", "one", FIRST)

            async def is_told() -> bool:
                return bool(chat.messages)

            await site.deliver_until(is_told, seconds=3)


async def test_what_is_being_delivered_is_nobody_elses(bench: Bench, site: Site, chat: ChatReceiver) -> None:
    await site.tell("team-a/app", "one", FIRST)
    now = dt.datetime.now(dt.UTC)
    async with bench.database.transaction() as session:  # another notifier
        assert await claim_due_deliveries(session, now=now, until=now + dt.timedelta(seconds=60), limit=10)

    await site.run_for(1.2)
    assert chat.messages == []


async def test_actions_that_moved_the_image_are_told(site: Site, bench: Bench, chat: ChatReceiver) -> None:
    taken = await site.decide("team-a/app", "one", finding("CVE-2026-3", Severity.HIGH))
    detail = "quarantined to quarantine/team-a/app:123"
    plan = json.dumps({})
    for kind, text in (("quarantine", detail), ("withdraw", "there is no signature"), ("attest", "attested until tomorrow")):
        await bench.change(
            "INSERT INTO action (id, decision_id, kind, key, parameters, outcome, detail, attempts, updated_at) "
            "VALUES (:kind, :decision, :kind, 'k', :plan, 'done', :text, 1, '2026-01-01 00:00:00.000000')",
            decision=taken.decision_id,
            kind=kind,
            text=text,
            plan=plan,
        )
    await site.notifier.consume(deliver(taken))
    await site.settle()
    (message,) = chat.messages
    assert f"Done: {detail}\n" in message["text"]


async def test_what_was_pushed_without_a_tag_is_told_by_its_digest(site: Site, bench: Bench, chat: ChatReceiver) -> None:
    message = await bench.event(HOST, "team-a/app", digest=digest_of("untagged"))
    await site.enforcer.consume(deliver(await bench.record_scanned(message, (FIRST,))))
    (taken,) = await bench.take(DecisionTaken)
    await site.notifier.consume(deliver(taken))
    await site.settle()
    assert f"{HOST}/team-a/app@sha256:" in chat.messages[0]["text"]


async def test_another_services_message_is_refused_and_an_unknown_decision_is_done(site: Site, bench: Bench) -> None:
    with pytest.raises(InvalidMessage, match=r"expected decision\.taken"):
        await site.notifier.consume(deliver(InventoryRecorded(scan_id="s", correlation_id="c")))
    await site.notifier.consume(deliver(DecisionTaken(decision_id="none", correlation_id="c")))
    assert await bench.rows("SELECT * FROM notification") == []
