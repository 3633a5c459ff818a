"""Takes files over into the mirror: fetched to a staging folder, checked, compared with what is there, and only then put in its place."""

from __future__ import annotations

import asyncio
import filecmp
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pratique.errors import InvalidAdvisory, MissingError, PratiqueError
from pratique.feeds.catalogue import Feed, FeedFile
from pratique.feeds.download import Received
from pratique.feeds.folder import publish, set_time
from pratique.feeds.plan import FeedPlan, Progress
from pratique.feeds.sources import Source, read_pointer
from pratique.feeds.state import FeedState, FileState, is_as_recorded, size_of

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What a feed has in the mirror after an attempt. `errors` are of files that could not be brought up to date, `skipped` counts such records."""

    files: Mapping[str, FileState]
    is_changed: bool = False
    errors: tuple[str, ...] = ()
    skipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where one feed's files are worked on. `staging` is a folder of the feed's own, on the mirror's file system; `old` what is known of the feed so far."""

    name: str
    mirror: Path
    staging: Path
    source: Source
    plan: FeedPlan
    executor: ThreadPoolExecutor
    old: FeedState = field(default_factory=FeedState)
    progress: Progress | None = None

    async def run(self, work: Callable[..., _T], *arguments: object) -> _T:
        """Do blocking work in the one bounded executor."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, work, *arguments)

    def stage(self, place: str) -> Path:
        """Give a path for a file that is not whole yet."""
        path = self.staging / place
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def recorded(self, place: str) -> FileState:
        """Give what is known of a file, if it is still there as it was taken over."""
        state = self.old.files.get(place, FileState())
        return state if is_as_recorded(self.mirror / place, state) else FileState()

    async def fetch(self, path: str, place: str, *, limit: int, etag: str = "") -> tuple[Path, Received] | None:
        """Fetch a file to its staging place and give that and what came with it; None if it still has `etag`."""
        staged = self.stage(place)
        progress = (self.name, self.progress) if self.progress is not None else None
        with staged.open("wb") as sink:
            found = await self.source.fetch(path, sink, limit=limit, etag=etag, progress=progress)
        return None if found is None else (staged, found)

    def refuse_shrink(self, what: str, old: FileState, new: FileState) -> None:
        """Raise InvalidAdvisory if a file lost more than the plan's share of its records (of its bytes, where records are not counted), unless that was accepted."""
        unit, before, after = ("records", old.records, new.records) if old.records else ("bytes", old.bytes, new.bytes)
        if after >= before * (1 - self.plan.max_shrink) or self.name in self.plan.accept_shrink:
            return
        raise InvalidAdvisory(
            f"{what} shrank from {before} to {after} {unit}, the old one is kept; if that is right, run "
            f"`pratique advisories update` with --accept-shrink '{self.name}'"
        )

    async def place(self, staged: Path, place: str, *, modified: int | None = None) -> bool:
        """Put a staged file in its place; tell whether that changed its content. `modified` is when its publisher changed it, where that is known."""
        return await self.run(_publish_changed, staged, self.mirror / place, modified)


async def sync_feed(desk: Desk, feed: Feed) -> Synced:
    """Bring all files of a feed of the catalogue up to date; one that fails does not keep the others back.

    Raises what locating the files raises.
    """
    located = await feed.locate(lambda path: read_pointer(desk.source, path))
    files: dict[str, FileState] = {}
    errors: list[str] = []
    is_changed = False
    for file in located:
        try:
            taken = await take_file(desk, file)
        except MissingError as error:
            if file.is_optional and not (desk.mirror / file.place).exists():
                continue
            errors.append(str(error))
        except PratiqueError as error:
            errors.append(str(error))
        else:
            files[file.place] = taken.files[file.place]
            is_changed |= taken.is_changed
    kept = {place: state for place, state in desk.old.files.items() if place not in files and (desk.mirror / place).exists()}
    if len(errors) > 1:
        errors = [f"{len(errors)} of {len(located)} files failed", *errors]
    return Synced(files={**files, **kept}, is_changed=is_changed, errors=tuple(errors))


async def take_file(desk: Desk, file: FeedFile) -> Synced:
    """Bring one file up to date.

    Raises FeedUnavailable, MissingError, RefusedError, InputError; the old file stays then.
    """
    known = desk.recorded(file.place)
    fetched = await desk.fetch(file.path, file.place, limit=file.limit, etag=known.etag)
    if fetched is None:
        return Synced(files={file.place: known})
    staged, received = fetched
    found = await desk.run(file.check, staged)
    state = FileState(etag=received.etag, bytes=size_of(staged), records=found.records, modified=found.modified or _iso(received.modified))
    desk.refuse_shrink(file.place, desk.old.files.get(file.place, FileState()), state)
    return Synced(files={file.place: state}, is_changed=await desk.place(staged, file.place, modified=received.modified))


def _publish_changed(staged: Path, target: Path, modified: int | None) -> bool:
    """Formats that date no record are dated by their file: its time is the publisher's and not that of our fetching it, which makes the oldest feed look new."""
    is_same = target.is_file() and filecmp.cmp(staged, target, shallow=False)
    if modified is not None:
        set_time(target if is_same else staged, modified)
    if is_same:
        staged.unlink()
    else:
        publish(staged, target)
    return not is_same


def _iso(seconds: int | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
