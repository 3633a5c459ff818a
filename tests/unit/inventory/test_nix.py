"""Nix: its database, written by Nix itself, and its store."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing

import pytest
from hypothesis import given

from pratique.errors import InputError
from pratique.inventory.analyzers import nix, nix_store
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import ASSETS, asset_file, layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

DATABASE = "nix/var/nix/db/db.sqlite"
HASH = "0123456789abcdfghijklmnpqrsvwxyz"


def database(*statements: str, rows: Iterable[object] = ()) -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.executemany("INSERT INTO ValidPaths (path) VALUES (?)", [(row,) for row in rows])
        connection.commit()
        return connection.serialize()


TABLE = "CREATE TABLE ValidPaths (id INTEGER PRIMARY KEY, path TEXT, hash TEXT)"


def purls(path: str, content: bytes) -> tuple[list[str], str]:
    facts, error = read(nix.parse if path == DATABASE else nix_store.parse, layer_file(path, content))
    return [fact.purl for fact in facts if isinstance(fact, Package)], error


def test_a_real_database_gives_the_valid_paths_that_have_versions() -> None:
    facts = list(nix.parse(asset_file(DATABASE, "nix/db.sqlite")))

    assert [fact.purl for fact in facts if isinstance(fact, Package)] == [
        "pkg:nix/hello@2.12.1?outputhash=5wh3x9v9w96vbhdrj20in6cdfica2iwz",
        "pkg:nix/openssl@3.0.13?output=bin&outputhash=cjjl1h1fc66rxg3h8pfrnrhmdshb9j28",
    ]
    trees = [fact.directories for fact in facts if isinstance(fact, PackageDetails)]
    assert trees[0] == ("nix/store/5wh3x9v9w96vbhdrj20in6cdfica2iwz-hello-2.12.1",)


def test_a_database_with_a_write_ahead_log_is_read() -> None:
    content = (ASSETS / "nix/db.sqlite").read_bytes()

    assert content[18:20] == b"\2\2"
    assert len(purls(DATABASE, content)[0]) == 2


@pytest.mark.parametrize(
    ("name", "purl"),
    [
        ("glibc-2.34-210-bin", "pkg:nix/glibc@2.34-210?output=bin"),
        ("python3.11-requests-2.31.0", "pkg:nix/python3.11-requests@2.31.0"),
        ("bash-interactive-5.2-p15-man", "pkg:nix/bash-interactive@5.2-p15?output=man"),
        ("foo-0-unstable-2023-01-02", "pkg:nix/foo@0-unstable-2023-01-02"),
        ("gtk+-2.24.33", "pkg:nix/gtk%2B@2.24.33"),
    ],
)
def test_store_paths_are_split_as_nix_does_from_the_database_and_from_the_store(name: str, purl: str) -> None:
    path = f"nix/store/{HASH}-{name}"
    expected = f"{purl}{'&' if '?' in purl else '?'}outputhash={HASH}"

    assert purls(DATABASE, database(TABLE, rows=[f"/{path}"])) == ([expected], "")
    assert purls(f"{path}/bin/x", b"\x7fELF") == ([expected], "")


@pytest.mark.parametrize(
    "name", ["source", "user-environment", "hello-2.10.tar.gz", "hello-2.10.drv", "a-1.0.patch", "1.0", "-1.0", "a-1 b"]
)
def test_what_only_builds_use_is_no_package(name: str) -> None:
    assert purls(DATABASE, database(TABLE, rows=[f"/nix/store/{HASH}-{name}", None, 7, b"\xff\0"])) == ([], "")
    assert purls(f"nix/store/{HASH}-{name}", b"#!/bin/sh") == ([], "")


@pytest.mark.parametrize("path", ["nix/store/.links/abc", "nix/store/x", f"nix/store/{HASH.upper()}-a-1/b", f"opt/nix/store/{HASH}-a-1/b"])
def test_other_paths_are_no_store_paths(path: str) -> None:
    assert purls(path, b"\x7fELF") == ([], "")


def test_only_programs_scripts_and_jars_in_the_store_are_wanted() -> None:
    path = f"nix/store/{HASH}-a-1/bin/a"

    assert all(nix_store.ANALYZER.paths.matches(path, head) for head in (b"\x7fELF\2\1\1\0", b"#!/bin/s", b"PK\3\4\0\0\0\0"))
    assert not nix_store.ANALYZER.paths.matches(path, b"text")
    assert not nix_store.ANALYZER.paths.matches("usr/bin/a", b"\x7fELF\2\1\1\0")


ENDLESS = (
    "CREATE VIEW ValidPaths AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT '/nix/store/a' || i AS path FROM n"
)
GENERATED = "CREATE TABLE ValidPaths (id INTEGER PRIMARY KEY, other TEXT, path TEXT AS (hex(zeroblob(100000000))))"
BROKEN = [
    (b"", "SQLite database"),
    (b"SQLite format 3\0", "SQLite database"),
    ((ASSETS / "nix/db.sqlite").read_bytes()[:5000], "malformed|SQLite database"),
    (b"x" * 4096, "SQLite database"),
]


@pytest.mark.parametrize(("content", "reason"), BROKEN)
def test_what_is_no_database_of_nix_is_a_gap(content: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        list(nix.parse(layer_file(DATABASE, content)))


def test_a_view_in_place_of_the_table_is_refused() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(ENDLESS)
        content = connection.serialize()

    assert purls(DATABASE, content) == ([], "expected Nix's database, found no table ValidPaths")


def test_a_column_that_computes_is_bounded_or_refused() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(GENERATED)
        connection.execute("INSERT INTO ValidPaths (other) VALUES ('x')")
        content = connection.serialize()

    assert purls(DATABASE, content)[0] == []


def test_more_rows_than_any_image_has_are_a_gap() -> None:
    content = database(TABLE, rows=(f"/nix/store/{HASH}-a-{number}" for number in range(90_001)))
    facts, error = read(nix.parse, layer_file(DATABASE, content))

    assert len(facts) == 2 * 90_000
    assert "more than 90000 valid paths" in error


@given(mutated((ASSETS / "nix/db.sqlite").read_bytes()))
def test_any_bytes_give_facts_or_an_input_error(content: bytes) -> None:
    answer_or_refuse(nix.parse, layer_file(DATABASE, content))
    answer_or_refuse(nix_store.parse, layer_file(f"nix/store/{HASH}-a-1/bin/a", content))
