"""Compares what is said about a package with what was: what appeared, what changed, what ended. Pure."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from pratique.findings import Finding
from pratique.storage.text import clean_text


class ChangeKind(enum.StrEnum):
    """What became of a match. `renamed`: the same flaw goes on under another advisory's id."""

    APPEARED = "appeared"
    REOPENED = "reopened"
    WORSENED = "worsened"
    EASED = "eased"
    EXPLOITED = "exploited"
    FIX_AVAILABLE = "fix-available"
    RESOLVED = "resolved"
    RETRACTED = "retracted"
    RENAMED = "renamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageMatch:
    """What an advisory database says about a package: its findings, and what it could not answer (empty: nothing)."""

    package_id: int
    findings: tuple[Finding, ...]
    gap: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMatch:
    """A match as it is stored; `resolved_at` is None while it lasts."""

    advisory_id: int
    finding: Finding
    first_seen: dt.datetime
    resolved_at: dt.datetime | None

    @property
    def is_open(self) -> bool:
        """Tell whether the package is still affected."""
        return self.resolved_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchChange:
    """What changed about a package: at least one of `before` and `after` is there. Without `kinds`, only the wording did."""

    package_id: int
    kinds: tuple[ChangeKind, ...]
    before: Finding | None
    after: Finding | None

    @property
    def finding(self) -> Finding:
        """What the change is about, as it is now or was last."""
        finding = self.after or self.before
        if finding is None:
            raise AssertionError("a change of nothing")
        return finding


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchWrite:
    """A row to write: `first_seen` and `resolved_at` None stand for now and never."""

    package_id: int
    finding: Finding
    first_seen: dt.datetime | None = None
    is_open: bool = True


Step = tuple[MatchWrite, MatchChange | None]
"""A row to write, and the change that it is part of, if people may want to hear of it."""


def compare_matches(match: PackageMatch, stored: Mapping[str, StoredMatch], is_published: Callable[[str], bool]) -> Iterator[Step]:
    """Compare, by the advisory's id; what is the same gives nothing. `is_published` tells whether an advisory that is not said any more is there at all."""
    wanted = {clean_text(finding.id): as_stored(finding) for finding in sorted(match.findings, key=lambda finding: finding.severity)}
    ended = {name: old for name, old in stored.items() if old.is_open and name not in wanted}
    continued: set[str] = set()
    for name, finding in sorted(wanted.items()):
        old = stored.get(name)
        if old is not None and old.is_open:
            yield from _kept(match.package_id, old.finding, finding, old.first_seen)
        elif old is not None:
            yield _opened(match.package_id, ChangeKind.REOPENED, None, finding, old.first_seen)
        elif namesake := _find_namesake(finding, ended):
            continued.add(namesake)
            yield _opened(match.package_id, ChangeKind.RENAMED, ended[namesake].finding, finding, ended[namesake].first_seen)
        else:
            yield _opened(match.package_id, ChangeKind.APPEARED, None, finding, None)
    for name, old in sorted(ended.items()):
        kind = ChangeKind.RESOLVED if is_published(name) else ChangeKind.RETRACTED
        write = MatchWrite(package_id=match.package_id, finding=old.finding, first_seen=old.first_seen, is_open=False)
        change = MatchChange(package_id=match.package_id, kinds=(kind,), before=old.finding, after=None)
        yield write, None if name in continued else change


def as_stored(finding: Finding) -> Finding:
    """The finding as it comes back from the database: clean, without what is an image's and what is known of exploitation."""
    return replace(
        finding,
        id=clean_text(finding.id),
        title=clean_text(finding.title),
        aliases=tuple(map(clean_text, finding.aliases)),
        package=None if finding.package is None else clean_text(finding.package),
        installed=None if finding.installed is None else clean_text(finding.installed),
        fixed_in=None if finding.fixed_in is None else clean_text(finding.fixed_in),
        path=None,
        layer=None,
        references=tuple(map(clean_text, finding.references)),
        recommendation=clean_text(finding.recommendation),
        severity_source=clean_text(finding.severity_source),
        exploited_since=None,
        epss=None,
        ratings=tuple(replace(rating, source=clean_text(rating.source), vector=clean_text(rating.vector)) for rating in finding.ratings),
    )


def _kept(package_id: int, before: Finding, after: Finding, first_seen: dt.datetime) -> Iterator[Step]:
    if before != after:
        change = MatchChange(package_id=package_id, kinds=_differences(before, after), before=before, after=after)
        yield MatchWrite(package_id=package_id, finding=after, first_seen=first_seen), change


def _opened(package_id: int, kind: ChangeKind, before: Finding | None, after: Finding, first_seen: dt.datetime | None) -> Step:
    kinds = (kind, *(_differences(before, after) if before is not None else ()))
    change = MatchChange(package_id=package_id, kinds=kinds, before=before, after=after)
    return MatchWrite(package_id=package_id, finding=after, first_seen=first_seen), change


def _differences(before: Finding, after: Finding) -> tuple[ChangeKind, ...]:
    kinds = []
    if after.severity != before.severity:
        kinds.append(ChangeKind.WORSENED if after.severity > before.severity else ChangeKind.EASED)
    if after.is_fixable and not before.is_fixable:
        kinds.append(ChangeKind.FIX_AVAILABLE)
    return tuple(kinds)


def _find_namesake(finding: Finding, ended: Mapping[str, StoredMatch]) -> str | None:
    """The ended match that is about the same flaw: publishers withdraw an id in favour of another's, and the time since when it is known must not be lost."""
    names = {finding.id, *finding.aliases}
    return next((name for name, old in sorted(ended.items()) if not names.isdisjoint((name, *old.finding.aliases))), None)
