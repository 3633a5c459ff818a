"""The mirror folder's own rules: one update at a time, files replaced at once, nothing left behind by an update that was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pratique.errors import FeedUnavailable

_LOCK = ".update.lock"
_STAGING = ".update-"
_BUSY_SECONDS = 60.0  # after which asking for the lock again makes sense


@contextmanager
def translated(mirror: Path) -> Iterator[None]:
    """Turn what the file system raises into FeedUnavailable."""
    try:
        yield
    except OSError as error:
        raise FeedUnavailable(f"mirror {mirror} cannot be written: {error.strerror or error}") from error


@contextmanager
def open_mirror(mirror: Path) -> Iterator[Path]:
    """Make the folder, hold its lock, and yield a folder on the same file system for files that are not whole yet; it is gone afterwards.

    Raises FeedUnavailable if another update holds the lock (then with `retry_after`), or the folder cannot be written.
    """
    with translated(mirror):
        mirror.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(mirror / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _lock(descriptor, mirror)
        with translated(mirror):
            for left in mirror.glob(f"{_STAGING}*"):  # of an update that was killed: with the lock held there is no other
                left.unlink() if left.is_file() else shutil.rmtree(left, ignore_errors=True)
            staging = tempfile.TemporaryDirectory(dir=mirror, prefix=_STAGING, ignore_cleanup_errors=True)
        with staging as folder:
            yield Path(folder)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, mirror: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FeedUnavailable(f"another update of {mirror} is under way: wait for it to end", retry_after=_BUSY_SECONDS) from error
    except OSError as error:
        raise FeedUnavailable(f"mirror {mirror} cannot be locked: {error.strerror}") from error


def publish(staged: Path, target: Path, *, mode: int = 0o644) -> None:
    """Make a staged file durable and put it in the place of the old one: after a crash one of the two is there, whole. Blocking; raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with staged.open("rb") as file:
        os.fsync(file.fileno())
    staged.chmod(mode)
    staged.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def set_time(path: Path, modified: int) -> None:
    """Say when the content of a file was made, in seconds since 1970. Blocking; raises OSError."""
    os.utime(path, (modified, modified))


def write_file(target: Path, content: bytes) -> None:
    """Replace a small file at once. Blocking.

    Raises FeedUnavailable.
    """
    with translated(target.parent):
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=_STAGING)
        staged = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            publish(staged, target)
        finally:
            staged.unlink(missing_ok=True)
