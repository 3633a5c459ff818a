"""`feeds.json`: what the last sync of each feed did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pratique.errors import InvalidAdvisory
from pratique.feeds.folder import write_file

STATE_FILE = "feeds.json"
SCHEMA_VERSION = 1
_MAX_STATE_BYTES = 8 * 1024 * 1024  # protects memory: the file lies in a folder that people edit
_MAX_ERROR_TEXT = 600


class FileState(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a feed as it was last taken over. `etag` is the server's for these bytes, empty where it named none or the file was put together here."""

    etag: str = ""
    bytes: int = 0
    records: int = 0
    modified: str = ""


class FeedState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a feed. Times are ISO 8601 in UTC, empty for never.

    `last_change` is when a file was last replaced. `bytes`, `records` and `modified` (the newest record's, as its publisher says) are of all files together,
    `records` 0 where they are not counted. `skipped` records could not be fetched or read. `error` is empty when the last attempt was fine; otherwise
    `failing_since` is when the first of the attempts that failed since then ended.
    """

    last_success: str = ""
    last_attempt: str = ""
    last_change: str = ""
    etag: str = ""
    bytes: int = 0
    records: int = 0
    modified: str = ""
    skipped: int = 0
    error: str = ""
    failing_since: str = ""
    consecutive_failures: int = 0
    files: Mapping[str, FileState] = {}

    def after(self, files: Mapping[str, FileState], *, errors: tuple[str, ...], skipped: int, is_changed: bool) -> FeedState:
        """Give the state after an attempt that left `files` in the mirror."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return FeedState(
            last_success=self.last_success if errors else now,
            last_attempt=now,
            last_change=now if is_changed else self.last_change,
            etag=next((file.etag for file in files.values()), ""),
            bytes=sum(file.bytes for file in files.values()),
            records=sum(file.records for file in files.values()),
            modified=max((file.modified for file in files.values()), default=""),
            skipped=skipped,
            error="; ".join(errors)[:_MAX_ERROR_TEXT],
            failing_since=(self.failing_since or now) if errors else "",
            consecutive_failures=self.consecutive_failures + 1 if errors else 0,
            files=dict(sorted(files.items())),
        )


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    schema_version: int
    feeds: dict[str, FeedState]


# At import: msgspec resolves a type at its first use, and two threads that do so at once crash the interpreter.
_DECODER = msgspec.json.Decoder(_Document)


def load_states(mirror: Path) -> dict[str, FeedState]:
    """Read a mirror's `feeds.json`; empty where there is none yet.

    Raises InvalidAdvisory for one that is not of this form.
    """
    path = mirror / STATE_FILE
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_STATE_BYTES)
        document = _DECODER.decode(content)
    except FileNotFoundError:
        return {}
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, OSError) as error:
        raise InvalidAdvisory(
            f"{path.name} of the mirror cannot be read ({error}): remove it, and the next update fetches all anew"
        ) from error
    if document.schema_version != SCHEMA_VERSION:
        raise InvalidAdvisory(
            f"expected {path.name} of version {SCHEMA_VERSION}, got {document.schema_version}: remove it to fetch all anew"
        )
    return document.feeds


def store_states(mirror: Path, states: Mapping[str, FeedState]) -> None:
    """Replace a mirror's `feeds.json` at once. Blocking.

    Raises FeedUnavailable if it cannot be written.
    """
    document = _Document(schema_version=SCHEMA_VERSION, feeds=dict(sorted(states.items())))
    write_file(mirror / STATE_FILE, msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")


def is_as_recorded(path: Path, state: FileState) -> bool:
    """Tell whether a file is still the one that was taken over, as far as its size tells."""
    return bool(state.bytes) and path.is_file() and size_of(path) == state.bytes


def size_of(path: Path) -> int:
    """Give a file's size in bytes."""
    return path.stat().st_size
