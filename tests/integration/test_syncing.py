"""The compiled database is kept current on a schedule, whatever goes wrong around it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pratique.advisories.compiler import compile_database
from pratique.errors import DatabaseUnavailable, FeedUnavailable, InvalidAdvisory, LimitExceeded, SettingsError
from pratique.feeds.folder import open_mirror
from pratique.runtime.settings import parse_settings
from pratique_services.advisor.compiling import CompileLimits, compile_mirror
from pratique_services.advisor.syncing import check_settings, is_behind
from tests.support.feed_server import FeedServer, feed_server, osv_record, status
from tests.support.osv_mirror import EXTRACT, write_mirror
from tests.support.services import metric
from tests.support.syncing import KEV, Told, digest_of, make_syncer, running, until


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with feed_server() as running_server:
        running_server.put_bucket("PyPI", [osv_record(f"PYSEC-{number}") for number in range(20)])
        running_server.put_kev(20)
        yield running_server


@pytest.fixture
def told() -> Told:
    return Told()


def advisories_in(path: Path) -> int:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM advisory").fetchone()[0])
    finally:
        connection.close()


def left_behind(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"mirror", "advisories.sqlite"}


async def test_a_new_advisor_has_a_database_and_keeps_it_current(tmp_path: Path, server: FeedServer, told: Told) -> None:
    target = tmp_path / "advisories.sqlite"
    async with running(make_syncer(tmp_path, told, server.url)):
        await until(lambda: told.digests and told.failures)
        assert (advisories_in(target), told.failing) == (20, {})
        assert target.stat().st_mode & 0o777 == 0o444
        server.put_bucket("PyPI", [osv_record(f"PYSEC-{number}") for number in range(21)])
        await until(lambda: advisories_in(target) == 21)
        await until(lambda: told.digests[-1] == digest_of(target))
    assert left_behind(tmp_path) == set()


async def test_what_did_not_change_is_not_compiled_again(tmp_path: Path, server: FeedServer, told: Told) -> None:
    syncer = make_syncer(tmp_path, told, server.url)
    mirror, target = tmp_path / "mirror", tmp_path / "advisories.sqlite"
    await syncer.sync(mirror, target)
    os.utime(target, (time.time() + 5, time.time() + 5))
    compiled, synced = metric("pratique_advisory_compilations_total", outcome="ok"), metric("pratique_feed_syncs_total", outcome="ok")
    await syncer.sync(mirror, target)
    assert metric("pratique_advisory_compilations_total", outcome="ok") == compiled
    assert metric("pratique_feed_syncs_total", outcome="ok") == synced + 1


@pytest.mark.parametrize("damage", ["missing", "older", "damaged", "of another release"])
async def test_a_file_that_is_not_current_is_compiled_anew(tmp_path: Path, server: FeedServer, told: Told, damage: str) -> None:
    syncer = make_syncer(tmp_path, told, server.url)
    mirror, target = tmp_path / "mirror", tmp_path / "advisories.sqlite"
    await syncer.sync(mirror, target)
    digest = digest_of(target)
    later = time.time() + 5
    target.chmod(0o644)
    if damage == "missing":
        target.unlink()
    elif damage == "damaged":
        target.write_bytes(b"SQLite format 3" + bytes(5000))
    elif damage == "of another release":
        with sqlite3.connect(target) as connection:
            connection.execute("PRAGMA user_version = 1")
        connection.close()
    if target.exists():
        os.utime(target, (0, 0) if damage == "older" else (later, later))
    assert is_behind(target, mirror)
    await syncer.sync(mirror, target)
    assert digest_of(target) == digest


async def test_without_a_mirror_only_the_file_is_watched(tmp_path: Path, told: Told) -> None:
    target = tmp_path / "advisories.sqlite"
    async with running(make_syncer(tmp_path, told, None)):
        await until(lambda: told.failing)
        assert "is not there" in (told.failing or {})["database"]
        compile_database(EXTRACT, target)
        await until(lambda: told.digests == [digest_of(target)])
        await until(lambda: told.failing == {})
        compile_database(write_mirror(tmp_path / "other", PyPI=[osv_record("PYSEC-1")]), target)
        await until(lambda: told.digests[-1] == digest_of(target))
        await asyncio.sleep(0.2)
    assert len(told.digests) == 2


async def test_a_database_that_cannot_be_applied_now_is_applied_later(tmp_path: Path, told: Told) -> None:
    compile_database(EXTRACT, tmp_path / "advisories.sqlite")
    told.refusals = [DatabaseUnavailable("gone"), DatabaseUnavailable("still gone")]
    async with running(make_syncer(tmp_path, told, None)):
        await until(lambda: told.digests)
        await until(lambda: told.failing == {})
    assert len(told.digests) == 1
    assert "gone" in told.failures[0][0].reason


async def test_a_file_that_is_no_database_is_told_of_once(tmp_path: Path, told: Told) -> None:
    target = tmp_path / "advisories.sqlite"
    target.write_bytes(b"<html>")
    calls = []

    async def on_new(path: Path) -> None:
        calls.append(path)
        digest_of(path)

    async with running(make_syncer(tmp_path, told, None, on_new=on_new)):
        await until(lambda: told.failing)
        await asyncio.sleep(0.2)
    assert len(calls) == 1
    assert set(told.failing or {}) == {"database"}


async def test_a_mirror_that_cannot_be_compiled_leaves_the_old_database_and_says_so(tmp_path: Path, server: FeedServer, told: Told) -> None:
    syncer = make_syncer(tmp_path, told, server.url)
    mirror, target = tmp_path / "mirror", tmp_path / "advisories.sqlite"
    await syncer.sync(mirror, target)
    digest = digest_of(target)
    good = [osv_record(f"PYSEC-{number}") for number in range(20)]
    bad = [{"id": f"PYSEC-{number}", "modified": "2024-06-01T00:00:00Z", "affected": "all of them"} for number in range(20)]
    server.put_bucket("PyPI", bad)  # plausible for who only looks at the records' heads
    failed = metric("pratique_advisory_compilations_total", outcome="failed")
    await syncer.sync(mirror, target)
    await syncer.sync(mirror, target)
    (failure,) = syncer.failing.current
    assert failure.name == "compilation"
    assert "has its format changed" in failure.reason
    assert digest_of(target) == digest
    assert metric("pratique_advisory_compilations_total", outcome="failed") == failed + 2
    assert metric("pratique_feeds_failing") == 1
    server.put_bucket("PyPI", [*good, osv_record("PYSEC-NEW", "2024-07-01T00:00:00Z")])
    await syncer.sync(mirror, target)
    assert syncer.failing.current == ()
    assert advisories_in(target) == 21
    assert left_behind(tmp_path) == set()


async def test_a_mirror_that_cannot_be_synced_at_all_is_told_and_does_not_end_it(tmp_path: Path, server: FeedServer, told: Told) -> None:
    target, states = tmp_path / "advisories.sqlite", tmp_path / "mirror" / "feeds.json"
    async with running(make_syncer(tmp_path, told, server.url)):
        await until(lambda: told.digests and told.failing == {})
        await until(lambda: (states.write_text("[]"), told.failing)[1])  # a sync that is under way writes its own
        assert "fetches all anew" in (told.failing or {})["mirror"]
        states.unlink()
        await until(lambda: told.failing == {})
    assert digest_of(target) in told.digests


async def test_of_two_advisors_one_works_and_the_other_finds_it_done(tmp_path: Path, server: FeedServer) -> None:
    first, second = Told(), Told()
    syncers = [make_syncer(tmp_path, told, server.url) for told in (first, second)]
    async with running(*syncers):
        await until(lambda: first.digests and second.digests)
        server.put_bucket("PyPI", [osv_record(f"PYSEC-{number}") for number in range(21)])
        await until(lambda: advisories_in(tmp_path / "advisories.sqlite") == 21)
        final = digest_of(tmp_path / "advisories.sqlite")
        await until(lambda: first.digests[-1] == second.digests[-1] == final)
        await until(lambda: {first.failing == {}, second.failing == {}} & {True})
    assert all(failures == () for told in (first, second) for failures in told.failures)


async def test_who_does_not_get_the_mirror_comes_back_and_complains_of_nothing(tmp_path: Path, server: FeedServer, told: Told) -> None:
    syncer = make_syncer(tmp_path, told, server.url)
    busy = metric("pratique_feed_syncs_total", outcome="busy")
    with open_mirror(tmp_path / "mirror"):
        assert 0 < await syncer.sync(tmp_path / "mirror", tmp_path / "advisories.sqlite") <= 60
    assert metric("pratique_feed_syncs_total", outcome="busy") == busy + 1
    assert syncer.failing.current == ()
    assert server.seen == []


async def test_the_mirror_is_nobody_elses_while_it_is_compiled(tmp_path: Path, server: FeedServer, told: Told) -> None:
    syncer = make_syncer(tmp_path, told, server.url)
    task = asyncio.create_task(syncer.sync(tmp_path / "mirror", tmp_path / "advisories.sqlite"))
    await until(lambda: left_behind(tmp_path))
    with pytest.raises(FeedUnavailable, match="another update"), open_mirror(tmp_path / "mirror"):
        pass
    await task
    assert advisories_in(tmp_path / "advisories.sqlite") == 20


async def test_a_compilation_that_is_cancelled_leaves_nothing(tmp_path: Path, server: FeedServer, told: Told) -> None:
    syncer = make_syncer(tmp_path, told, server.url)
    task = asyncio.create_task(syncer.sync(tmp_path / "mirror", tmp_path / "advisories.sqlite"))
    await until(lambda: left_behind(tmp_path))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {path.name for path in tmp_path.iterdir()} == {"mirror"}
    with open_mirror(tmp_path / "mirror"):
        pass  # its lock is free


async def test_what_a_killed_advisor_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".advisories.sqlite.sync"
    (left / ".advisories.sqlite.x").mkdir(parents=True)
    (left / "advisories.sqlite").write_bytes(b"half")
    answer = await compile_mirror(EXTRACT, tmp_path / "advisories.sqlite")
    assert answer.digest == digest_of(tmp_path / "advisories.sqlite")
    assert left_behind(tmp_path) == set()


async def test_the_child_compiles_what_the_command_compiles(tmp_path: Path) -> None:
    report = compile_database(EXTRACT, tmp_path / "by-command.sqlite")
    answer = await compile_mirror(EXTRACT, tmp_path / "advisories.sqlite")
    assert (answer.digest, answer.bytes, answer.advisories) == (str(report.digest), report.size, report.advisories)
    assert (tmp_path / "by-command.sqlite").read_bytes() == (tmp_path / "advisories.sqlite").read_bytes()


@pytest.mark.parametrize(
    ("limits", "kind", "reason"),
    [
        (CompileLimits(memory_bytes=64 * 1024 * 1024), LimitExceeded, "bytes of memory"),
        (CompileLimits(disk_bytes=64 * 1024), DatabaseUnavailable, "cannot be written"),
        (CompileLimits(seconds=0.05), LimitExceeded, "given up"),
    ],
)
async def test_a_compilation_that_takes_too_much_is_ended(
    tmp_path: Path, limits: CompileLimits, kind: type[Exception], reason: str
) -> None:
    records: list[dict[str, Any] | bytes] = [osv_record(f"PYSEC-{number}", details="x" * 200_000) for number in range(200)]
    huge = osv_record("PYSEC-HUGE", summary="y" * 7_000_000, references=[{"url": f"https://a/{number}"} for number in range(150_000)])
    write_mirror(tmp_path / "mirror", PyPI=[*records, huge])
    target = tmp_path / "advisories.sqlite"
    target.write_bytes(b"the old one")
    with pytest.raises(kind, match=reason):
        await compile_mirror(tmp_path / "mirror", target, limits=limits)
    assert target.read_bytes() == b"the old one"
    assert left_behind(tmp_path) == set()


async def test_a_compilation_into_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot be written"):
        await compile_mirror(EXTRACT, tmp_path / "gone" / "advisories.sqlite")


async def test_a_mirror_of_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    with pytest.raises(InvalidAdvisory, match="found none"):
        await compile_mirror(tmp_path / "mirror", tmp_path / "advisories.sqlite")


async def test_a_failure_is_logged_when_it_begins_and_when_it_ends(
    tmp_path: Path, server: FeedServer, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    syncer = make_syncer(tmp_path, told, server.url)
    failed = metric("pratique_feed_failures_total", feed="kev")
    server.always[KEV] = status(418)
    for _ in range(3):
        await syncer.sync(tmp_path / "mirror", tmp_path / "advisories.sqlite")
    first = syncer.failing.current
    del server.always[KEV]
    await syncer.sync(tmp_path / "mirror", tmp_path / "advisories.sqlite")
    output = capsys.readouterr().out
    assert output.count("feed.failed") == output.count("feed.recovered") == 1
    assert metric("pratique_feed_failures_total", feed="kev") == failed + 3
    assert [(failure.name, "418" in failure.reason) for failure in first] == [("kev", True)]
    assert syncer.failing.current == ()


async def test_how_long_a_feed_fails_survives_a_restart(tmp_path: Path, server: FeedServer) -> None:
    server.always[KEV] = status(418)
    mirror, target = tmp_path / "mirror", tmp_path / "advisories.sqlite"
    await make_syncer(tmp_path, Told(), server.url).sync(mirror, target)
    states = json.loads((mirror / "feeds.json").read_text())
    states["feeds"]["kev"]["failing_since"] = "2026-01-01T00:00:00Z"
    (mirror / "feeds.json").write_text(json.dumps(states))
    again = make_syncer(tmp_path, Told(), server.url)
    await again.sync(mirror, target)
    assert [(failure.name, failure.since) for failure in again.failing.current] == [("kev", "2026-01-01T00:00:00Z")]


async def test_a_feed_that_is_no_longer_asked_for_fails_no_more(tmp_path: Path, server: FeedServer, told: Told) -> None:
    server.always[KEV] = status(418)
    mirror, target = tmp_path / "mirror", tmp_path / "advisories.sqlite"
    await make_syncer(tmp_path, told, server.url).sync(mirror, target)
    raw = {"feeds": {"mirror": "mirror", "enabled": ["osv"], "urls": {"osv": server.url}}}
    fewer = make_syncer(tmp_path, told, server.url, settings=parse_settings(raw, {}, base=tmp_path))
    await fewer.sync(mirror, target)
    assert fewer.failing.current == ()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"feeds": {"mirror": "mirror"}}, "set advisories"),
        ({"feeds": {"mirror": "mirror"}, "advisories": "gone/advisories.sqlite"}, "this process may write"),
        ({"feeds": {"mirror": "mirror"}, "advisories": "folder"}, "is a folder"),
        ({"feeds": {"mirror": "file"}, "advisories": "advisories.sqlite"}, "is a file"),
        (
            {"feeds": {"mirror": "mirror", "enabled": ["osv"], "urls": {"osv": "nowhere"}}, "advisories": "a.sqlite"},
            "https URL or a directory",
        ),
        ({"feeds": {"mirror": "mirror", "ecosystems": ["../npm"]}, "advisories": "a.sqlite"}, "expected a name of OSV"),
    ],
)
async def test_settings_that_do_not_fit_together_end_it_at_start(tmp_path: Path, told: Told, raw: dict[str, Any], reason: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    syncer = make_syncer(tmp_path, told, None, settings=parse_settings(raw, {}, base=tmp_path))
    async with asyncio.timeout(10):
        with pytest.raises(SettingsError, match=reason):
            await syncer.run()


async def test_a_directory_that_goes_later_ends_nothing(tmp_path: Path, told: Told) -> None:
    shutil.copytree(EXTRACT, tmp_path / "source")
    (tmp_path / "source" / "ecosystems.txt").write_text("".join(f"{path.name}\n" for path in EXTRACT.iterdir() if path.is_dir()))
    raw = {"feeds": {"mirror": "mirror", "interval": 0.2, "enabled": ["osv"], "urls": {"osv": "source"}}, "advisories": "advisories.sqlite"}
    syncer = make_syncer(tmp_path, told, None, settings=parse_settings(raw, {}, base=tmp_path))
    async with running(syncer):
        await until(lambda: told.digests)
        shutil.rmtree(tmp_path / "source")
        await until(lambda: "mirror" in (told.failing or {}))
    assert "a directory" in (told.failing or {})["mirror"]


async def test_without_an_advisory_database_nothing_is_done(tmp_path: Path, told: Told) -> None:
    settings = parse_settings({}, {}, base=tmp_path)
    check_settings(settings)
    async with running(make_syncer(tmp_path, told, None, settings=settings)):
        await asyncio.sleep(0.1)
    assert (told.digests, told.failures) == ([], [])
