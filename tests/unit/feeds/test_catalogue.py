"""The table of feeds, and what the settings may say of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import get_args

import pytest
from yarl import URL

from pratique.errors import InvalidAdvisory
from pratique.feeds.catalogue import CATALOGUE, DEFAULT_FEEDS, FEED_NAMES, FeedFile, restriction_of
from pratique.feeds.configured import plan_of
from pratique.runtime.settings import FeedName, FeedsSettings

ALPINE = b'<a href="../">../</a> <a href="v3.9/">v3.9/</a> <a href="edge/">edge/</a> <a href="last-update">'
GUID = "https://cdn.amazonlinux.com/2/core/2.0/x86_64/0123abcd"
REPOMD = (
    b'<repomd><data type="primary"><location href="repodata/primary.xml.gz"/></data>'
    b'<data type="updateinfo"><checksum>x</checksum><location href="repodata/0-updateinfo.xml.gz"/></data></repomd>'
)


def located(name: str, answers: Mapping[str, bytes]) -> Sequence[FeedFile]:
    feed = next(feed for feed in CATALOGUE if feed.name == name)

    async def read(path: str) -> bytes:
        return answers[path]

    async def locate() -> Sequence[FeedFile]:
        return await feed.locate(read)

    return asyncio.run(locate())


def test_the_settings_know_the_same_feeds() -> None:
    assert get_args(FeedName) == FEED_NAMES
    assert len(set(FEED_NAMES)) == len(FEED_NAMES)


def test_every_address_is_by_https() -> None:
    assert {URL(feed.base).scheme for feed in CATALOGUE} == {"https"}


def test_archives_of_what_osv_has_too_are_taken_only_by_name() -> None:
    assert {feed.name for feed in CATALOGUE if feed.is_extra} == {"ubuntu-osv", "redhat-csaf", "suse-csaf"}
    assert not {feed.name for feed in CATALOGUE if feed.is_extra} & set(DEFAULT_FEEDS)
    assert restriction_of("redhat-csaf") == ""


def test_feeds_whose_licence_bars_competing_use_are_taken_only_by_name() -> None:
    assert not {"wolfi-secdb", "chainguard-secdb"} & set(DEFAULT_FEEDS)
    assert set(DEFAULT_FEEDS) < set(FEED_NAMES)
    assert all("licence" in restriction_of(name) for name in ("wolfi-secdb", "chainguard-secdb", "Wolfi", "Chainguard"))
    assert restriction_of("Debian") == restriction_of("kev") == ""
    assert plan_of(FeedsSettings()).feeds is None


def test_alpine_has_two_files_a_release() -> None:
    files = located("alpine-secdb", {"": ALPINE})
    assert [file.path for file in files] == ["edge/main.json", "edge/community.json", "v3.9/main.json", "v3.9/community.json"]
    assert files[3].place == "vendor/alpine-secdb/v3.9/community.json"


def test_amazon_s_updateinfo_is_found_by_way_of_the_mirror_list() -> None:
    other = "https://cdn.amazonlinux.com/al2023/core/guids/99/x86_64"
    files = located(
        "amazon-alas",
        {
            "2/core/2.0/x86_64/mirror.list": GUID.encode() + b"\n",
            "al2023/core/mirrors/latest/x86_64/mirror.list": other.encode() + b"/\n",
            f"{GUID}/repodata/repomd.xml": REPOMD,
            f"{other}/repodata/repomd.xml": REPOMD,
        },
    )
    assert [(file.path, file.place) for file in files] == [
        (f"{GUID}/repodata/0-updateinfo.xml.gz", "vendor/amazon-alas/2/updateinfo.xml.gz"),
        (f"{other}/repodata/0-updateinfo.xml.gz", "vendor/amazon-alas/2023/updateinfo.xml.gz"),
    ]


def test_red_hat_s_archive_is_named_by_a_text() -> None:
    (file,) = located("redhat-csaf", {"archive_latest.txt": b"csaf_vex_2026-01-02.tar.zst\n"})
    assert (file.path, file.place) == ("csaf_vex_2026-01-02.tar.zst", "vendor/redhat-csaf/csaf_vex.tar.zst")


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("alpine-secdb", {"": b"<html>maintenance</html>"}),
        ("alpine-secdb", {"": b"".join(b'href="v3.%d/"' % number for number in range(999))}),
        ("redhat-csaf", {"archive_latest.txt": b"../../etc/passwd"}),
        ("redhat-csaf", {"archive_latest.txt": b""}),
        ("amazon-alas", {"2/core/2.0/x86_64/mirror.list": b"<html>"}),
        ("amazon-alas", {"2/core/2.0/x86_64/mirror.list": GUID.encode(), f"{GUID}/repodata/repomd.xml": b"<repomd/>"}),
    ],
)
def test_a_pointer_of_another_form_is_refused(name: str, answers: Mapping[str, bytes]) -> None:
    with pytest.raises(InvalidAdvisory, match="expected"):
        located(name, answers)


def test_suse_s_documents_are_those_by_cve_which_name_flaws_without_a_fix() -> None:
    (file,) = located("suse-csaf", {})
    assert file.path == "csaf-vex.tar.bz2"
