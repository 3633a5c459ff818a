"""`pratique advisories update`, as it is run."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pratique.advisories.database import AdvisoryDatabase
from tests.support.feed_server import FeedServer, feed_server, osv_record, status


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with feed_server() as running:
        running.put_bucket("PyPI", [osv_record(f"PYSEC-{number}") for number in range(50)])
        running.put_bucket("npm", [osv_record("GHSA-1", ecosystem="npm")])
        yield running


async def run(*arguments: str | Path, **environment: str) -> tuple[int, str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PRATIQUE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pratique_services.cli", "advisories", *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=clean | environment,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_mirror_is_synced_compiled_and_compiled_again_only_after_a_change(tmp_path: Path, server: FeedServer) -> None:
    command = ("update", tmp_path / "mirror", "-o", tmp_path / "advisories.sqlite", "--osv", server.url, "--feed", "osv")
    code, out, err = await run(*command)
    assert (code, err) == (0, "")
    assert "osv/PyPI" in out
    assert "51 advisories" in out
    await asyncio.sleep(1)  # a change and a compilation within one second are compiled once more
    (tmp_path / "advisories.sqlite").touch()
    code, out, _ = await run(*command)
    assert (code, out.splitlines()[-2:]) == (
        0,
        ["3 feeds: 0 updated, 0 failed", f"{tmp_path / 'advisories.sqlite'} is up to date"],
    )
    server.put_bucket("npm", [osv_record("GHSA-1", ecosystem="npm"), osv_record("GHSA-2", "2025-01-01T00:00:00Z", ecosystem="npm")])
    assert (await run("update", tmp_path / "mirror", "--osv", server.url, "--feed", "osv"))[0] == 0
    code, out, _ = await run(*command)
    assert (code, "52 advisories" in out) == (0, True)
    (tmp_path / "advisories.sqlite").unlink()
    assert (await run(*command))[0] == 0
    AdvisoryDatabase.open(tmp_path / "advisories.sqlite").close()


async def test_a_feed_that_fails_is_exit_3_and_the_others_are_compiled(tmp_path: Path, server: FeedServer) -> None:
    server.always["npm/all.zip"] = status(404)
    code, out, err = await run("update", tmp_path / "mirror", "-o", tmp_path / "db.sqlite", "--osv", server.url, "--feed", "osv")
    assert code == 3
    assert (
        err
        == f"pratique: osv/npm: {server.url}/npm/all.zip: 404 Not Found: is 'npm' an ecosystem of OSV? ecosystems.txt in the mirror lists them\n"
    )
    assert "50 advisories" in out
    code, out, err = await run("status", "--mirror", tmp_path / "mirror")
    assert code == 0
    assert "404 Not Found" in out


async def test_the_settings_say_which_feeds_and_where(tmp_path: Path, server: FeedServer) -> None:
    server.put_kev(3)
    (tmp_path / "pratique.yaml").write_text(f"feeds:\n  mirror: mirror\n  enabled: [kev]\n  urls: {{kev: '{server.url}/kev/'}}\n")
    code, _, err = await run("update", PRATIQUE_CONFIG=str(tmp_path / "pratique.yaml"))
    assert (code, err) == (0, "")
    assert (tmp_path / "mirror/kev.json").is_file()
    server.put_kev(2)
    code, _, err = await run("update", PRATIQUE_CONFIG=str(tmp_path / "pratique.yaml"))
    assert code == 3
    assert "--accept-shrink 'kev'" in err
    assert (await run("update", "--accept-shrink", "kev", PRATIQUE_CONFIG=str(tmp_path / "pratique.yaml")))[0] == 0


async def test_a_feed_with_a_restriction_says_so_when_it_is_taken(tmp_path: Path, server: FeedServer) -> None:
    server.put_bucket("Wolfi", [osv_record("CGA-1")])
    code, out, err = await run("update", tmp_path / "mirror", "--osv", server.url, "--feed", "osv")
    assert "left out: Wolfi (Chainguard's licence" in out
    code, out, err = await run("update", tmp_path / "mirror", "--osv", server.url, "--feed", "osv", "--ecosystem", "Wolfi")
    assert (code, "Wolfi: Chainguard's licence" in err) == (0, True)


@pytest.mark.parametrize(
    "arguments", [(), ("--feed", "nvd"), ("--ecosystem", "Debian:11"), ("--osv", "http://feeds.example/"), ("--accept-shrink", "x")]
)
async def test_wrong_usage_is_exit_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    mirror = (tmp_path / "mirror",) if arguments else ()
    code, _, err = await run("update", *mirror, *arguments)
    assert code == 2
    assert err.startswith("pratique: ")
