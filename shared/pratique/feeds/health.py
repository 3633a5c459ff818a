"""Which feeds could not be brought up to date, why, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pratique.feeds.state import FeedState

MIRROR, COMPILATION, DATABASE = "mirror", "compilation", "database"
OWN_STEPS = frozenset({MIRROR, COMPILATION, DATABASE})
"""Stand among the feeds that fail when no feed could be synced because of the folder itself, the mirror could not be compiled, the compiled file not be put in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFailure:
    """A feed whose last sync failed, wholly or in part: it keeps what it had.

    `since` is when the first of the syncs that failed ended, `last_success` when it was last brought up to date wholly; both ISO 8601 in UTC, empty for not known
    and never.
    """

    name: str
    reason: str
    since: str
    last_success: str = ""


def failures_of(states: Mapping[str, FeedState]) -> tuple[FeedFailure, ...]:
    """Give the failures among states of feeds, in the order of their names."""
    return tuple(
        FeedFailure(name=name, reason=state.error, since=state.failing_since or state.last_attempt, last_success=state.last_success)
        for name, state in sorted(states.items())
        if state.error
    )
