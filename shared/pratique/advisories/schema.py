"""The layout of the compiled database, which the compiler writes and `AdvisoryDatabase` reads. Raise SCHEMA_VERSION with every change of meaning."""

from typing import Final

APPLICATION_ID: Final = 0x50524151  # "PRAQ": tells the file from any other SQLite database
SCHEMA_VERSION: Final = 4

TABLES: Final = """
CREATE TABLE feed (
    name TEXT PRIMARY KEY,          -- ecosystem without release; a vendor's feed (debian-tracker); KEV, EPSS
    ecosystems TEXT NOT NULL,       -- JSON list: those that it speaks about, without release
    updated TEXT NOT NULL,          -- newest `modified` of its records, '' if it has none
    records INTEGER NOT NULL,
    skipped INTEGER NOT NULL,       -- malformed records
    matched INTEGER NOT NULL        -- 0: packages are not matched with it, only severities or forecasts were taken
) WITHOUT ROWID;
CREATE TABLE ecosystem (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE       -- with release: Debian:11
);
CREATE TABLE advisory (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,      -- GHSA-…, DSA-…
    aliases TEXT NOT NULL,          -- JSON list, CVEs first
    equals TEXT NOT NULL,           -- JSON list: those aliases that mean the very same flaw
    title TEXT NOT NULL,
    ratings BLOB NOT NULL,          -- the record's own, list of Rating, MessagePack, the one that counts first
    opinion INTEGER REFERENCES opinion (id),
    refs TEXT NOT NULL,             -- JSON list of URLs
    modified TEXT NOT NULL
);
CREATE TABLE opinion (              -- what any record that is about one CVE alone says of the severity of an advisory's CVEs
    id INTEGER PRIMARY KEY,
    ratings BLOB NOT NULL           -- as above; records' first ratings before their others, worse ones first
);
CREATE TABLE affected (
    ecosystem INTEGER NOT NULL REFERENCES ecosystem (id),
    name TEXT NOT NULL,             -- as normal_name spells it
    advisory INTEGER NOT NULL REFERENCES advisory (id),
    statements BLOB NOT NULL,       -- list of Statement, MessagePack
    ratings BLOB NOT NULL,          -- the record's own of this package, empty where it does not rate each apart
    PRIMARY KEY (ecosystem, name, advisory)
) WITHOUT ROWID;
CREATE TABLE package (
    ecosystem INTEGER NOT NULL REFERENCES ecosystem (id),
    name TEXT NOT NULL,
    digest BLOB NOT NULL,           -- of all that is said about it: equal ones need no new match
    PRIMARY KEY (ecosystem, name)
) WITHOUT ROWID;
CREATE TABLE eol (
    dates BLOB NOT NULL             -- one row where the mirror has ends of life: as EolDates.encode writes them
);
CREATE TABLE exploit (
    cve TEXT PRIMARY KEY,           -- those that advisories name
    kev TEXT NOT NULL,              -- when it was added to the known exploited ones, '' if it was not
    ransomware INTEGER NOT NULL,
    epss REAL,                      -- probability of exploitation, NULL where there is no forecast
    percentile REAL
) WITHOUT ROWID;
"""
