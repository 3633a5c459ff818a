"""Downloads one file, whole or not at all.

1. What is here already is asked for with its ETag: 304 means that nothing is to be done.
2. The body goes to a sink as it comes, within a number of bytes and at no less than a minimum rate.
3. A transfer that breaks goes on where it broke (Range, If-Range), if the server named a strong ETag; if the file has changed meanwhile, the server answers
   with all of it, and the sink starts anew.
4. What may pass (429, 5xx, a broken or slow connection) is tried again a few times, after what `Retry-After` says or growing random pauses.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import BinaryIO

import aiohttp
from yarl import URL

from pratique.errors import FeedUnavailable, LimitExceeded
from pratique.feeds.plan import Progress
from pratique.feeds.transport import FeedTransport, shown

_CHUNK = 64 * 1024
_MAX_ETAG = 300
_MAX_DATE = 60
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_OK, _PARTIAL, _NOT_MODIFIED, _NOT_SATISFIABLE = 200, 206, 304, 416


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A file to fetch: at most `limit` bytes of `url`, unless it still has `etag`. `name` is the feed's, for progress."""

    url: URL
    limit: int
    name: str = ""
    etag: str = ""
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came with a file: its ETag, empty where it has none, and when its publisher last changed it, in seconds since 1970, None where nothing says so."""

    etag: str = ""
    modified: int | None = None


@dataclass(slots=True, kw_only=True)
class _Transfer:
    """How far a download has come. `validator` is the strong ETag of the bytes in the sink, empty where there is none."""

    order: Order
    sink: BinaryIO
    size: int = 0
    total: int = 0
    etag: str = ""
    modified: int | None = None

    @property
    def validator(self) -> str:
        return self.etag if self.size and self.etag.startswith('"') else ""

    def restart(self) -> None:
        self.sink.seek(0)
        self.sink.truncate()
        self.size = self.total = 0
        self.etag, self.modified = "", None

    def headers(self) -> dict[str, str]:
        if self.validator:
            return {"Range": f"bytes={self.size}-", "If-Range": self.validator}
        return {"If-None-Match": self.order.etag} if self.order.etag else {}

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self.order.limit:
            raise LimitExceeded(f"{shown(self.order.url)}: more than {self.order.limit} bytes, which is the limit for this file")
        self.sink.write(chunk)
        if self.order.progress is not None:
            self.order.progress(self.order.name, self.size, self.total)


async def download(transport: FeedTransport, order: Order, sink: BinaryIO) -> Received | None:
    """Write the file to `sink`, which must be empty, and tell what came with it; None if it still has `order.etag`.

    Raises FeedUnavailable, MissingError, RefusedError, LimitExceeded, InputError; the sink's content means nothing then.
    """
    limits = transport.limits
    transfer = _Transfer(order=order, sink=sink)
    for attempt in range(1, limits.attempts + 1):
        try:
            return await _attempt(transport, transfer)
        except FeedUnavailable as error:
            if attempt == limits.attempts or (error.retry_after or 0) > limits.pause_seconds:
                raise
            jitter = random.uniform(0, min(limits.pause_seconds, limits.backoff_seconds * 2 ** (attempt - 1)))  # noqa: S311 - no secret
            pause = (error.retry_after or 0) + jitter
        await asyncio.sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


async def _attempt(transport: FeedTransport, transfer: _Transfer) -> Received | None:
    async with transport.open(transfer.order.url, transfer.headers()) as response:
        if response.status == _NOT_MODIFIED and transfer.order.etag:
            return None
        _begin(transfer, response)
        await _read(transport, transfer, response)
    if transfer.total and transfer.size != transfer.total:
        raise FeedUnavailable(f"{shown(transfer.order.url)}: {transfer.size} bytes came, {transfer.total} were announced")
    return Received(etag=transfer.etag, modified=transfer.modified)


def _begin(transfer: _Transfer, response: aiohttp.ClientResponse) -> None:
    """Decide where the body of this answer goes: behind what is there, or to the start."""
    order = transfer.order
    etag = response.headers.get("ETag", "")
    etag = etag if len(etag) <= _MAX_ETAG and etag.isascii() and etag.isprintable() else ""
    if response.status == _PARTIAL and _continues(transfer, response, etag):
        return
    transfer.restart()
    if response.status != _OK:  # a part that was not asked for, or of another file: the whole is asked for next
        raise FeedUnavailable(f"{shown(order.url)}: {response.status} does not continue the transfer that broke")
    transfer.etag = etag
    transfer.modified = parse_modified(response.headers.get("Last-Modified", ""))
    transfer.total = response.content_length or 0
    if transfer.total > order.limit:
        raise LimitExceeded(f"{shown(order.url)}: {transfer.total} bytes; the limit for this file is {order.limit}")


def parse_modified(text: str) -> int | None:
    """Read a `Last-Modified` (RFC 9110, 8.8.2) into seconds since 1970; None for what is none. The future counts as now: it would hide that a feed got stale."""
    try:
        time = parsedate_to_datetime(text[:_MAX_DATE])
        seconds = int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError, TypeError):
        return None
    return min(seconds, int(datetime.now(UTC).timestamp())) if seconds > 0 else None


def _continues(transfer: _Transfer, response: aiohttp.ClientResponse, etag: str) -> bool:
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None or not transfer.validator or etag not in ("", transfer.etag):
        return False
    start, _, total = map(int, found.groups())
    if start != transfer.size or transfer.total not in (0, total):
        return False
    transfer.total = total
    return True


async def _read(transport: FeedTransport, transfer: _Transfer, response: aiohttp.ClientResponse) -> None:
    limits = transport.limits
    since, mark = time.monotonic(), transfer.size
    async for chunk in response.content.iter_chunked(_CHUNK):
        transport.budget.spend(len(chunk))
        transfer.add(chunk)
        elapsed = time.monotonic() - since
        if elapsed < limits.rate_seconds:
            continue
        if transfer.size - mark < limits.rate_bytes * elapsed:
            raise FeedUnavailable(
                f"{shown(transfer.order.url)}: {(transfer.size - mark) / elapsed:.0f} bytes a second; at least {limits.rate_bytes} are expected"
            )
        since, mark = time.monotonic(), transfer.size
