"""A mirror brought up to date from a real server, which behaves or does not."""

from __future__ import annotations

import asyncio
import json
import random
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from pratique.advisories.compiler import compile_database
from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import FeedUnavailable, SettingsError
from pratique.feeds.plan import FeedPlan, SyncLimits, UpdateReport
from pratique.feeds.state import FeedState
from pratique.feeds.update import status_of, update_mirror
from tests.support.feed_server import (
    Fault,
    FeedServer,
    body,
    broken,
    endless,
    epss_file,
    etag_of,
    feed_server,
    flaky,
    osv_record,
    redirect,
    silent,
    status,
    trickle,
    unannounced_end,
    zip_bomb,
)

QUICK = SyncLimits(connect_seconds=2, stall_seconds=1, rate_seconds=0.3, attempts=2, backoff_seconds=0.01, pause_seconds=1, feed_seconds=20)
KEV = "kev/known_exploited_vulnerabilities.json"


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with feed_server() as running:
        running.put_bucket("PyPI", [osv_record(f"PYSEC-{number}") for number in range(200)])
        running.put_kev(20)
        yield running


def plan_of(server: FeedServer, *feeds: str, limits: SyncLimits = QUICK, **fields: Any) -> FeedPlan:
    urls = {
        "osv": server.url,
        **{name: f"{server.url}/{name.partition('-')[0]}/" for name in ("kev", "epss", "alpine-secdb", "debian-tracker")},
    }
    return FeedPlan(urls=urls, feeds=feeds or ("osv", "kev"), limits=limits, **fields)


async def update(mirror: Path, server: FeedServer, *feeds: str, **fields: Any) -> UpdateReport:
    return await update_mirror(mirror, plan_of(server, *feeds, **fields))


def records_of(mirror: Path, ecosystem: str = "PyPI") -> dict[str, Any]:
    with zipfile.ZipFile(mirror / ecosystem / "all.zip") as archive:
        assert archive.testzip() is None
        return {name.removesuffix(".json"): json.loads(archive.read(name)) for name in archive.namelist()}


def contents(mirror: Path) -> dict[str, bytes]:
    """All files of a mirror but what is said about them."""
    return {
        path.relative_to(mirror).as_posix(): path.read_bytes()
        for path in mirror.rglob("*")
        if path.is_file() and path.name not in {"feeds.json", ".update.lock"}
    }


def state(mirror: Path, name: str) -> FeedState:
    return status_of(mirror)[name]


async def test_a_new_mirror_gets_everything_and_says_so(tmp_path: Path, server: FeedServer) -> None:
    report = await update(tmp_path / "mirror", server)
    mirror = tmp_path / "mirror"
    assert [(feed.name, feed.is_changed, feed.state.error) for feed in report.feeds] == [
        ("kev", True, ""),
        ("osv", True, ""),
        ("osv/PyPI", True, ""),
    ]
    assert set(contents(mirror)) == {"ecosystems.txt", "kev.json", "PyPI/all.zip", "PyPI/modified_id.csv"}
    assert contents(mirror)["PyPI/all.zip"] == server.files["PyPI/all.zip"]
    found = state(mirror, "osv/PyPI")
    assert (found.records, found.modified, found.consecutive_failures) == (200, "2024-01-02T03:04:05Z", 0)
    assert found.etag == etag_of(server.files["PyPI/all.zip"])
    assert found.last_success == found.last_attempt == found.last_change != ""
    assert (state(mirror, "kev").records, state(mirror, "kev").modified) == (20, "2024-05-06T07:08:09Z")


async def test_a_file_that_did_not_change_is_not_sent_again(tmp_path: Path, server: FeedServer) -> None:
    await update(tmp_path, server)
    before = contents(tmp_path)
    await update(tmp_path, server)  # learns the ETag of the index
    server.seen.clear()
    report = await update(tmp_path, server)
    assert not report.is_changed
    assert not report.failed
    assert contents(tmp_path) == before
    assert server.asked("PyPI/all.zip") == []
    assert [headers["If-None-Match"] for headers in server.asked(KEV)] == [etag_of(server.files[KEV])]
    assert [headers["If-None-Match"] for headers in server.asked("PyPI/modified_id.csv")] == [etag_of(server.files["PyPI/modified_id.csv"])]


def big_bucket() -> list[dict[str, Any]]:
    """Records whose zip is worth more than some requests."""
    return [osv_record(f"PYSEC-{number}", details=f"{number:x}" + str(hash((number, "x"))) * 200) for number in range(2000)]


async def test_few_new_records_are_fetched_alone(tmp_path: Path, server: FeedServer) -> None:
    records = big_bucket()
    server.put_bucket("PyPI", records)
    await update(tmp_path, server)
    server.seen.clear()
    records[5] = osv_record("PYSEC-5", "2024-06-01T00:00:00Z", summary="rewritten")
    server.put_bucket("PyPI", [*records[:-1], osv_record("PYSEC-NEW:1", "2024-06-02T00:00:00.5Z")])
    report = await update(tmp_path, server)
    assert not report.failed
    assert report.is_changed
    assert sorted(path for path, _ in server.seen if path.startswith("PyPI/")) == [
        "PyPI/PYSEC-5.json",
        "PyPI/PYSEC-NEW:1.json",
        "PyPI/modified_id.csv",
    ]
    found = records_of(tmp_path)
    assert found == {name: json.loads(content) for name, content in server.buckets["PyPI"].items()}
    assert list(found) == sorted(found)
    assert state(tmp_path, "osv/PyPI").modified == "2024-06-02T00:00:00Z"
    server.seen.clear()
    assert not (await update(tmp_path, server)).is_changed
    assert [path for path, _ in server.seen if path.startswith("PyPI/")] == ["PyPI/modified_id.csv"]


async def test_two_mirrors_with_the_same_history_are_the_same_bytes(tmp_path: Path, server: FeedServer) -> None:
    records = big_bucket()
    server.put_bucket("PyPI", records)
    await asyncio.gather(update(tmp_path / "a", server), update(tmp_path / "b", server))
    server.put_bucket("PyPI", [*records, osv_record("PYSEC-A", "2024-06-01T00:00:00Z"), osv_record("PYSEC-ZZ", "2024-06-01T00:00:00Z")])
    await asyncio.gather(update(tmp_path / "a", server), update(tmp_path / "b", server))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(records_of(tmp_path / "a")) == 2002


async def test_many_new_records_are_fetched_as_the_zip(tmp_path: Path, server: FeedServer) -> None:
    await update(tmp_path, server)
    server.seen.clear()
    server.put_bucket("PyPI", [osv_record(f"PYSEC-{number}", "2024-07-01T00:00:00Z") for number in range(200)])
    assert not (await update(tmp_path, server)).failed
    assert [path for path, _ in server.seen if path.startswith("PyPI/")] == ["PyPI/modified_id.csv", "PyPI/all.zip"]
    assert contents(tmp_path)["PyPI/all.zip"] == server.files["PyPI/all.zip"]


async def test_a_copy_without_single_records_is_fetched_as_the_zip(tmp_path: Path, server: FeedServer) -> None:
    records = big_bucket()
    server.put_bucket("PyPI", records)
    await update(tmp_path, server)
    records[5] = osv_record("PYSEC-5", "2024-06-01T00:00:00Z", summary="rewritten")
    server.put_bucket("PyPI", records)
    del server.files["PyPI/PYSEC-5.json"]
    assert not (await update(tmp_path, server)).failed
    assert contents(tmp_path)["PyPI/all.zip"] == server.files["PyPI/all.zip"]


async def test_a_record_that_the_zip_lacks_still_comes_with_the_next_sync(tmp_path: Path, server: FeedServer) -> None:
    records = big_bucket()
    server.put_bucket("PyPI", records)
    old_zip = server.files["PyPI/all.zip"]
    server.put_bucket("PyPI", [*records, osv_record("PYSEC-NEW", "2024-06-01T00:00:00Z")])
    server.files["PyPI/all.zip"] = old_zip  # exported before the index
    await update(tmp_path, server)
    assert "PYSEC-NEW" not in records_of(tmp_path)
    await update(tmp_path, server)
    assert "PYSEC-NEW" in records_of(tmp_path)


async def test_a_single_record_that_is_malformed_is_counted_and_tried_again(tmp_path: Path, server: FeedServer) -> None:
    records = big_bucket()
    server.put_bucket("PyPI", records)
    await update(tmp_path, server)
    later = [osv_record(f"PYSEC-{number}", "2024-06-01T00:00:00Z", summary="rewritten") for number in range(5)]
    server.put_bucket("PyPI", [*later, *records[5:]])
    server.faults["PyPI/PYSEC-3.json"] = [body(b'{"id": "PYSEC-4", "modified": "2024-06-01T00:00:00Z"}')]
    report = await update(tmp_path, server)
    assert not report.failed
    assert state(tmp_path, "osv/PyPI").skipped == 1
    assert "summary" not in records_of(tmp_path)["PYSEC-3"]
    await update(tmp_path, server)
    assert state(tmp_path, "osv/PyPI").skipped == 0
    assert records_of(tmp_path)["PYSEC-3"]["summary"] == "rewritten"


async def test_a_single_record_that_lags_behind_its_index_is_tried_again(tmp_path: Path, server: FeedServer) -> None:
    records = big_bucket()
    server.put_bucket("PyPI", records)
    await update(tmp_path, server)
    old = server.files["PyPI/PYSEC-5.json"]
    records[5] = osv_record("PYSEC-5", "2024-06-01T00:00:00Z", summary="rewritten")
    server.put_bucket("PyPI", records)
    server.faults["PyPI/PYSEC-5.json"] = [body(old)]  # out of a cache
    assert not (await update(tmp_path, server)).is_changed
    assert "summary" not in records_of(tmp_path)["PYSEC-5"]
    await update(tmp_path, server)
    assert records_of(tmp_path)["PYSEC-5"]["summary"] == "rewritten"


async def test_a_broken_transfer_goes_on_where_it_broke(tmp_path: Path, server: FeedServer) -> None:
    content = server.files["PyPI/all.zip"]
    server.faults["PyPI/all.zip"] = [broken(content, 1000)]
    assert not (await update(tmp_path, server)).failed
    assert contents(tmp_path)["PyPI/all.zip"] == content
    again = server.asked("PyPI/all.zip")[1]
    assert again["Range"].startswith("bytes=")
    assert 0 < int(again["Range"][6:-1]) <= 1000
    assert again["If-Range"] == etag_of(content)


async def test_a_file_that_changes_while_it_is_fetched_is_fetched_anew(tmp_path: Path, server: FeedServer) -> None:
    server.faults["PyPI/all.zip"] = [broken(zip_bomb(100_000), 50, etag='"another"', announced=30_000)]
    assert not (await update(tmp_path, server)).failed
    assert contents(tmp_path)["PyPI/all.zip"] == server.files["PyPI/all.zip"]


async def test_a_part_of_another_file_is_never_appended(tmp_path: Path, server: FeedServer) -> None:
    content = server.files["PyPI/all.zip"]
    wrong = content[1000:]
    lies = {"Content_Range": f"bytes 900-{len(content) - 1}/{len(content)}", "ETag": etag_of(content)}

    async def part(request: Any) -> Any:
        answer = await body(wrong, **lies)(request)
        answer.set_status(206)
        return answer

    server.faults["PyPI/all.zip"] = [broken(content, 1000), part]
    limits = SyncLimits(attempts=3, backoff_seconds=0.01)
    assert not (await update(tmp_path, server, limits=limits)).failed
    assert contents(tmp_path)["PyPI/all.zip"] == content


def faults(server: FeedServer) -> dict[str, tuple[Fault, str]]:
    content = server.files["PyPI/all.zip"]
    return {
        "truncated": (broken(content, len(content) // 2), "ClientPayloadError"),
        "truncated-unannounced": (unannounced_end(content, len(content) // 2), "cannot be read"),
        "longer-announced": (broken(content, len(content), announced=len(content) + 10), "ClientPayloadError"),
        "shorter-announced": (body(content[: len(content) - 30]), "cannot be read"),
        "not-a-zip": (body(b"<html>maintenance</html>"), "cannot be read"),
        "wrong-schema": (body(_zip({f"r{number}": b'{"vuln": 1}' for number in range(300)})), "are no OSV records"),
        "bomb": (body(zip_bomb()), "expands more than"),
        "slow-loris": (trickle(content[:200], pause=0.05), "bytes a second"),
        "silent": (silent(), "no answer in time"),
        "endless": (endless(), "limit for this file"),
        "other-host": (redirect("https://elsewhere.example/all.zip"), "https://elsewhere.example"),
        "other-port": (redirect("http://127.0.0.1:1/all.zip"), "not the feed's own scheme"),
        "no-url": (redirect("file:///etc/passwd"), "no http URL"),
        "loop": (redirect("/PyPI/all.zip"), "redirected more than"),
        "missing": (status(404), "404"),
        "forbidden": (status(403), "403"),
        "too-many": (status(429, Retry_After="3600"), "come back in 3600 s"),
        "unavailable": (status(503), "503"),
        "teapot": (status(418), "418"),
        "encoded": (body(b"x", Content_Encoding="br"), "encoded"),
    }


def _zip(records: dict[str, bytes]) -> bytes:
    from tests.support.feed_server import zip_of

    return zip_of(records)


NAMES = [
    "truncated", "truncated-unannounced", "longer-announced", "shorter-announced", "not-a-zip", "wrong-schema", "bomb", "slow-loris", "silent",
    "endless", "other-host", "other-port", "no-url", "loop", "missing", "forbidden", "too-many", "unavailable", "teapot", "encoded",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_what_a_server_does_wrong_leaves_the_old_file_and_the_other_feeds(tmp_path: Path, server: FeedServer, name: str) -> None:
    await update(tmp_path, server)
    before = contents(tmp_path)
    assert set(faults(server)) == set(NAMES)
    server.put_bucket("PyPI", [osv_record(f"PYSEC-{number}", "2024-07-01T00:00:00Z") for number in range(200)])
    server.put_kev(21)
    fault, reason = faults(server)[name]
    server.always["PyPI/all.zip"] = fault
    limits = SyncLimits(connect_seconds=2, stall_seconds=1, rate_seconds=0.3, attempts=2, backoff_seconds=0.01, bytes_share=0.0005)
    async with asyncio.timeout(15):
        report = await update(tmp_path, server, limits=limits)
    assert [feed.name for feed in report.failed] == ["osv/PyPI"]
    after = contents(tmp_path)
    assert {path: after[path] for path in ("PyPI/all.zip", "PyPI/modified_id.csv")} == {
        path: before[path] for path in ("PyPI/all.zip", "PyPI/modified_id.csv")
    }
    assert after["kev.json"] == server.files[KEV]
    assert set(after) == set(before)  # nothing is left behind
    failed = state(tmp_path, "osv/PyPI")
    assert reason in failed.error
    assert failed.consecutive_failures == 1
    assert failed.records == 200
    assert failed.last_attempt >= failed.last_success != ""
    del server.always["PyPI/all.zip"]
    assert not (await update(tmp_path, server)).failed
    assert state(tmp_path, "osv/PyPI").error == ""
    assert state(tmp_path, "osv/PyPI").consecutive_failures == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not json", "KEV catalogue"),
        (b"[]", "KEV catalogue"),
        (b'{"vulnerabilities": [{"cve": "CVE-2024-1"}]}', "KEV catalogue"),
        (b'{"vulnerabilities": []}', "no record"),
        (b"[" * 100_000, "KEV catalogue"),
    ],
)
async def test_a_document_of_another_form_leaves_the_old_one(tmp_path: Path, server: FeedServer, content: bytes, reason: str) -> None:
    await update(tmp_path, server)
    good, server.files[KEV] = server.files[KEV], content
    report = await update(tmp_path, server)
    assert [feed.name for feed in report.failed] == ["kev"]
    assert reason in state(tmp_path, "kev").error
    assert contents(tmp_path)["kev.json"] == good


async def test_a_server_that_asks_for_patience_is_given_it(tmp_path: Path, server: FeedServer) -> None:
    server.faults[KEV] = [status(503, Retry_After="1")]
    started = asyncio.get_running_loop().time()
    assert not (await update(tmp_path, server, "kev")).failed
    assert asyncio.get_running_loop().time() - started >= 1


async def test_a_feed_that_shrinks_is_refused_until_that_is_accepted(tmp_path: Path, server: FeedServer) -> None:
    await update(tmp_path, server)
    before = contents(tmp_path)
    server.put_bucket("PyPI", [osv_record(f"PYSEC-{number}") for number in range(159)])
    server.put_kev(10)
    report = await update(tmp_path, server)
    assert [feed.name for feed in report.failed] == ["kev", "osv/PyPI"]
    assert "from 200 to 159 records" in state(tmp_path, "osv/PyPI").error
    assert "--accept-shrink 'kev'" in state(tmp_path, "kev").error
    assert contents(tmp_path) == before
    report = await update(tmp_path, server, accept_shrink=frozenset({"osv/PyPI"}))
    assert [feed.name for feed in report.failed] == ["kev"]
    assert len(records_of(tmp_path)) == 159
    assert state(tmp_path, "osv/PyPI").records == 159


async def test_records_that_the_bucket_dropped_are_dropped_here(tmp_path: Path, server: FeedServer) -> None:
    await update(tmp_path, server)
    server.put_bucket("PyPI", [osv_record(f"PYSEC-{number}") for number in range(199)])
    assert (await update(tmp_path, server)).is_changed
    assert len(records_of(tmp_path)) == 199


async def test_a_redirect_on_the_same_host_is_followed(tmp_path: Path, server: FeedServer) -> None:
    server.files["elsewhere"] = server.files[KEV]
    server.always[KEV] = redirect("/elsewhere")
    assert not (await update(tmp_path, server, "kev")).failed


async def test_two_updates_do_not_mix(tmp_path: Path, server: FeedServer) -> None:
    server.always[KEV] = trickle(server.files[KEV], pause=0.02)
    first = asyncio.create_task(update(tmp_path, server, "kev", limits=SyncLimits()))
    while not server.asked(KEV):
        await asyncio.sleep(0.01)
    with pytest.raises(FeedUnavailable, match="another update"):
        await update(tmp_path, server, "kev")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    del server.always[KEV]
    assert not (await update(tmp_path, server, "kev")).failed
    assert set(contents(tmp_path)) == {"kev.json"}


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_breaks_and_changes_the_file_is_one_that_was_published(tmp_path: Path, server: FeedServer, seed: int) -> None:
    chance = random.Random(seed)
    versions = []
    for count in (2000, 2100, 2200):
        server.put_kev(count)
        versions.append(server.files[KEV])
    publishing = sorted(chance.choices(versions, k=6), key=versions.index)
    server.faults[KEV] = [flaky(content, chance.randrange(len(content))) for content in publishing]
    server.files[KEV] = publishing[-1]
    report = await update(tmp_path, server, "kev", limits=SyncLimits(attempts=8, backoff_seconds=0.001))
    assert not report.failed
    assert contents(tmp_path)["kev.json"] in publishing
    assert any("Range" in headers for headers in server.asked(KEV))


async def test_a_sync_fetches_no_more_than_its_bytes(tmp_path: Path, server: FeedServer) -> None:
    report = await update(tmp_path, server, limits=SyncLimits(total_bytes=10_000))
    assert "osv/PyPI" in [feed.name for feed in report.failed]
    assert "together exceed" in state(tmp_path, "osv/PyPI").error


async def test_a_sync_ends_in_its_time(tmp_path: Path, server: FeedServer) -> None:
    server.always[KEV] = trickle(server.files[KEV], pause=0.01)
    limits = SyncLimits(feed_seconds=0.5)
    report = await update(tmp_path, server, limits=limits)
    assert [feed.name for feed in report.failed] == ["kev"]
    assert "not done within its time" in state(tmp_path, "kev").error


async def test_only_the_ecosystems_asked_for_are_fetched(tmp_path: Path, server: FeedServer) -> None:
    server.put_bucket("Wolfi", [osv_record("CGA-1")])
    server.put_bucket("npm", [osv_record("GHSA-1")])
    report = await update(tmp_path, server, "osv", ecosystems=("npm", "Go"))
    assert [feed.name for feed in report.feeds] == ["osv", "osv/Go", "osv/npm"]
    assert "404" in state(tmp_path, "osv/Go").error
    report = await update(tmp_path, server, "osv")
    assert report.left_out == ("Wolfi",)
    assert not (tmp_path / "Wolfi").exists()
    report = await update(tmp_path, server, "osv", ecosystems=("Wolfi",))
    assert (tmp_path / "Wolfi/all.zip").exists()


async def test_without_the_list_of_ecosystems_those_known_are_synced(tmp_path: Path, server: FeedServer) -> None:
    await update(tmp_path, server, "osv")
    server.always["ecosystems.txt"] = status(500)
    server.put_bucket("PyPI", [osv_record(f"PYSEC-{number}", "2024-07-01T00:00:00Z") for number in range(200)])
    report = await update(tmp_path, server, "osv")
    assert [feed.name for feed in report.failed] == ["osv"]
    assert contents(tmp_path)["PyPI/all.zip"] == server.files["PyPI/all.zip"]


async def test_a_directory_is_a_source_as_well(tmp_path: Path, server: FeedServer) -> None:
    await update(tmp_path / "first", server, "osv")
    plan = FeedPlan(urls={"osv": f"file:{tmp_path / 'first'}"}, feeds=("osv",))
    report = await update_mirror(tmp_path / "second", plan)
    assert not report.failed
    assert contents(tmp_path / "second") == contents(tmp_path / "first")
    assert not (await update_mirror(tmp_path / "second", plan)).is_changed
    (tmp_path / "first/PyPI/all.zip").write_bytes(b"broken")
    report = await update_mirror(tmp_path / "second", plan)
    assert [feed.name for feed in report.failed] == ["osv/PyPI"]
    assert len(records_of(tmp_path / "second")) == 200


async def test_a_feed_of_many_files_keeps_the_good_ones(tmp_path: Path, server: FeedServer) -> None:
    secdb = json.dumps({"distroversion": "v3.20", "packages": [{"pkg": {"name": "a", "secfixes": {"1-r0": ["CVE-2024-1"]}}}]}).encode()
    server.files |= {
        "alpine/": b'<a href="../">..</a><a href="v3.20/">v3.20/</a> <a href="edge/">edge/</a><a href="v3.3/">',
        "alpine/v3.20/main.json": secdb,
        "alpine/v3.20/community.json": secdb,
        "alpine/v3.3/main.json": secdb,
        "alpine/edge/main.json": b"{}",
        "alpine/edge/community.json": secdb,
    }
    report = await update(tmp_path, server, "alpine-secdb")
    (feed,) = report.failed
    assert feed.is_changed
    assert "edge/main.json" not in contents(tmp_path)
    assert sorted(contents(tmp_path)) == [
        f"vendor/alpine-secdb/{name}.json" for name in ("edge/community", "v3.20/community", "v3.20/main", "v3.3/main")
    ]
    server.files["alpine/edge/main.json"] = secdb
    assert not (await update(tmp_path, server, "alpine-secdb")).failed
    del server.files["alpine/v3.3/main.json"]
    assert "404" in (await update(tmp_path, server, "alpine-secdb")).failed[0].state.error
    assert "vendor/alpine-secdb/v3.3/main.json" in contents(tmp_path)


async def test_a_file_without_an_etag_that_is_the_same_is_no_change(tmp_path: Path, server: FeedServer) -> None:
    content = epss_file(100)
    server.always["epss/epss_scores-current.csv.gz"] = body(content)
    assert (await update(tmp_path, server, "epss")).is_changed
    assert not (await update(tmp_path, server, "epss")).is_changed
    assert (state(tmp_path, "epss").records, state(tmp_path, "epss").modified) == (100, "2025-08-25T12:55:00Z")


async def test_a_format_that_dates_no_record_is_dated_by_its_publisher_and_not_by_our_fetching_it(
    tmp_path: Path, server: FeedServer
) -> None:
    tracker = json.dumps({"bash": {"CVE-2024-1": {"releases": {"bookworm": {"status": "open", "urgency": "low"}}}}}).encode()
    mirror, database = tmp_path / "mirror", tmp_path / "advisories.db"
    for published in ("2024-03-02T01:00:00Z", "2024-03-09T01:00:00Z"):  # the second time nothing but the time is new
        date = format_datetime(datetime.fromisoformat(published), usegmt=True)
        server.always["debian/json"] = body(tracker, Last_Modified=date)
        report = await update(mirror, server, "debian-tracker")
        assert report.is_changed == (published == "2024-03-02T01:00:00Z")
        assert state(mirror, "debian-tracker").modified == published
        compile_database(mirror, database)
        with AdvisoryDatabase.open(database) as compiled:
            assert [feed.updated for feed in compiled.feeds] == [published]


async def test_a_directory_passes_on_its_publishers_times(tmp_path: Path, server: FeedServer) -> None:
    server.always["PyPI/all.zip"] = body(server.files["PyPI/all.zip"], Last_Modified="Sat, 02 Mar 2024 01:00:00 GMT")
    await update(tmp_path / "first", server, "osv")
    await update_mirror(tmp_path / "second", FeedPlan(urls={"osv": str(tmp_path / "first")}, feeds=("osv",), limits=QUICK))
    assert [int((tmp_path / name / "PyPI/all.zip").stat().st_mtime) for name in ("first", "second")] == [1709341200] * 2


async def test_a_mirror_whose_file_was_replaced_by_hand_is_repaired(tmp_path: Path, server: FeedServer) -> None:
    await update(tmp_path, server)
    (tmp_path / "PyPI/all.zip").write_bytes(b"")
    (tmp_path / "kev.json").unlink()
    assert not (await update(tmp_path, server)).failed
    assert contents(tmp_path)["PyPI/all.zip"] == server.files["PyPI/all.zip"]
    assert contents(tmp_path)["kev.json"] == server.files[KEV]


@pytest.mark.parametrize("name", ["PyPI/all.zip", "PyPI/modified_id.csv"])
async def test_a_mirror_whose_file_rotted_is_repaired(tmp_path: Path, server: FeedServer, name: str) -> None:
    records = big_bucket()
    server.put_bucket("PyPI", records)
    await update(tmp_path, server)
    (tmp_path / name).write_bytes(bytes((tmp_path / name).stat().st_size))
    server.put_bucket("PyPI", [*records, osv_record("PYSEC-NEW", "2024-06-01T00:00:00Z")])
    assert not (await update(tmp_path, server)).failed
    assert contents(tmp_path)["PyPI/all.zip"] == server.files["PyPI/all.zip"]


@pytest.mark.parametrize(
    "plan",
    [
        FeedPlan(feeds=("nvd",)),
        FeedPlan(feeds=("osv",), urls={"osv": "http://feeds.example/"}),
        FeedPlan(feeds=("osv",), urls={"osv": "ftp://feeds.example/"}),
        FeedPlan(feeds=("osv",), urls={"osv": "https://user:secret@feeds.example/"}),
        FeedPlan(feeds=("osv",), urls={"osv": "no/such/directory"}),
        FeedPlan(feeds=("osv",), ecosystems=("Debian:11",)),
        FeedPlan(feeds=("osv",), ecosystems=("../x",)),
        FeedPlan(feeds=("kev",), urls={"kev": "http://feeds.example/"}),
        FeedPlan(feeds=("kev",), accept_shrink=frozenset({"kvv"})),
    ],
)
async def test_a_plan_that_cannot_be_meant_is_refused_before_anything_is_asked(tmp_path: Path, plan: FeedPlan) -> None:
    with pytest.raises(SettingsError) as caught:
        await update_mirror(tmp_path, plan)
    assert "secret" not in str(caught.value)
