"""What a compiled database was made of, for people who ask."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pratique.errors import InvalidAdvisory


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedContents:
    """One feed as it was compiled. `updated` is the newest time it names (RFC 3339, or a date, or empty), `skipped` counts malformed records.

    `is_matched` is false where packages are not matched with it: only severities or forecasts were taken.
    """

    name: str
    updated: str
    records: int
    skipped: int
    is_matched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseContents:
    """All feeds by name, and how much came of them. `affected` counts (package, advisory) pairs."""

    feeds: tuple[FeedContents, ...]
    advisories: int
    affected: int


def read_contents(path: Path) -> DatabaseContents:
    """Read it from a file that `AdvisoryDatabase.open` has taken. Blocking.

    Raises InvalidAdvisory.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            rows = connection.execute("SELECT name, updated, records, skipped, matched FROM feed ORDER BY name").fetchall()
            advisories, affected = connection.execute("SELECT (SELECT count(*) FROM advisory), (SELECT count(*) FROM affected)").fetchone()
    except sqlite3.Error as error:
        raise InvalidAdvisory(f"{path.name} cannot be read: {error}") from error
    feeds = tuple(
        FeedContents(name=str(name), updated=str(updated), records=int(records), skipped=int(skipped), is_matched=bool(matched))
        for name, updated, records, skipped, matched in rows
    )
    return DatabaseContents(feeds=feeds, advisories=advisories, affected=affected)
