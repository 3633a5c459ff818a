"""What fails now in keeping advisories current: told once when it begins and once when it ends, and counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog

from pratique.feeds.health import FeedFailure
from pratique.runtime.metrics import FEEDS_FAILING

_log = structlog.get_logger()


@dataclass(slots=True)
class Failing:
    """Failures by name: those of feeds, and those of our own steps."""

    _feeds: dict[str, FeedFailure] = field(default_factory=dict)
    _steps: dict[str, FeedFailure] = field(default_factory=dict)

    @property
    def current(self) -> tuple[FeedFailure, ...]:
        """What fails now, in the order of names."""
        failures = self._feeds | self._steps
        return tuple(failures[name] for name in sorted(failures))

    def take_feeds(self, failures: Iterable[FeedFailure]) -> None:
        """Take over what the last sync says of all feeds."""
        before = set(self._feeds)
        self._feeds = {failure.name: failure for failure in failures}
        self._tell(before, self._feeds)

    def begin(self, name: str, reason: str) -> None:
        """Note that a step of our own fails; when it began stays."""
        before = set(self._steps)
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        since = self._steps[name].since if name in self._steps else now
        self._steps[name] = FeedFailure(name=name, reason=reason, since=since)
        self._tell(before, self._steps)

    def end(self, name: str) -> None:
        """Note that a step works, again or still."""
        before = set(self._steps)
        self._steps.pop(name, None)
        self._tell(before, self._steps)

    def _tell(self, before: set[str], after: dict[str, FeedFailure]) -> None:
        for name in sorted(after.keys() - before):
            _log.warning("feed.failed", feed=name, reason=after[name].reason, since=after[name].since)
        for name in sorted(before - after.keys()):
            _log.info("feed.recovered", feed=name)
        FEEDS_FAILING.set(len(self._feeds) + len(self._steps))
