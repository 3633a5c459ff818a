"""Coverage: what was read, what was not, and why. What could not be read is never clean."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class CoverageStatus(enum.StrEnum):
    """How much of the input was read."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageItem:
    """What one analyzer, layer or feed did. `reason` is empty only when the status is complete.

    `path` is the file that a gap of a single layer is about, empty otherwise: where a higher layer removes that file, there is no gap.
    """

    name: str
    version: str
    status: CoverageStatus
    reason: str = ""
    path: str = ""

    def __post_init__(self) -> None:
        if self.status is not CoverageStatus.COMPLETE and not self.reason:
            raise ValueError(f"coverage of {self.name} is {self.status} without a reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """A feed's name (`Debian`) and the newest `modified` of its records, RFC 3339. `failure` says why it could not be synced since, where it could not."""

    name: str
    updated: str
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The sum of what was read."""

    items: tuple[CoverageItem, ...]
    feeds: tuple[FeedState, ...] = ()

    @property
    def status(self) -> CoverageStatus:
        """`complete` if all is, `failed` if nothing is or nothing was asked for, else `partial`."""
        found = {item.status for item in self.items}
        if found == {CoverageStatus.COMPLETE}:
            return CoverageStatus.COMPLETE
        if CoverageStatus.COMPLETE in found or CoverageStatus.PARTIAL in found:
            return CoverageStatus.PARTIAL
        return CoverageStatus.FAILED

    @property
    def gaps(self) -> tuple[CoverageItem, ...]:
        """The items that are not complete."""
        return tuple(item for item in self.items if item.status is not CoverageStatus.COMPLETE)

    def with_items(self, items: Iterable[CoverageItem], feeds: Iterable[FeedState] = ()) -> Coverage:
        """The same coverage with more items and feeds."""
        return Coverage(items=(*self.items, *items), feeds=(*self.feeds, *feeds))
