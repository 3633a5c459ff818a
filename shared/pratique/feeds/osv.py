"""Brings one ecosystem of OSV's bucket up to date.

1. The bucket's `modified_id.csv` is compared with the mirror's own, which lists what the mirror's zip really holds.
2. If few records are new, they are fetched one by one and the zip is put together anew from them and the old one; records that the bucket dropped are left out.
3. If they are many, or there is no zip yet, or the source has no single records, the zip is fetched whole, if its ETag is another; it is read to its end, and
   the mirror's `modified_id.csv` is written from what was read. So a record that the zip lacks still is found missing by the next sync.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pratique.advisories.osv import MAX_RECORD_BYTES
from pratique.errors import InputError, InvalidAdvisory, LimitExceeded, MissingError, PratiqueError, SettingsError
from pratique.feeds.catalogue import FeedFile
from pratique.feeds.checks import Found
from pratique.feeds.download import Received
from pratique.feeds.osv_records import Index, ZipContents, read_head, read_index, read_zip, rewrite_zip, write_index
from pratique.feeds.state import FileState, size_of
from pratique.feeds.taking import Desk, Synced, take_file

MAX_ZIP_BYTES = 2 * 1024**3  # the largest today has some 300 MB; protects the disk
MAX_INDEX_BYTES = 256 * 1024 * 1024  # npm's has some 12 MB
_MAX_LIST_BYTES = 256 * 1024
_MAX_ECOSYSTEMS = 500  # protects time
_RECORD_COST_BYTES = 16 * 1024  # what asking for one record costs, in bytes of a zip that could be fetched meanwhile
_ECOSYSTEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
LIST = "ecosystems.txt"


def check_ecosystem(name: str) -> str:
    """Give an ecosystem's name back.

    Raises SettingsError for one that OSV would not use for a directory.
    """
    if not _ECOSYSTEM.fullmatch(name):
        raise SettingsError(f"ecosystem: expected a name of OSV without release, such as Debian, got {name[:80]!r}")
    return name


async def list_ecosystems(desk: Desk) -> tuple[tuple[str, ...], Synced]:
    """Bring `ecosystems.txt` up to date and read it.

    Raises as `take_file`.
    """
    synced = await take_file(desk, FeedFile(path=LIST, place=LIST, check=_check_list, limit=_MAX_LIST_BYTES))
    return await desk.run(_read_list, desk.mirror / LIST), synced


async def sync_ecosystem(desk: Desk, ecosystem: str) -> Synced:
    """Bring `<ecosystem>/all.zip` and `<ecosystem>/modified_id.csv` up to date.

    Raises FeedUnavailable, MissingError, RefusedError, InputError; the old files stay then.
    """
    bucket = _Bucket(desk=desk, ecosystem=ecosystem)
    etag = desk.recorded(bucket.zip).etag if bucket.is_complete else ""
    synced = None
    if bucket.is_complete and desk.source.has_records:
        try:
            synced = await bucket.sync_records()
        except _OwnFileDamaged:
            etag = ""  # whatever the server has, it is better
    return synced or await bucket.sync_zip(etag)


class _OwnFileDamaged(Exception):
    """A file of the mirror cannot be read any more: it is fetched anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bucket:
    """One ecosystem's folder, here and at the source."""

    desk: Desk
    ecosystem: str

    @property
    def zip(self) -> str:
        return f"{self.ecosystem}/all.zip"

    @property
    def index(self) -> str:
        return f"{self.ecosystem}/modified_id.csv"

    @property
    def is_complete(self) -> bool:
        return bool(self.desk.recorded(self.zip).bytes and self.desk.recorded(self.index).bytes)

    async def sync_records(self) -> Synced | None:
        """Do steps 1 and 2; None where the zip is to be fetched."""
        desk = self.desk
        try:
            fetched = await desk.fetch(self.index, self.index, limit=MAX_INDEX_BYTES, etag=desk.recorded(self.index).etag)
        except MissingError:
            return None
        if fetched is None:
            return Synced(files=desk.old.files, skipped=desk.old.skipped)
        staged, received = fetched
        theirs = await desk.run(read_index, staged)
        with _own_files():
            ours = await desk.run(read_index, desk.mirror / self.index)
        desk.refuse_shrink(self.index, FileState(records=len(ours)), FileState(records=len(theirs)))
        newer = sorted(identifier for identifier, modified in theirs.items() if ours.get(identifier, "") < modified)
        dropped = sorted(ours.keys() - theirs.keys())
        if not newer and not dropped:
            kept = desk.recorded(self.index)
            index = FileState(etag=received.etag, bytes=kept.bytes, records=kept.records, modified=kept.modified)
            return Synced(files={**desk.old.files, self.index: index}, skipped=desk.old.skipped)
        if not self._is_cheaper_alone(len(newer)):
            return None
        records = await _Records(desk=desk, ecosystem=self.ecosystem).fetch(newer)
        if records is None or 2 * records.skipped > len(newer):  # a plain copy of the bucket has no single records
            return None
        is_level = all(records.modified(name) >= theirs[name] for name in newer)  # else what lags behind or was skipped is tried again
        return await self._put_together(records, ours, dropped, received.etag if is_level else "")

    def _is_cheaper_alone(self, records: int) -> bool:
        return records <= self.desk.plan.limits.loose_records and records * _RECORD_COST_BYTES <= self.desk.recorded(self.zip).bytes

    async def _put_together(self, records: _Fetched, ours: Index, dropped: Sequence[str], etag: str) -> Synced:
        desk = self.desk
        # a cache may lag behind the index
        fresh = {name: content for name, (content, modified) in records.contents.items() if ours.get(name, "") < modified}
        index = {name: modified for name, modified in ours.items() if name not in set(dropped)}
        index |= {name: records.contents[name][1] for name in fresh}
        if not fresh and not dropped:
            return Synced(files=desk.old.files, skipped=records.skipped)
        staged = desk.stage(self.zip)
        with _own_files():
            await desk.run(rewrite_zip, desk.mirror / self.zip, staged, fresh, dropped)
        contents = ZipContents(index=index, skipped=records.skipped)
        return await self._publish(staged, contents, Received(), index_etag=etag)

    async def sync_zip(self, etag: str) -> Synced:
        """Do step 3. `etag` is that of the zip that is here, empty where another one is wanted in any case."""
        desk = self.desk
        try:
            fetched = await desk.fetch(self.zip, self.zip, limit=MAX_ZIP_BYTES, etag=etag)
        except MissingError as error:
            raise MissingError(f"{error}: is {self.ecosystem!r} an ecosystem of OSV? {LIST} in the mirror lists them") from error
        if fetched is None:
            return Synced(files=desk.old.files, skipped=desk.old.skipped)
        staged, received = fetched
        contents = await desk.run(read_zip, desk.staging, self.ecosystem)
        return await self._publish(staged, contents, received, index_etag="")

    async def _publish(self, staged: Path, contents: ZipContents, received: Received, *, index_etag: str) -> Synced:
        desk = self.desk
        records, modified = len(contents.index), contents.modified
        new = FileState(etag=received.etag, bytes=size_of(staged), records=records, modified=modified)
        desk.refuse_shrink(self.zip, desk.old.files.get(self.zip, FileState()), new)
        listed = desk.stage(self.index)
        await desk.run(write_index, listed, contents.index)
        index = FileState(etag=index_etag, bytes=size_of(listed))
        is_changed = await desk.place(staged, self.zip, modified=received.modified)
        await desk.place(listed, self.index)  # after the zip: an index that is behind costs some records, one that is ahead would miss them
        return Synced(files={self.zip: new, self.index: index}, is_changed=is_changed, skipped=contents.skipped)


@dataclass(slots=True, kw_only=True)
class _Fetched:
    """Records by id, with the second in which each was modified. `skipped` were not there, or are no records."""

    contents: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    bytes: int = 0
    skipped: int = 0

    def modified(self, identifier: str) -> str:
        """Give when a record was modified; empty for one that was skipped."""
        return self.contents.get(identifier, (b"", ""))[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Records:
    """Fetches single records, some at once."""

    desk: Desk
    ecosystem: str
    fetched: _Fetched = field(default_factory=_Fetched)
    errors: list[PratiqueError] = field(default_factory=list)

    async def fetch(self, identifiers: Sequence[str]) -> _Fetched | None:
        """Fetch records; None if they are more than fits the plan's memory.

        Raises the first error that is not about a single record.
        """
        waiting = iter(identifiers)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.desk.plan.limits.loose_at_once, len(identifiers))):
                group.create_task(self._work(waiting))
        if self.errors:
            raise self.errors[0]
        return None if self._is_too_much else self.fetched

    @property
    def _is_too_much(self) -> bool:
        return self.fetched.bytes > self.desk.plan.limits.loose_bytes

    async def _work(self, waiting: Iterator[str]) -> None:
        for identifier in waiting:
            try:
                await self._fetch_one(identifier)
            except PratiqueError as error:
                self.errors.append(error)
            if self.errors or self._is_too_much:
                return

    async def _fetch_one(self, identifier: str) -> None:
        sink = io.BytesIO()
        try:
            await self.desk.source.fetch(f"{self.ecosystem}/{identifier}.json", sink, limit=MAX_RECORD_BYTES)
        except (MissingError, LimitExceeded):
            self.fetched.skipped += 1
            return
        content = sink.getvalue()
        head = read_head(content)
        if head is None or head[0] != identifier:
            self.fetched.skipped += 1
            return
        self.fetched.contents[identifier] = (content, head[1])
        self.fetched.bytes += len(content)
        if self.desk.progress is not None:
            self.desk.progress(self.desk.name, self.fetched.bytes, 0)


@contextmanager
def _own_files() -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise _OwnFileDamaged from error


def _read_list(path: Path) -> tuple[str, ...]:
    try:
        names = path.read_text(encoding="utf-8").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise InvalidAdvisory(f"{path.name} cannot be read: {error}") from error
    # the bucket has listed directories of releases (Alpine:v3.10) and "[EMPTY]" as well: neither holds records that the others lack
    return tuple(sorted({name for name in names if _ECOSYSTEM.fullmatch(name)}))


def _check_list(path: Path) -> Found:
    names = _read_list(path)
    if not 0 < len(names) <= _MAX_ECOSYSTEMS:
        raise InvalidAdvisory(f"{path.name}: expected a name a line, found {len(names)}: has its format changed?")
    return Found(records=len(names))
