"""What a sync is to do, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pratique.feeds.state import FeedState

OSV = "osv"
OSV_BUCKET = "https://osv-vulnerabilities.storage.googleapis.com"

Progress = Callable[[str, int, int], None]
"""Called with a feed's name, the bytes of the present file that came and all it has (0: not known)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncLimits:
    """What one sync may cost. Times are in seconds.

    `total_seconds` bounds a sync and `feed_seconds` each feed; `stall_seconds` the wait for the next bytes, and `rate_bytes` a second, measured over
    `rate_seconds`, keeps a server that trickles from holding a sync until then. `attempts` are those of one file, with pauses of at most `pause_seconds`.
    `total_bytes` bounds what comes over the network (the disk), `bytes_share` scales the limits of all files: tests make them small. `loose_records` and `loose_bytes` (memory) bound what is fetched record by record.
    """

    total_seconds: float = 3600
    feed_seconds: float = 1800
    connect_seconds: float = 15
    stall_seconds: float = 30
    rate_bytes: int = 16 * 1024
    rate_seconds: float = 20
    attempts: int = 4
    pause_seconds: float = 30
    backoff_seconds: float = 1
    redirects: int = 5
    total_bytes: int = 16 * 1024**3
    bytes_share: float = 1.0
    loose_records: int = 400
    loose_bytes: int = 64 * 1024 * 1024
    loose_at_once: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPlan:
    """Which feeds to bring up to date, and from where.

    `feeds` are names of the catalogue, among them `osv`; None means all that need no opting in. `ecosystems` are OSV's names without release; none means all
    but the restricted ones. `urls` moves a feed to another address, or to a directory, of the same layout. `redirect_hosts` are hosts, besides a feed's own, that may be redirected to. A file that loses more than `max_shrink` of
    its records (a share of 1) is refused, unless its feed is in `accept_shrink` (`osv/npm`, `kev`).
    """

    ecosystems: tuple[str, ...] = ()
    feeds: tuple[str, ...] | None = None
    urls: Mapping[str, str] = field(default_factory=dict)
    redirect_hosts: frozenset[str] = frozenset()
    accept_shrink: frozenset[str] = frozenset()
    max_shrink: float = 0.2
    concurrency: int = 4
    limits: SyncLimits = SyncLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedOutcome:
    """What became of one feed: whether a file of it was replaced, and its state as recorded."""

    name: str
    is_changed: bool
    state: FeedState


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateReport:
    """What a sync did, by feed name. `left_out` names OSV's ecosystems that are taken only when asked for by name, because of their licence."""

    feeds: tuple[FeedOutcome, ...]
    left_out: tuple[str, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Tell whether any file of the mirror was replaced."""
        return any(feed.is_changed for feed in self.feeds)

    @property
    def failed(self) -> tuple[FeedOutcome, ...]:
        """The feeds that could not be brought up to date, wholly or in part."""
        return tuple(feed for feed in self.feeds if feed.state.error)
