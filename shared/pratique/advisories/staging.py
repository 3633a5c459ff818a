"""The compiler's work table: what a mirror says, on disk, until severities can be settled and rows sorted. Keeps memory bounded whatever the feed's size."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import msgspec

from pratique.advisories.advisory import Advisory
from pratique.advisories.exploitation import Forecast, KnownExploited
from pratique.advisories.schema import APPLICATION_ID, SCHEMA_VERSION, TABLES
from pratique.advisories.severity import UNRATED, Rating
from pratique.advisories.statements import Statement, encode_statements
from pratique.findings import Severity

_STAGING_TABLES = """
CREATE TABLE staging.release (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE staging.advisory (
    name TEXT PRIMARY KEY, aliases TEXT, equals TEXT, title TEXT, severity INTEGER, score REAL, source TEXT, vectors TEXT, refs TEXT, modified TEXT
);
CREATE TABLE staging.affected (ecosystem TEXT, name TEXT, advisory TEXT, statements BLOB, PRIMARY KEY (ecosystem, name, advisory)) WITHOUT ROWID;
CREATE TABLE staging.cve (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE staging.exploit (cve TEXT PRIMARY KEY, kev TEXT, ransomware INTEGER, epss REAL, percentile REAL) WITHOUT ROWID;
CREATE TABLE staging.rating (name TEXT PRIMARY KEY, severity INTEGER, score REAL, source TEXT) WITHOUT ROWID;
"""
_PRAGMAS = """
PRAGMA main.page_size = 4096; PRAGMA main.journal_mode = OFF; PRAGMA main.synchronous = OFF;
PRAGMA staging.journal_mode = OFF; PRAGMA staging.synchronous = OFF; PRAGMA temp_store = FILE; PRAGMA staging.cache_size = -32768;
"""
_UPSERT_ADVISORY = """
INSERT INTO staging.advisory VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    aliases = excluded.aliases, equals = excluded.equals, title = excluded.title, severity = excluded.severity, score = excluded.score,
    source = excluded.source, vectors = excluded.vectors, refs = excluded.refs, modified = excluded.modified
WHERE excluded.modified > modified
"""
_UPSERT_RATING = """
INSERT INTO staging.rating VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET severity = excluded.severity, score = excluded.score, source = excluded.source
WHERE (excluded.severity, excluded.score, source) > (severity, score, excluded.source)
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
SELECT s.ecosystem, s.name, s.statements, a.name, a.aliases, a.equals, a.title, a.severity, a.severity_source, a.vectors, a.refs
FROM main.affected AS s JOIN main.advisory AS a ON a.id = s.advisory ORDER BY s.ecosystem, s.name, s.advisory
"""
_RATED = "SELECT severity, score, source FROM staging.rating WHERE name = ?"
_USED = """
SELECT name, aliases, equals, title, severity, score, source, vectors, refs, modified FROM staging.advisory
WHERE name IN (SELECT advisory FROM staging.affected) ORDER BY name
"""
_COPY_AFFECTED = """
INSERT INTO main.affected
SELECT e.id, s.name, a.id, s.statements FROM staging.affected AS s
JOIN main.ecosystem AS e ON e.name = s.ecosystem JOIN main.advisory AS a ON a.name = s.advisory
ORDER BY e.id, s.name, a.id
"""


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

    def add_rating(self, advisory: Advisory, rating: Rating) -> None:
        """Note what a record says of the severity of its one flaw; an update that covers several CVEs says nothing of each."""
        if rating == UNRATED or sum(name.startswith("CVE-") for name in {advisory.id, *advisory.aliases}) > 1:
            return
        values = (int(rating.severity), rating.score, rating.source)
        self._connection.executemany(_UPSERT_RATING, [(name, *values) for name in (advisory.id, *advisory.aliases)])

    def add_advisory(self, advisory: Advisory, rating: Rating) -> None:
        """Note an advisory; of two records with the same id the later modified one counts."""
        aliases, equals, vectors, references = map(_json, (advisory.aliases, advisory.equals, advisory.vectors, advisory.references))
        own = (int(rating.severity), rating.score, rating.source)
        row = (advisory.id, aliases, equals, advisory.title, *own, vectors, references, advisory.modified)
        self._connection.execute(_UPSERT_ADVISORY, row)

    def add_release(self, ecosystem: str) -> None:
        """Note that a feed speaks about an ecosystem with this release."""
        self._connection.execute("INSERT OR IGNORE INTO staging.release VALUES (?)", (ecosystem,))

    def add_affected(self, advisory: Advisory, ecosystem: str, rows: Mapping[str, Iterable[Statement]]) -> None:
        """Note what an advisory says about packages (normal name to statements) of an ecosystem."""
        values = [(ecosystem, name, advisory.id, encode_statements(statements)) for name, statements in rows.items()]
        self._connection.executemany("INSERT OR REPLACE INTO staging.affected VALUES (?, ?, ?, ?)", values)

    def add_known_exploited(self, known: KnownExploited) -> None:
        """Note that a CVE is known to be exploited."""
        self._connection.execute(_ADD_KNOWN, (known.cve, known.added, known.is_in_ransomware))

    def add_forecast(self, forecast: Forecast) -> None:
        """Note how probable the exploitation of a CVE is."""
        self._connection.execute(_ADD_FORECAST, (forecast.cve, forecast.probability, forecast.percentile))

    def write(self, feeds: list[FeedRow]) -> tuple[int, int]:
        """Settle severities and write the compiled file. Answers its numbers of advisories and of (package, advisory) pairs."""
        run = self._connection.execute
        run("COMMIT")
        self._connection.executescript(TABLES)
        run("BEGIN")
        rows = [
            (feed.name, _json(feed.ecosystems), feed.updated, feed.records, feed.skipped, feed.matched)
            for feed in sorted(feeds, key=lambda feed: feed.name)
        ]
        self._connection.executemany("INSERT INTO main.feed VALUES (?, ?, ?, ?, ?, ?)", rows)
        run("INSERT INTO main.ecosystem (name) SELECT name FROM staging.release ORDER BY name")
        self._connection.executemany("INSERT INTO main.advisory VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._settled())
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
        for name, aliases, equals, title, severity, score, source, vectors, refs, modified in self._connection.execute(_USED):
            rating = Rating(severity=Severity(severity), score=score, source=source)
            if rating == UNRATED:
                rating = max(map(self._rating_of, msgspec.json.decode(aliases)), default=UNRATED)
            names = [(alias,) for alias in (name, *msgspec.json.decode(aliases)) if alias.startswith("CVE-")]
            self._connection.executemany("INSERT OR IGNORE INTO staging.cve VALUES (?)", names)
            yield name, aliases, equals, title, int(rating.severity), rating.source, vectors, refs, modified

    def _digests(self) -> Iterator[tuple[int, str, bytes]]:
        """The digest of all that is said about each package, times of changes left out: a record that was only touched says nothing new."""
        for (ecosystem, name), rows in groupby(self._connection.execute(_SAID), key=itemgetter(0, 1)):
            said = hashlib.sha256()
            for row in rows:
                said.update(_ENCODER.encode(row[2:]))
            yield ecosystem, name, said.digest()[:_DIGEST_BYTES]

    def _rating_of(self, name: str) -> Rating:
        row = self._connection.execute(_RATED, (name,)).fetchone()
        return Rating(severity=Severity(row[0]), score=row[1], source=row[2]) if row else UNRATED


def _json(values: tuple[str, ...]) -> str:
    return msgspec.json.encode(values).decode()
