"""The file of a compiled advisory database: how it is opened, and what goes wrong with it."""

from __future__ import annotations

import hashlib
import sqlite3
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import msgspec

from pratique.advisories.schema import APPLICATION_ID, SCHEMA_VERSION
from pratique.errors import InvalidAdvisory, InvalidVersion, SettingsError
from pratique.oci.digest import Digest

_OPEN_ATTEMPTS = 5  # the file may be replaced while it is opened
_PAGES_KIB = 32 * 1024  # kept of the file in memory; look-ups read all over it, and SQLite's own 2 MB are soon turned over


class Translation:
    """Translates what goes wrong while a database is read. A class, as one of `contextlib`'s takes longer than many of the look-ups."""

    __slots__ = ("_path",)

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, FileNotFoundError):
            raise SettingsError(f"expected an advisory database at {self._path}, found none: build or fetch one first") from error
        if isinstance(error, (sqlite3.Error, OSError, msgspec.DecodeError, InvalidVersion, TypeError, ValueError)):
            name = self._path.name if self._path else "advisory database"
            raise InvalidAdvisory(f"{name} cannot be read: {error}") from error


TRANSLATED = Translation()
"""For a database that is open."""


def open_file(path: Path) -> tuple[sqlite3.Connection, Digest]:
    """Open a compiled database to read it, from any thread; answer its digest, too. Blocking.

    Raises SettingsError if there is none at `path` or another release compiled it, InvalidAdvisory for any other file.
    """
    for _ in range(_OPEN_ATTEMPTS):
        with Translation(path):
            before = _identity(path)
            digest = _digest_of(path, before)
            # immutable: nobody writes to it (it is replaced), so no locks and no journal are looked for
            uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
            connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None, cached_statements=16)
            try:
                _check(connection, path)
                if _identity(path) == before:
                    return connection, digest
            except BaseException:
                connection.close()
                raise
            connection.close()
    raise SettingsError(f"advisory database {path.name} was replaced {_OPEN_ATTEMPTS} times while it was opened")


_Identity = tuple[int, int, int]


def _identity(path: Path) -> _Identity:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=8)
def _digest_of(path: Path, _identity: _Identity) -> Digest:
    with path.open("rb") as file:
        return Digest("sha256", hashlib.file_digest(file, "sha256").hexdigest())


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is no compiled database of this release, before anything in it is trusted."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute(f"PRAGMA cache_size = -{_PAGES_KIB}")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise InvalidAdvisory(f"{path.name} is no advisory database")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise SettingsError(f"advisory database {path.name} has schema {version}; this release reads {SCHEMA_VERSION}: build it again")
