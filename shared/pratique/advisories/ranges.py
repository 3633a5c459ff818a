"""Affected ranges, evaluated as the OSV schema's algorithm says and kept as intervals that a look-up can walk quickly.

Source: OSV schema, "Evaluation". A range's events, sorted by version, switch `vulnerable` on and off: `introduced` at its version, `fixed` off at its
version, `last_affected` off just above it, and a version at or above every `limit` is outside. A version is affected if it is listed or if any
range holds it. Both range types are compared by the ecosystem's own scheme, which is SemVer wherever publishers use type SEMVER.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import msgspec

from pratique.advisories.advisory import Affected, Event, EventKind
from pratique.advisories.versions import SortKey, sort_key
from pratique.errors import InvalidAdvisory, InvalidVersion

MAX_POINTS = 200_000  # events and listed versions of one package in one record; protects the sort and a row's size

# The values below are without the collector of cycles (`gc=False`): none can be in one, and there are thousands of them.


class Interval(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """Affected versions from `low` (None: the first) to `high` (None: all later ones), `high` itself being affected only if `closed`."""

    low: str | None
    high: str | None
    closed: bool = False


class AffectedVersions(msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """Which versions of a package one advisory affects: what a database row holds.

    `versions` are those that are listed and in no interval. `fixes` are the stated fixed versions, in ascending order, that are not affected themselves.
    """

    intervals: tuple[Interval, ...]
    versions: tuple[str, ...]
    fixes: tuple[str, ...]

    def encode(self) -> bytes:
        """Serialise for a database row."""
        return _ENCODER.encode(self)

    @staticmethod
    def decode(content: bytes) -> AffectedVersions:
        """Read what `encode` wrote.

        Raises InvalidAdvisory.
        """
        try:
            return _DECODER.decode(content)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise InvalidAdvisory(f"stored ranges cannot be read: {error}") from error


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(AffectedVersions)


class VersionSet:
    """AffectedVersions, ready to be asked.

    Sort keys are made when they are needed: of most advisories about a package the first bound already tells that its version is not affected. `sort_key` keeps them.
    """

    __slots__ = ("_affected", "_ecosystem", "_listed")

    def __init__(self, ecosystem: str, affected: AffectedVersions) -> None:
        self._affected = affected
        self._ecosystem = ecosystem
        self._listed: frozenset[SortKey] | None = None

    def holds(self, key: SortKey) -> bool:
        """Tell whether the version with this key is affected.

        Raises InvalidAdvisory if a bound is no version.
        """
        affected = self._affected
        try:
            for interval in affected.intervals:
                if self._is_inside(key, interval):
                    return True
            return bool(affected.versions) and key in self._listed_keys()
        except InvalidVersion as error:
            raise InvalidAdvisory(f"stored ranges cannot be read: {error}") from error

    def names(self, version: str) -> bool:
        """Tell whether `version`, which has no place in the order, is listed letter by letter."""
        return version in self._affected.versions and _listed_key(self._ecosystem, version) is None

    def fix_above(self, key: SortKey) -> str | None:
        """The lowest fixed version above the one with this key that is not affected itself, or None.

        Raises InvalidAdvisory as `holds` does.
        """
        try:
            return next((version for version in self._affected.fixes if key < sort_key(self._ecosystem, version)), None)
        except InvalidVersion as error:
            raise InvalidAdvisory(f"stored ranges cannot be read: {error}") from error

    def _is_inside(self, key: SortKey, interval: Interval) -> bool:
        if interval.low is not None and key < sort_key(self._ecosystem, interval.low):
            return False
        if interval.high is None:
            return True
        end = sort_key(self._ecosystem, interval.high)
        return key < end or (interval.closed and key == end)

    def _listed_keys(self) -> frozenset[SortKey]:
        if self._listed is None:
            self._listed = frozenset(
                key for version in self._affected.versions if (key := _listed_key(self._ecosystem, version)) is not None
            )
        return self._listed


def evaluate_affected(entries: Sequence[Affected]) -> tuple[AffectedVersions, tuple[Interval, ...]]:
    """Join all that one advisory says about one package, given as entries of one ecosystem and release.

    Answers, too, an interval for each range that is left out because a bound of its is no version there: what it may hold, for all that can be read of it. Raises
    InvalidAdvisory for more points than MAX_POINTS.
    """
    ecosystem = entries[0].ecosystem
    if sum(len(entry.versions) + sum(map(len, entry.ranges)) for entry in entries) > MAX_POINTS:
        raise InvalidAdvisory(f"more than {MAX_POINTS} events and versions for {entries[0].name}")
    intervals: list[Interval] = []
    doubtful: list[Interval] = []
    fixes: set[str] = set()
    for events in (events for entry in entries for events in entry.ranges):
        try:
            intervals += _intervals(ecosystem, events)
        except InvalidVersion:
            doubtful.append(_hull(ecosystem, events))
        else:
            fixes.update(event.version for event in events if event.kind is EventKind.FIXED)
    listed = dict.fromkeys(version for entry in entries for version in entry.versions)
    return _joined(ecosystem, tuple(dict.fromkeys(intervals)), listed, fixes), tuple(doubtful)


def _joined(ecosystem: str, intervals: tuple[Interval, ...], listed: Iterable[str], fixes: Iterable[str]) -> AffectedVersions:
    ranges = VersionSet(ecosystem, AffectedVersions(intervals=intervals, versions=(), fixes=()))
    versions = tuple(sorted(version for version in listed if not _is_held(ranges, ecosystem, version)))
    everything = VersionSet(ecosystem, AffectedVersions(intervals=intervals, versions=versions, fixes=()))
    good = {key: version for version in sorted(fixes) if not everything.holds(key := sort_key(ecosystem, version))}
    return AffectedVersions(intervals=intervals, versions=versions, fixes=tuple(good[key] for key in sorted(good)))


def _is_held(ranges: VersionSet, ecosystem: str, version: str) -> bool:
    key = _listed_key(ecosystem, version)
    return key is not None and ranges.holds(key)


def _intervals(ecosystem: str, events: Sequence[Event]) -> list[Interval]:
    """Run the algorithm once over the sorted events, and note where it switches."""
    limit = _limit(ecosystem, events)
    ordered = sorted(
        (event for event in events if event.kind is not EventKind.LIMIT),
        key=lambda event: (event.version != "0", *_event_key(ecosystem, event)),
    )
    found: list[Interval] = []
    low: Event | None = None
    for event in ordered:
        if event.kind is EventKind.INTRODUCED:
            low = low or event
        elif low is not None:
            found.append(Interval(low=low.version, high=event.version, closed=event.kind is EventKind.LAST_AFFECTED))
            low = None
    if low is not None:
        found.append(Interval(low=low.version, high=None))
    cut = (_cut(ecosystem, interval, limit) for interval in found)
    return [_open_below(interval) for interval in cut if not _is_empty(ecosystem, interval)]


def _hull(ecosystem: str, events: Sequence[Event]) -> Interval:
    """What a range may hold of which not every bound can be read: from its lowest beginning to its highest end; open where one of these cannot be read or is missing.

    Publishers state beginnings and ends in pairs. Limits, which only take away, are passed over.
    """
    starts = [event.version for event in events if event.kind is EventKind.INTRODUCED]
    ends = [event for event in events if event.kind in {EventKind.FIXED, EventKind.LAST_AFFECTED}]
    is_known = "0" not in starts and all(_is_version(ecosystem, version) for version in starts)
    low = min(starts, key=partial(sort_key, ecosystem), default=None) if is_known else None
    if len(ends) < max(len(starts), 1) or not all(_is_version(ecosystem, event.version) for event in ends):
        return Interval(low=low, high=None)
    high = max(ends, key=lambda event: sort_key(ecosystem, event.version))
    return Interval(low=low, high=high.version, closed=high.kind is EventKind.LAST_AFFECTED)


def _is_version(ecosystem: str, version: str) -> bool:
    return _listed_key(ecosystem, version) is not None


def _listed_key(ecosystem: str, version: str) -> SortKey | None:
    try:
        return sort_key(ecosystem, version)
    except InvalidVersion:
        return None


def _event_key(ecosystem: str, event: Event) -> tuple[SortKey, ...]:
    # "0" is OSV's word for "before every version", though it is no version in some schemes; the sort is stable, so ties keep the record's order
    return () if event.version == "0" else (sort_key(ecosystem, event.version),)


def _limit(ecosystem: str, events: Sequence[Event]) -> str | None:
    limits = [event.version for event in events if event.kind is EventKind.LIMIT]
    if not limits or "*" in limits:
        return None
    return max(limits, key=lambda version: sort_key(ecosystem, version))


def _cut(ecosystem: str, interval: Interval, limit: str | None) -> Interval:
    if limit is None or (interval.high is not None and sort_key(ecosystem, interval.high) < sort_key(ecosystem, limit)):
        return interval
    return Interval(low=interval.low, high=limit)


def _open_below(interval: Interval) -> Interval:
    return Interval(low=None, high=interval.high, closed=interval.closed) if interval.low == "0" else interval


def _is_empty(ecosystem: str, interval: Interval) -> bool:
    if interval.high is None:
        return False
    if interval.low in {None, "0"}:
        return interval.high == "0" and not interval.closed
    low, high = sort_key(ecosystem, interval.low or ""), sort_key(ecosystem, interval.high)
    return high < low or (low == high and not interval.closed)
