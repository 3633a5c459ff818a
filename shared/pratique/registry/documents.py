"""Manifests, indexes and tags of a registry. Bytes are kept exactly as they are: their digest is their name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TypeVar

import msgspec
from multidict import CIMultiDictProxy
from yarl import URL

from pratique.errors import DigestMismatch, InputError, InvalidManifest, LimitExceeded, MissingError, UnsupportedError
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import MAX_MANIFEST_BYTES, Descriptor, Index, Manifest, parse_document
from pratique.registry.calls import RegistryCalls, delete_scope, digest_text, pull_scope, push_scope
from pratique.registry.transport import Answer, Call

_MAX_PAGES = 1000  # of a listing: a registry could link its pages in a circle
_PAGE = "1000"  # names a page; registries may give fewer
_MAX_LISTING_BYTES = 4 * 1024 * 1024  # a page
_ACCEPT = {"Accept": media_types.ACCEPT}
_DIGEST_HEADER = "Docker-Content-Digest"
_T = TypeVar("_T")


class _Tags(msgspec.Struct, frozen=True):
    tags: list[str] | None = None


class _Catalog(msgspec.Struct, frozen=True):
    repositories: list[str] | None = None


class DocumentCalls(RegistryCalls):
    """Calls on manifests, indexes, tags and the catalog."""

    async def resolve_digest(self, repository: str, locator: str) -> Descriptor:
        """Resolve a tag or digest to the descriptor of its document, without fetching it where the registry answers HEAD in full.

        Raises MissingError, DigestMismatch and what every call raises.
        """
        path = self._path(repository, "manifests", locator)
        call = Call(method="HEAD", path=path, scopes=(pull_scope(repository),), headers=_ACCEPT, expect=frozenset({200, 400, 405, 501}))
        answer = await self._transport.send(call)
        found = _descriptor_of(answer) if answer.status == HTTPStatus.OK else None
        if found is None:
            return (await self.fetch_document(repository, locator)).descriptor
        if (wanted := digest_text(locator)) and wanted != str(found.digest):
            raise DigestMismatch(f"{repository}: asked for {wanted}, the registry answers {found.digest}")
        return found

    async def fetch_document(self, repository: str, locator: str | Digest, *, expected: Descriptor | None = None) -> Manifest | Index:
        """Fetch a manifest or index, verified against the digest asked for, the one the registry names, and `expected`. Children are not fetched.

        Raises LimitExceeded before a body of more than MAX_MANIFEST_BYTES is read, DigestMismatch, InvalidManifest and what every call raises.
        """
        path = self._path(repository, "manifests", locator)
        answer = await self._transport.send(
            Call(method="GET", path=path, scopes=(pull_scope(repository),), headers=_ACCEPT), limit=MAX_MANIFEST_BYTES
        )
        promised = (str(locator) if isinstance(locator, Digest) else digest_text(locator), answer.headers.get(_DIGEST_HEADER))
        for text in filter(None, promised):
            verify_content(answer.body, Digest.parse(text))
        document = parse_document(answer.body, answer.headers.get("Content-Type"))
        if expected is not None:
            verify_document(document, expected)
        return document

    async def push_document(self, repository: str, content: bytes, media_type: str, *, tag: str | None = None) -> Descriptor:
        """Store the exact bytes of a manifest or index, under `tag` or under its digest only. Repeating it is harmless.

        Raises DigestMismatch where the registry stored something else, and what every call raises.
        """
        return (await self._push_document(repository, content, media_type, tag))[0]

    async def delete_document(self, repository: str, digest: Digest) -> None:
        """Delete a manifest or index with all tags that point to it.

        Raises MissingError if it is not there, UnsupportedError where deleting is switched off, and what every call raises.
        """
        path = self._path(repository, "manifests", digest)
        expect = frozenset({200, 202, 204})
        await self._transport.send(Call(method="DELETE", path=path, scopes=(delete_scope(repository),), headers=_ACCEPT, expect=expect))

    async def untag(self, repository: str, tag: str) -> None:
        """Delete one tag and nothing else.

        Raises UnsupportedError where the registry cannot (distribution 2.8 never can): re-point the tag, or delete the digest with all its tags.
        """
        path = self._path(repository, "manifests", tag)
        call = Call(method="DELETE", path=path, scopes=(delete_scope(repository),), expect=frozenset({200, 202, 204, 400}))
        if (await self._transport.send(call)).status == HTTPStatus.BAD_REQUEST:
            raise UnsupportedError(f"registry {self.host} cannot delete the tag {tag} by itself")

    async def list_tags(self, repository: str) -> tuple[str, ...]:
        """List the tags of a repository, in the registry's order.

        Raises LimitExceeded for an endless listing, InputError for an unreadable one, MissingError, and what every call raises.
        """
        call = Call(method="GET", path=self._path(repository, "tags") + "list", parameters={"n": _PAGE}, scopes=(pull_scope(repository),))
        return tuple([tag async for page in self._pages(call) for tag in _decode(page, _Tags).tags or ()])

    async def list_repositories(self) -> tuple[str, ...]:
        """List the registry's repositories where it has a catalog. A repository stays in it after its last manifest is gone.

        Raises like `list_tags`.
        """
        call = Call(method="GET", path="_catalog", parameters={"n": _PAGE}, scopes=("registry:catalog:*",))
        return tuple([name async for page in self._pages(call) for name in _decode(page, _Catalog).repositories or ()])

    async def has_document(self, repository: str, locator: str | Digest) -> bool:
        """Tell whether a tag or digest is there."""
        try:
            await self.resolve_digest(repository, str(locator))
        except MissingError:
            return False
        return True

    async def _push_document(
        self, repository: str, content: bytes, media_type: str, tag: str | None
    ) -> tuple[Descriptor, CIMultiDictProxy[str]]:
        digest = Digest.of(content)
        path = self._path(repository, "manifests", tag or digest)
        headers = {"Content-Type": media_type}
        answer = await self._transport.send(
            Call(
                method="PUT",
                path=path,
                scopes=(push_scope(repository),),
                headers=headers,
                body=content,
                expect=frozenset({200, 201, 202}),
            )
        )
        stored = answer.headers.get(_DIGEST_HEADER, str(digest))
        if stored.startswith("sha256:") and stored != str(digest):
            raise DigestMismatch(f"{repository}: pushed {digest}, the registry stored {stored}")
        return Descriptor(media_type=media_type, digest=digest, size=len(content)), answer.headers

    async def _pages(self, call: Call) -> AsyncIterator[Answer]:
        for _ in range(_MAX_PAGES):
            answer = await self._transport.send(call, limit=_MAX_LISTING_BYTES)
            yield answer
            following = self._next_page(answer)
            if following is None:
                return
            call = Call(method="GET", url=following, scopes=call.scopes, headers=call.headers)
        raise LimitExceeded(f"registry {self.host}: a listing of more than {_MAX_PAGES} pages")

    def _next_page(self, answer: Answer) -> URL | None:
        header = answer.headers.get("Link", "")
        target, separator, parameters = header.partition(">")
        if not separator or 'rel="next"' not in parameters.replace("rel=next", 'rel="next"'):
            return None
        url = self._transport.locate(answer.url, target.strip().removeprefix("<"))
        if not self._transport.is_own(url):
            raise InputError(f"registry {self.host}: the next page of a listing lies on {url.host}")
        return url


def verify_content(content: bytes, digest: Digest) -> None:
    """Raise DigestMismatch unless `content` has `digest`."""
    if not digest.matches(content):
        raise DigestMismatch(f"expected {digest}, got {len(content)} bytes of {Digest.of(content)}")


def verify_document(document: Manifest | Index, expected: Descriptor) -> None:
    """Compare a document with the descriptor that led to it: size, digest and media type.

    Raises DigestMismatch, InvalidManifest.
    """
    if len(document.raw) != expected.size:
        raise DigestMismatch(f"expected {expected.size} bytes for {expected.digest}, got {len(document.raw)}")
    verify_content(document.raw, expected.digest)
    if expected.media_type and document.descriptor.media_type != expected.media_type:
        raise InvalidManifest(f"{expected.digest} is listed as {expected.media_type[:140]!r} but is {document.descriptor.media_type}")


def _descriptor_of(answer: Answer) -> Descriptor | None:
    """Read the descriptor out of a HEAD answer, or None where it lacks a part."""
    digest, size = answer.headers.get(_DIGEST_HEADER), answer.headers.get("Content-Length", "")
    media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    if digest is None or not size.isdecimal() or media_type not in media_types.MANIFESTS | media_types.INDEXES:
        return None
    return Descriptor(media_type=media_type, digest=Digest.parse(digest), size=int(size))


def _decode(answer: Answer, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InputError(f"{answer.url.path}: not the expected listing: {error}") from error
