"""Files kept from one run of the command line to the next.

A folder for each key (what the contents depend on) holds files by name. They are written whole or not at all. What was used longest ago goes when all folders together
outgrow their limit. Nothing in them is secret, but what is in an image is its owner's business: only the user can read them.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

_PRIVATE = 0o700


class CacheDirectory:
    """One kind of results below `parent`, those of one key. A disk that is full or not writable makes runs slower, not wrong."""

    def __init__(self, parent: Path, key: str, *, max_bytes: int) -> None:
        self._parent = parent
        self._directory = parent / hashlib.sha256(key.encode()).hexdigest()[:16]
        self._max_bytes = max_bytes

    def read(self, name: str) -> bytes | None:
        """Read a file, which counts as a use of it; None where there is none."""
        path = self._directory / name
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """Keep a file, as far as the disk allows."""
        with contextlib.suppress(OSError):
            self._directory.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._directory, delete=False) as file:
                file.write(content)
            Path(file.name).replace(self._directory / name)
            self._prune()

    def _prune(self) -> None:
        """Remove the files used longest ago, those of other keys too, until the rest fits."""
        files = [(file.stat(), file) for file in self._parent.glob("*/*")]
        total = 0
        for status, file in sorted(files, key=lambda entry: -entry[0].st_mtime_ns):
            total += status.st_size
            if total > self._max_bytes:
                file.unlink(missing_ok=True)


def cache_place(options: argparse.Namespace) -> Path | None:
    """Where the options and the environment say that results are kept; None for nowhere."""
    if options.no_cache:
        return None
    if options.cache_dir is not None:
        return Path(options.cache_dir)
    if named := os.environ.get("PRATIQUE_CACHE_DIR"):
        return Path(named)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "pratique"
    try:
        return Path.home() / ".cache" / "pratique"
    except RuntimeError:  # a user without a home
        return None
