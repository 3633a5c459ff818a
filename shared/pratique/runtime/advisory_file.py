"""The advisory database that is in force now: the file may be swapped under a running process."""

from __future__ import annotations

import threading
from pathlib import Path

from pratique.advisories.database import AdvisoryDatabase

_Identity = tuple[int, int, int]


class AdvisoryFile:
    """Opens the compiled database at `path`, and again whenever another file has taken its place. Safe for threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._identity: _Identity | None = None
        self._database: AdvisoryDatabase | None = None

    def current(self) -> AdvisoryDatabase:
        """Open, or reuse, the database that lies at the path now.

        Blocking: call it from a thread. Raises InvalidAdvisory or SettingsError when the file is missing or broken.
        """
        with self._lock:
            identity = self._identify()
            if self._database is None or identity is None or identity != self._identity:
                self._database = AdvisoryDatabase.open(self._path)
                self._identity = identity
            return self._database

    def _identify(self) -> _Identity | None:
        try:
            status = self._path.stat()
        except OSError:
            return None  # opening it says in words what is wrong
        return status.st_ino, status.st_size, status.st_mtime_ns
