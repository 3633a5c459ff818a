"""Gaps of a coverage as lines for people: what has the same reason stands on one line."""

from __future__ import annotations

from pratique.inventory.coverage import Coverage
from pratique.reports.printable import printable

_NAMED = 3  # of the names that share a reason: an image of which nothing can be read has one gap for each of sixty analyzers


def gap_lines(coverage: Coverage) -> list[str]:
    """Return `names: reason` for each reason, in the order in which the reasons were met, without control characters."""
    names: dict[str, list[str]] = {}
    for gap in coverage.gaps:
        names.setdefault(gap.reason, []).append(gap.name)
    return [f"{_join(gaps)}: {printable(reason)}" for reason, gaps in names.items()]


def _join(names: list[str]) -> str:
    unique = [printable(name) for name in dict.fromkeys(names)]
    more = len(unique) - _NAMED
    return ", ".join(unique) if more <= 1 else f"{', '.join(unique[:_NAMED])} and {more} more"
