"""VEX documents that hang on images and are signed by a key that was trusted: kept by digest, and parsed once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import InputError, MissingError
from pratique.oci.digest import Digest
from pratique.storage.dialect import insert_missing, upsert
from pratique.storage.models import Image, ImageVex
from pratique.storage.models import VexDocument as VexDocumentModel
from pratique.storage.text import DigestLike, in_chunks, utc_now
from pratique.vex.applying import StatementIndex
from pratique.vex.reading import read_vex
from pratique.vex.statement import VexDocument

_CACHED_BYTES = 64 * 1024 * 1024  # of all documents that are kept parsed: protects memory, of which they take some ten times as much
_AT_ONCE = 16  # documents loaded with one query: each may have MAX_DOCUMENT_BYTES
MAX_DOCUMENT_BYTES = (
    4 * 1024 * 1024
)  # protects the database and the memory of whoever judges: what is attested has no more, plain documents of one image have some kB
MAX_IMAGE_BYTES = 16 * 1024 * 1024  # of all documents of one image


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVex:
    """A document that counts for an image, and the key that signed it, as `VerifyingKey.hint` names it."""

    content: bytes
    signer: str

    @property
    def digest(self) -> str:
        """What it is stored under."""
        return str(Digest.of(self.content))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVex:
    """A document of an image. One that cannot be read any more says nothing but that."""

    digest: str
    signer: str
    statements: StatementIndex


async def record_image_vex(session: AsyncSession, image_digest: DigestLike, documents: Iterable[NewVex], *, adds: bool = False) -> bool:
    """Store which documents count for an image, in place of earlier ones or, with `adds`, besides them; tell whether that changed.

    Of the same document by two keys, the first counts. Raises MissingError.
    """
    image_id = (await session.execute(select(Image.id).where(Image.digest == str(image_digest)).with_for_update())).scalar_one_or_none()
    if image_id is None:
        raise MissingError(f"expected image {image_digest} to be recorded, found none")
    wanted: dict[str, NewVex] = {}
    for document in documents:
        wanted.setdefault(document.digest, document)
    links = select(ImageVex.document, ImageVex.signer).where(ImageVex.image_id == image_id)
    before = {row.document: row.signer for row in await session.execute(links)}
    after = (before if adds else {}) | {digest: document.signer for digest, document in wanted.items()}
    if before == after:
        return False
    now = utc_now()
    rows = [{"digest": digest, "content": document.content, "recorded_at": now} for digest, document in sorted(wanted.items())]
    for row in rows:  # one at a time: each may be large
        await insert_missing(session, VexDocumentModel, [row])
    await session.execute(delete(ImageVex).where(ImageVex.image_id == image_id, ImageVex.document.not_in(list(after))))
    named = [{"image_id": image_id, "document": digest, "signer": document.signer} for digest, document in sorted(wanted.items())]
    await upsert(session, ImageVex, named, key=("image_id", "document"), update=("signer",))
    return True


async def load_image_vex(session: AsyncSession, image_ids: Iterable[int]) -> Mapping[int, tuple[StoredVex, ...]]:
    """Load the documents of some images, by digest; images without any are not in the answer.

    However many images, it is one query for the links (of each 5,000), and one for each 16 documents that were not met lately: those are kept parsed.
    """
    links = [link async for link in _load_links(session, image_ids)]
    parsed: dict[_Link, StatementIndex] = {}
    missing: dict[str, list[_Link]] = defaultdict(list)
    for link in links:
        known = _PARSED.find(link)
        if known is None:
            missing[link.document].append(link)
        else:
            parsed[link] = known
    for piece in in_chunks(sorted(missing), _AT_ONCE):
        query = select(VexDocumentModel.digest, VexDocumentModel.content).where(VexDocumentModel.digest.in_(piece))
        for digest, content in (await session.execute(query)).all():
            for link in missing[digest]:
                parsed[link] = _PARSED.find(link) or _PARSED.keep(link, await asyncio.to_thread(_parse, content, link), len(content))
    found: dict[int, list[StoredVex]] = defaultdict(list)
    for link in links:
        found[link.image_id].append(StoredVex(digest=link.document, signer=link.signer, statements=parsed[link]))
    return {image_id: tuple(documents) for image_id, documents in found.items()}


class _Link(NamedTuple):
    """That a document counts for an image."""

    image_id: int
    image: str
    document: str
    signer: str


class _Parsed(NamedTuple):
    """The statements of a document. `is_general`: they are the same whichever image it hangs on, as all of them name their products."""

    statements: StatementIndex
    is_general: bool


class _Cache:
    """What was parsed lately. Only the event loop's thread comes here."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._entries: OrderedDict[tuple[str, str, str], tuple[StatementIndex, int]] = OrderedDict()

    def find(self, link: _Link) -> StatementIndex | None:
        for key in ((link.document, link.signer, ""), (link.document, link.signer, link.image)):
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key][0]
        return None

    def keep(self, link: _Link, parsed: _Parsed, size: int) -> StatementIndex:
        """Keep a document of `size` bytes, and let those go that nobody asked for longest."""
        self._entries[link.document, link.signer, "" if parsed.is_general else link.image] = parsed.statements, size
        self._left -= size
        while self._left < 0 and len(self._entries) > 1:
            self._left += self._entries.popitem(last=False)[1][1]
        return parsed.statements


_PARSED = _Cache(_CACHED_BYTES)


async def _load_links(session: AsyncSession, image_ids: Iterable[int]) -> AsyncIterator[_Link]:
    for piece in in_chunks(sorted(set(image_ids)), 5000):
        query = (
            select(ImageVex.image_id, Image.digest, ImageVex.document, ImageVex.signer)
            .join(Image, Image.id == ImageVex.image_id)
            .where(ImageVex.image_id.in_(piece))
            .order_by(ImageVex.image_id, ImageVex.document)
        )
        for row in (await session.execute(query)).all():
            yield _Link(*row)


def _parse(content: bytes, link: _Link) -> _Parsed:
    name = f"{link.document}, signed by the key {link.signer}"
    try:
        document = read_vex(content, name)
        is_general = all(statement.products for statement in document.statements)
        if not is_general:
            document = read_vex(content, name, about=Digest.parse(link.image))
    except InputError as error:  # it could be read when it was recorded, by another version
        document, is_general = VexDocument(form="", source=name, statements=(), problems=(str(error),)), True
    return _Parsed(StatementIndex(replace(document, voucher=link.signer)), is_general)
