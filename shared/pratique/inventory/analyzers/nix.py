"""Nix: the valid paths in its database, `nix/var/nix/db/db.sqlite`.

The database lists what Nix has put into the store. Images that Nix itself builds (`dockerTools`) have none: there `nix_store.py` looks at the store's own files. The
store's `.drv` files are not read: they say how something is built, whether or not it has been, and name compilers that the image does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._nix_names import parse_store_path
from pratique.inventory.package import Package, PackageDetails

if TYPE_CHECKING:
    import sqlite3

MAX_ROWS = 90_000  # valid paths: all of a desktop NixOS has 30,000; each gives two facts
MAX_STEPS = 50_000_000  # of SQLite's machine: MAX_ROWS rows take 2 million; a view or index made to loop would never end
MAX_PATH = 512  # bytes of a store path: Nix allows 211 for the name; longer ones fill the memory

_MAGIC = b"SQLite format 3\0"
_JOURNAL_MODE = slice(
    18, 20
)  # 2, 2 means that a write-ahead log belongs to it, without which SQLite does not open it (fileformat2.html, 1.3)
_STEPS_AT_A_TIME = 10_000
_TABLE = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'ValidPaths' AND sql NOT LIKE 'create virtual%'"


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield each valid path that has a version in its name, with the tree that it owns (nix: `src/libstore/schema.sql`, schema 10).

    What stands only in the write-ahead log beside the database is not seen: Nix empties that when it ends in order.

    Raises InvalidRecord for what is no such database, after the rows before the damage; LimitExceeded after MAX_ROWS and MAX_STEPS.
    """
    if not file.content.startswith(_MAGIC):
        raise InvalidRecord(f"expected a SQLite database, got {file.content[:16]!r}")
    import sqlite3

    content = bytearray(file.content)
    content[_JOURNAL_MODE] = b"\1\1"
    with _translated_errors(), closing(sqlite3.connect(":memory:")) as database:
        _open(database, bytes(content))
        if database.execute(_TABLE).fetchone() is None:
            raise InvalidRecord("expected Nix's database, found no table ValidPaths")
        rows = database.execute("SELECT substr(CAST(path AS BLOB), 1, ?) FROM ValidPaths LIMIT ?", (MAX_PATH, MAX_ROWS + 1))
        for count, (path,) in enumerate(rows, 1):
            if count > MAX_ROWS:
                raise LimitExceeded(f"more than {MAX_ROWS} valid paths")
            found = parse_store_path((path or b"").decode("utf-8", "replace"))
            if found is not None:
                yield from found


def _open(database: sqlite3.Connection, content: bytes) -> None:
    """Load the bytes; from now on statements that take too long are interrupted, and nothing in the schema may call functions."""
    left = MAX_STEPS

    def is_spent() -> bool:
        nonlocal left
        left -= _STEPS_AT_A_TIME
        return left < 0

    database.deserialize(content)
    database.set_progress_handler(is_spent, _STEPS_AT_A_TIME)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON", "mmap_size = 0", "temp_store = MEMORY"):
        database.execute(f"PRAGMA {pragma}")


@contextmanager
def _translated_errors() -> Iterator[None]:
    import sqlite3

    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            raise LimitExceeded(f"the database took more than {MAX_STEPS} steps to read") from error
        raise InvalidRecord(f"expected a SQLite database: {error}") from error
    except (sqlite3.Error, OverflowError, ValueError) as error:
        raise InvalidRecord(f"expected a SQLite database: {error}") from error


ANALYZER = Analyzer(
    name="nix",
    version=1,
    paths=PathPattern(paths=frozenset({"nix/var/nix/db/db.sqlite"})),
    parse=parse,
    max_bytes=64 * 1024 * 1024,  # a desktop's with 30,000 paths has 30 MB
)
