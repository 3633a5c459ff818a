"""Where a feed's files come from: a server, or a directory of the same layout."""

from __future__ import annotations

import asyncio
import io
import os
import stat
from pathlib import Path
from typing import BinaryIO, Protocol

from yarl import URL

from pratique.errors import FeedUnavailable, InputError, LimitExceeded, MissingError, SettingsError
from pratique.feeds.download import Order, Received, download
from pratique.feeds.plan import Progress, SyncLimits
from pratique.feeds.transport import FeedTransport, parse_address

MAX_POINTER_BYTES = 1024 * 1024  # of a document that only names the file to fetch; protects memory
_CHUNK = 1024 * 1024


class Source(Protocol):
    """Gives files by their path below a base. `has_records` tells whether single records can be asked for."""

    @property
    def has_records(self) -> bool:
        """Tell whether OSV records are there as files of their own."""
        ...

    async def fetch(
        self, path: str, sink: BinaryIO, *, limit: int, etag: str = "", progress: tuple[str, Progress] | None = None
    ) -> Received | None:
        """Write a file of at most `limit` bytes to an empty sink and tell what came with it; None if it still has `etag`.

        Raises FeedUnavailable, MissingError, RefusedError, InputError.
        """
        ...


class ServerSource:
    """Files of a server. A path may be absolute, on the same server or one that the transport may be redirected to."""

    has_records = True

    def __init__(self, base: URL, transport: FeedTransport) -> None:
        self.base = base
        self._transport = transport

    async def fetch(
        self, path: str, sink: BinaryIO, *, limit: int, etag: str = "", progress: tuple[str, Progress] | None = None
    ) -> Received | None:
        """Fetch it, as Source says."""
        name, report = progress or ("", None)
        limit = max(1, int(limit * self._transport.limits.bytes_share))
        return await download(self._transport, Order(url=self._locate(path), limit=limit, name=name, etag=etag, progress=report), sink)

    def _locate(self, path: str) -> URL:
        try:
            url = URL(path) if "://" in path else self.base.joinpath(*path.split("/")) if path else self.base
        except ValueError as error:
            raise InputError(f"expected the path of a file at {self.base.host}, got {path[:140]!r}") from error
        return self._transport.check_own(self.base, url)


class DirectorySource:
    """Files of a directory. Size and time of change stand for an ETag; the time is passed on, as a mirror keeps its publisher's."""

    has_records = False

    def __init__(self, root: Path, limits: SyncLimits) -> None:
        self._root = root
        self._limits = limits

    async def fetch(
        self,
        path: str,
        sink: BinaryIO,
        *,
        limit: int,
        etag: str = "",
        progress: tuple[str, Progress] | None = None,  # noqa: ARG002 - copying takes no time worth showing
    ) -> Received | None:
        """Copy it, as Source says."""
        limit = max(1, int(limit * self._limits.bytes_share))
        return await asyncio.to_thread(_copy, self._root / path, sink, limit, etag)


def open_source(text: str, transport: FeedTransport, what: str) -> Source:
    """Read an address or the path of a directory (plain, or `file:`).

    Raises SettingsError.
    """
    is_path = text.startswith("file:") or "://" not in text
    if not is_path:
        return ServerSource(parse_address(text, what), transport)
    root = Path(text.removeprefix("file://").removeprefix("file:")).expanduser()
    if not root.is_dir():
        raise SettingsError(f"{what}: expected an https URL or a directory, got {text[:200]!r}")
    return DirectorySource(root, transport.limits)


async def read_pointer(source: Source, path: str, *, limit: int = MAX_POINTER_BYTES) -> bytes:
    """Fetch a small document whole."""
    sink = io.BytesIO()
    await source.fetch(path, sink, limit=limit)
    return sink.getvalue()


def _copy(path: Path, sink: BinaryIO, limit: int, etag: str) -> Received | None:
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise MissingError(f"{path} is no regular file")
            if (found := _etag(before)) == etag:
                return None
            if before.st_size > limit:
                raise LimitExceeded(f"{path}: {before.st_size} bytes; the limit for this file is {limit}")
            copied = 0
            while copied <= limit and (chunk := file.read(_CHUNK)):
                copied += len(chunk)
                sink.write(chunk)
            if _etag(os.fstat(file.fileno())) != found or copied != before.st_size:
                raise FeedUnavailable(f"{path} changed while it was copied")
            return Received(etag=found, modified=int(before.st_mtime))
    except FileNotFoundError as error:
        raise MissingError(f"{path} does not exist") from error
    except OSError as error:
        raise FeedUnavailable(f"{path} cannot be read: {error.strerror}") from error


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)  # a named pipe would wait for its writer for ever


def _etag(status: os.stat_result) -> str:
    return f'"{status.st_size}-{status.st_mtime_ns}"'
