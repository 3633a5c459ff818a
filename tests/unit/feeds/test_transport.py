"""Where feeds may lead, and the mirror folder's own rules."""

from __future__ import annotations

import time
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from pratique.errors import FeedUnavailable, InputError, RefusedError, SettingsError
from pratique.feeds.download import parse_modified
from pratique.feeds.folder import open_mirror
from pratique.feeds.plan import SyncLimits
from pratique.feeds.transport import FeedTransport, parse_address, shown

START = URL("https://feeds.example/a")


async def led(target: str) -> URL:
    async with aiohttp.ClientSession() as session:
        return FeedTransport(session, SyncLimits(), frozenset({"cdn.example"})).check_own(START, URL(target))


@pytest.mark.parametrize("target", ["https://feeds.example/b", "https://cdn.example/c", "https://feeds.example:443/d"])
async def test_a_feed_may_lead_to_its_own_host_and_to_hosts_that_are_named(target: str) -> None:
    assert await led(target) == URL(target)


@pytest.mark.parametrize(
    "target",
    [
        "http://feeds.example/b",
        "https://feeds.example:8443/b",
        "https://other.example/b",
        "http://cdn.example/c",
        "https://feeds.example.evil.example/",
    ],
)
async def test_a_feed_leads_nowhere_else(target: str) -> None:
    with pytest.raises(RefusedError, match=r"feeds\.redirect_hosts"):
        await led(target)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://feeds.example/", "https://user@feeds.example/b", "/relative"])
async def test_what_is_no_http_address_is_not_asked(target: str) -> None:
    with pytest.raises(InputError, match="no http URL"):
        await led(target)


@pytest.mark.parametrize("address", ["https://feeds.example", "http://127.0.0.1:8000/x", "http://localhost/", "http://[::1]:1/"])
def test_plain_http_is_for_this_machine_alone(address: str) -> None:
    assert parse_address(address, "osv") == URL(address)


@pytest.mark.parametrize(
    "address", ["http://feeds.example", "ftp://x", "https://", "https://u:p@feeds.example", "http://[", "http://127.0.0.1.example/"]
)
def test_other_addresses_are_mistakes_in_the_settings(address: str) -> None:
    with pytest.raises(SettingsError, match=r"^osv: expected"):
        parse_address(address, "osv")


def test_messages_show_no_query() -> None:
    assert shown(URL("https://feeds.example/a?signature=secret#x")) == "https://feeds.example/a"


def test_what_a_killed_update_left_behind_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".update-old/osv").mkdir(parents=True)
    (tmp_path / ".update-file").write_bytes(b"x")
    with open_mirror(tmp_path) as staging:
        assert {path.name for path in tmp_path.iterdir()} == {staging.name, ".update.lock"}
        with pytest.raises(FeedUnavailable, match="under way"), open_mirror(tmp_path):
            pass
    assert [path.name for path in tmp_path.iterdir()] == [".update.lock"]


def test_a_mirror_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FeedUnavailable, match="cannot be written"), open_mirror(tmp_path / "file"):
        pass


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sat, 02 Mar 2024 01:00:00 GMT", 1709341200),
        ("Saturday, 02-Mar-24 01:00:00 GMT", 1709341200),
        ("Sat Mar  2 01:00:00 2024", 1709341200),
        ("", None),
        ("yesterday", None),
        ("Sat, 02 Mar 1969 01:00:00 GMT", None),
        ("Sat, 99 Mar 2024 01:00:00 GMT", None),
        ("Sat, 02 Mar 2024 01:00:00 +99999999", None),
        ("9" * 1000, None),
    ],
)
def test_a_time_of_change_is_read_in_all_forms_that_http_has(text: str, seconds: int | None) -> None:
    assert parse_modified(text) == seconds


def test_a_time_of_change_in_the_future_is_now() -> None:
    assert abs((parse_modified("Sat, 02 Mar 2999 01:00:00 GMT") or 0) - time.time()) < 60
