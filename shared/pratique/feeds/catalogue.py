"""The feeds that pratique knows besides OSV, one table. A feed says which files it has and how to tell that they are plausible; nothing here reads records."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pratique.errors import InvalidAdvisory, SettingsError
from pratique.feeds.archives import check_csaf_archive, check_osv_archive
from pratique.feeds.checks import Checker, check_debian_tracker, check_epss, check_kev, check_secdb, check_updateinfo
from pratique.feeds.eol import convert_eol
from pratique.feeds.plan import OSV

_MIB = 1024 * 1024
_MAX_RELEASES = 100  # of a distribution; protects from an index that names files without end
_LICENCE = "Chainguard's licence for this data bars use in what competes with Chainguard: take it only if that is settled for you"

ReadPointer = Callable[[str], Awaitable[bytes]]
"""Fetches a small document by its path below the feed's base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFile:
    """A file of a feed: its path below the feed's base (or an address), its place in the mirror, and at most how many bytes it may have.

    `check` tells whether it is plausible, and may replace its content by the form in which the mirror keeps it. An `is_optional` file may be missing at its
    publisher as long as the mirror has none.
    """

    path: str
    place: str
    check: Checker
    limit: int = 64 * _MIB
    is_optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed of whole files below `base`. `locate` names them, after reading what points to them where their names change.

    `redirect_hosts` are those that its publisher is known to redirect to. A feed with a `restriction` is fetched only if it is asked for by name, and so is one that
    `is_extra`: an archive of hundreds of megabytes whose publisher is in OSV's bucket as well, with less detail.
    """

    name: str
    base: str
    locate: Callable[[ReadPointer], Awaitable[Sequence[FeedFile]]]
    redirect_hosts: frozenset[str] = frozenset()
    restriction: str = ""
    is_extra: bool = False


def _fixed(*files: FeedFile) -> Callable[[ReadPointer], Awaitable[Sequence[FeedFile]]]:
    async def locate(_read: ReadPointer) -> Sequence[FeedFile]:
        return files

    return locate


_ALPINE_RELEASE = re.compile(rb'href="/?((?:v\d{1,2}\.\d{1,3})|edge)/?"')


async def _locate_alpine(read: ReadPointer) -> Sequence[FeedFile]:
    """The index page links a folder a release; each has a file a repository, old ones fewer."""
    releases = sorted({found.decode() for found in _ALPINE_RELEASE.findall(await read(""))})
    if not 0 < len(releases) <= _MAX_RELEASES:
        raise InvalidAdvisory(f"expected Alpine's index to link folders such as v3.20/, found {len(releases)}")
    return [
        FeedFile(
            path=f"{release}/{repository}.json",
            place=f"vendor/alpine-secdb/{release}/{repository}.json",
            check=check_secdb,
            limit=16 * _MIB,
            is_optional=True,
        )
        for release in releases
        for repository in ("main", "community")
    ]


_AMAZON_LISTS = {"2": "2/core/2.0/x86_64/mirror.list", "2023": "al2023/core/mirrors/latest/x86_64/mirror.list"}
_UPDATEINFO = re.compile(rb'<data type="updateinfo">.{0,2000}?<location href="(repodata/[A-Za-z0-9._-]{1,200}\.gz)"', re.DOTALL)


async def _locate_amazon(read: ReadPointer) -> Sequence[FeedFile]:
    """The mirror list names the present repository, its repomd.xml the updateinfo. Advisories are the same on all architectures."""
    files = []
    for release, listing in _AMAZON_LISTS.items():
        lines = (await read(listing)).decode("utf-8", "replace").split()
        if not lines or not lines[0].startswith(("https://", "http://")):
            raise InvalidAdvisory(f"expected {listing} to name a repository, got {lines[:1]}")
        repository = lines[0][:500].rstrip("/")
        found = _UPDATEINFO.search(await read(f"{repository}/repodata/repomd.xml"))
        if found is None:
            raise InvalidAdvisory(f"expected repomd.xml of Amazon Linux {release} to name an updateinfo packed with gzip, found none")
        place = f"vendor/amazon-alas/{release}/updateinfo.xml.gz"
        files.append(FeedFile(path=f"{repository}/{found[1].decode()}", place=place, check=check_updateinfo, limit=128 * _MIB))
    return files


_REDHAT_ARCHIVE = re.compile(r"csaf_vex_\d{4}-\d{2}-\d{2}\.tar\.zst")


async def _locate_redhat(read: ReadPointer) -> Sequence[FeedFile]:
    name = (await read("archive_latest.txt")).decode("utf-8", "replace").strip()
    if not _REDHAT_ARCHIVE.fullmatch(name):
        raise InvalidAdvisory(f"expected archive_latest.txt to name csaf_vex_DATE.tar.zst, got {name[:80]!r}")
    return [FeedFile(path=name, place="vendor/redhat-csaf/csaf_vex.tar.zst", check=check_csaf_archive, limit=2048 * _MIB)]


def _secdb_of(path: str, name: str) -> FeedFile:
    return FeedFile(path=path, place=f"vendor/{name}/security.json", check=check_secdb)


CATALOGUE: tuple[Feed, ...] = (
    Feed(
        name="kev",
        base="https://www.cisa.gov/sites/default/files/feeds/",
        locate=_fixed(FeedFile(path="known_exploited_vulnerabilities.json", place="kev.json", check=check_kev, limit=32 * _MIB)),
    ),
    Feed(
        name="epss",
        base="https://epss.empiricalsecurity.com/",
        locate=_fixed(FeedFile(path="epss_scores-current.csv.gz", place="epss.csv.gz", check=check_epss)),
    ),
    Feed(
        name="eol",
        base="https://endoflife.date/api/v1/",
        locate=_fixed(FeedFile(path="products/full", place="eol.json", check=convert_eol, limit=32 * _MIB)),
    ),
    Feed(
        name="debian-tracker",
        base="https://security-tracker.debian.org/tracker/data/",
        locate=_fixed(FeedFile(path="json", place="vendor/debian-tracker/tracker.json", check=check_debian_tracker, limit=256 * _MIB)),
    ),
    Feed(
        name="ubuntu-osv",
        base="https://security-metadata.canonical.com/osv/",
        locate=_fixed(
            FeedFile(path="osv-all.tar.xz", place="vendor/ubuntu-osv/osv-all.tar.xz", check=check_osv_archive, limit=1024 * _MIB),
        ),
        is_extra=True,
    ),
    Feed(name="redhat-csaf", base="https://security.access.redhat.com/data/csaf/v2/vex/", locate=_locate_redhat, is_extra=True),
    Feed(
        name="suse-csaf",
        base="https://ftp.suse.com/pub/projects/security/",
        locate=_fixed(  # the documents by CVE: those by update (csaf.tar.bz2) name no flaw without a fix
            FeedFile(path="csaf-vex.tar.bz2", place="vendor/suse-csaf/csaf-vex.tar.bz2", check=check_csaf_archive, limit=2048 * _MIB)
        ),
        is_extra=True,
    ),
    Feed(name="alpine-secdb", base="https://secdb.alpinelinux.org/", locate=_locate_alpine),
    Feed(name="amazon-alas", base="https://cdn.amazonlinux.com/", locate=_locate_amazon),
    Feed(
        name="wolfi-secdb",
        base="https://packages.wolfi.dev/os/",
        locate=_fixed(_secdb_of("security.json", "wolfi-secdb")),
        restriction=_LICENCE,
    ),
    Feed(
        name="chainguard-secdb",
        base="https://packages.cgr.dev/chainguard/",
        locate=_fixed(_secdb_of("security.json", "chainguard-secdb")),
        restriction=_LICENCE,
    ),
)

FEED_NAMES = (OSV, *(feed.name for feed in CATALOGUE))
DEFAULT_FEEDS = (OSV, *(feed.name for feed in CATALOGUE if not (feed.restriction or feed.is_extra)))
RESTRICTED_ECOSYSTEMS = {"Wolfi": _LICENCE, "Chainguard": _LICENCE}
"""Ecosystems of OSV's bucket with the same publisher's data, which are fetched only if they are asked for by name."""


def restriction_of(name: str) -> str:
    """Say why a feed or an ecosystem is fetched only if it is asked for by name; empty for others."""
    return RESTRICTED_ECOSYSTEMS.get(name, "") or next((feed.restriction for feed in CATALOGUE if feed.name == name), "")


def check_names(names: Sequence[str], what: str) -> None:
    """Make sure that every name is a feed's.

    Raises SettingsError, naming those there are.
    """
    if unknown := sorted(set(names) - set(FEED_NAMES)):
        raise SettingsError(f"{what}: there is no feed {unknown[0][:80]!r}; there are {', '.join(FEED_NAMES)}")
