"""The compiler's work table: what a mirror says, on disk, until severities can be settled and rows sorted. Keeps memory bounded whatever the feed's size."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import msgspec

from pratique.advisories.advisory import Advisory
from pratique.advisories.exploitation import Forecast, KnownExploited
from pratique.advisories.ratings import encode_ratings
from pratique.advisories.schema import APPLICATION_ID, SCHEMA_VERSION, TABLES
from pratique.advisories.severity import Scored
from pratique.advisories.statements import Statement, encode_statements
from pratique.findings import Severity
from pratique.inventory.eol_dates import EolDates

_STAGING_TABLES = """
CREATE TABLE staging.release (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE staging.advisory (
    name TEXT PRIMARY KEY, aliases TEXT, equals TEXT, title TEXT, ratings BLOB, refs TEXT, modified TEXT
);
CREATE TABLE staging.affected (
    ecosystem TEXT, name TEXT, advisory TEXT, statements BLOB, ratings BLOB, PRIMARY KEY (ecosystem, name, advisory)
) WITHOUT ROWID;
CREATE TABLE staging.cve (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE staging.exploit (cve TEXT PRIMARY KEY, kev TEXT, ransomware INTEGER, epss REAL, percentile REAL) WITHOUT ROWID;
CREATE TABLE staging.rating (
    name TEXT, source TEXT, vector TEXT, severity INTEGER, score REAL, is_first INTEGER, PRIMARY KEY (name, source, vector)
) WITHOUT ROWID;
CREATE TABLE staging.opinion (digest BLOB PRIMARY KEY, id INTEGER) WITHOUT ROWID;
"""
_PRAGMAS = """
PRAGMA main.page_size = 4096; PRAGMA main.journal_mode = OFF; PRAGMA main.synchronous = OFF;
PRAGMA staging.journal_mode = OFF; PRAGMA staging.synchronous = OFF; PRAGMA temp_store = FILE; PRAGMA staging.cache_size = -32768;
"""
_UPSERT_ADVISORY = """
INSERT INTO staging.advisory VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    aliases = excluded.aliases, equals = excluded.equals, title = excluded.title, ratings = excluded.ratings, refs = excluded.refs,
    modified = excluded.modified
WHERE excluded.modified > modified
"""
_UPSERT_RATING = """
INSERT INTO staging.rating VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (name, source, vector) DO UPDATE SET severity = max(severity, excluded.severity), is_first = max(is_first, excluded.is_first)
"""
_ADD_KNOWN = """
INSERT INTO staging.exploit VALUES (?, ?, ?, NULL, NULL)
ON CONFLICT (cve) DO UPDATE SET kev = excluded.kev, ransomware = excluded.ransomware
"""
_ADD_FORECAST = """
INSERT INTO staging.exploit VALUES (?, '', 0, ?, ?)
ON CONFLICT (cve) DO UPDATE SET epss = excluded.epss, percentile = excluded.percentile
"""
_COPY_EXPLOITS = "INSERT INTO main.exploit SELECT * FROM staging.exploit WHERE cve IN (SELECT name FROM staging.cve) ORDER BY cve"
_SAID = """
SELECT s.ecosystem, s.name, s.statements, s.ratings, a.name, a.aliases, a.equals, a.title, a.ratings, o.ratings, a.refs
FROM main.affected AS s JOIN main.advisory AS a ON a.id = s.advisory LEFT JOIN main.opinion AS o ON o.id = a.opinion
ORDER BY s.ecosystem, s.name, s.advisory
"""
_RATED = "SELECT is_first, severity, score, source, vector FROM staging.rating WHERE name = ?"
_USED = """
SELECT name, aliases, equals, title, ratings, refs, modified FROM staging.advisory
WHERE name IN (SELECT advisory FROM staging.affected) ORDER BY name
"""
_COPY_AFFECTED = """
INSERT INTO main.affected
SELECT e.id, s.name, a.id, s.statements, s.ratings FROM staging.affected AS s
JOIN main.ecosystem AS e ON e.name = s.ecosystem JOIN main.advisory AS a ON a.name = s.advisory
ORDER BY e.id, s.name, a.id
"""


MAX_OPINIONS = 24
"""Ratings kept of what records say of an advisory's CVEs, more than a finding shows: which count depends on the package. Protects the file's size: an update may name
hundreds of CVEs."""
_DIGEST_BYTES = 16  # tells changes apart; nobody gains by a collision that hides one's own advisory
_ENCODER = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    """One row of table `feed`."""

    name: str
    ecosystems: tuple[str, ...]
    updated: str
    records: int
    skipped: int
    matched: bool


class Staging:
    """Collects advisories in any order, then writes the compiled file, in which nothing depends on that order. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        """Create both files in `folder`, which must be empty; `result` is the compiled one once `write` has returned."""
        self.result = folder / "compiled"
        self._connection = sqlite3.connect(self.result, isolation_level=None)
        self._connection.execute("ATTACH DATABASE ? AS staging", (str(folder / "staging"),))
        self._connection.executescript(_PRAGMAS + _STAGING_TABLES)
        self._connection.execute("BEGIN")

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def add_ratings(self, advisory: Advisory, own: Sequence[Scored]) -> None:
        """Note what a record says of the severity of its one flaw; an update that covers several CVEs says nothing of each."""
        if not own or sum(name.startswith("CVE-") for name in {advisory.id, *advisory.aliases}) > 1:
            return
        rows = [(one.source, one.vector, int(one.severity), one.score, one is own[0]) for one in own]
        self._connection.executemany(_UPSERT_RATING, [(name, *row) for name in (advisory.id, *advisory.aliases) for row in rows])

    def add_advisory(self, advisory: Advisory, own: Sequence[Scored]) -> None:
        """Note an advisory and its own ratings; of two records with the same id the later modified one counts."""
        aliases, equals, references = map(_json, (advisory.aliases, advisory.equals, advisory.references))
        row = (advisory.id, aliases, equals, advisory.title, _encoded(own), references, advisory.modified)
        self._connection.execute(_UPSERT_ADVISORY, row)

    def add_release(self, ecosystem: str) -> None:
        """Note that a feed speaks about an ecosystem with this release."""
        self._connection.execute("INSERT OR IGNORE INTO staging.release VALUES (?)", (ecosystem,))

    def add_affected(self, advisory: Advisory, ecosystem: str, rows: Mapping[str, tuple[Iterable[Statement], Sequence[Scored]]]) -> None:
        """Note what an advisory says about packages of an ecosystem: normal name to statements, and to ratings where it rates each package apart."""
        values = [(ecosystem, name, advisory.id, encode_statements(said), _encoded(own)) for name, (said, own) in rows.items()]
        self._connection.executemany("INSERT OR REPLACE INTO staging.affected VALUES (?, ?, ?, ?, ?)", values)

    def add_known_exploited(self, known: KnownExploited) -> None:
        """Note that a CVE is known to be exploited."""
        self._connection.execute(_ADD_KNOWN, (known.cve, known.added, known.is_in_ransomware))

    def add_forecast(self, forecast: Forecast) -> None:
        """Note how probable the exploitation of a CVE is."""
        self._connection.execute(_ADD_FORECAST, (forecast.cve, forecast.probability, forecast.percentile))

    def write(self, feeds: list[FeedRow], eol: EolDates | None) -> tuple[int, int]:
        """Settle severities and write the compiled file, with ends of life where the mirror has such. Answers its numbers of advisories and of (package, advisory) pairs."""
        run = self._connection.execute
        run("COMMIT")
        self._connection.executescript(TABLES)
        run("BEGIN")
        rows = [
            (feed.name, _json(feed.ecosystems), feed.updated, feed.records, feed.skipped, feed.matched)
            for feed in sorted(feeds, key=lambda feed: feed.name)
        ]
        self._connection.executemany("INSERT INTO main.feed VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._connection.executemany("INSERT INTO main.eol VALUES (?)", [(eol.encode(),)] if eol is not None else [])
        run("INSERT INTO main.ecosystem (name) SELECT name FROM staging.release ORDER BY name")
        self._connection.executemany("INSERT INTO main.advisory VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", self._settled())
        run(_COPY_AFFECTED)
        run(_COPY_EXPLOITS)
        self._connection.executemany("INSERT INTO main.package VALUES (?, ?, ?)", self._digests())
        run(f"PRAGMA main.application_id = {APPLICATION_ID}")
        run(f"PRAGMA main.user_version = {SCHEMA_VERSION}")
        run("COMMIT")
        run("DETACH DATABASE staging")
        counts = run("SELECT (SELECT count(*) FROM advisory), (SELECT count(*) FROM affected)").fetchone()
        return int(counts[0]), int(counts[1])

    def _settled(self) -> Iterator[tuple[object, ...]]:
        for name, aliases, equals, title, ratings, refs, modified in self._connection.execute(_USED):
            names = (name, *msgspec.json.decode(aliases))
            cves = [(alias,) for alias in names if alias.startswith("CVE-")]
            self._connection.executemany("INSERT OR IGNORE INTO staging.cve VALUES (?)", cves)
            yield name, aliases, equals, title, ratings, self._opinion_of(names), refs, modified

    def _digests(self) -> Iterator[tuple[int, str, bytes]]:
        """The digest of all that is said about each package, times of changes left out: a record that was only touched says nothing new."""
        for (ecosystem, name), rows in groupby(self._connection.execute(_SAID), key=itemgetter(0, 1)):
            said = hashlib.sha256()
            for row in rows:
                said.update(_ENCODER.encode(row[2:]))
            yield ecosystem, name, said.digest()[:_DIGEST_BYTES]

    def _opinion_of(self, names: Iterable[str]) -> int | None:
        """The number of the row that has what all records say of flaws with these names: one for all advisories about which the same is said."""
        run = self._connection.execute
        found = {row for name in names for row in run(_RATED, (name,))}
        if not found:
            return None
        worst = nlargest(MAX_OPINIONS, found)
        content = encode_ratings(Scored(Severity(severity), *rest).rating for _, severity, *rest in worst)
        digest = hashlib.sha256(content).digest()[:_DIGEST_BYTES]
        known = run("SELECT id FROM staging.opinion WHERE digest = ?", (digest,)).fetchone()
        if known is None:
            known = run("INSERT INTO main.opinion VALUES (NULL, ?) RETURNING id", (content,)).fetchone()
            run("INSERT INTO staging.opinion VALUES (?, ?)", (digest, *known))
        return int(known[0])


def _encoded(own: Iterable[Scored]) -> bytes:
    return encode_ratings(one.rating for one in own)


def _json(values: tuple[str, ...]) -> str:
    return msgspec.json.encode(values).decode()
