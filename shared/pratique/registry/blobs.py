"""Blobs of a registry: reading as a stream that survives broken connections, writing, mounting."""

from __future__ import annotations

import contextlib
from asyncio import sleep
from collections.abc import AsyncIterable, AsyncIterator
from http import HTTPStatus
from urllib.parse import quote

from yarl import URL

from pratique.errors import DigestMismatch, LimitExceeded, PratiqueError, RegistryUnavailable
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor
from pratique.registry.blob_stream import BlobStream
from pratique.registry.calls import RegistryCalls, pull_scope, push_scope
from pratique.registry.documents import verify_content
from pratique.registry.transport import Answer, Call

_MIB = 1024 * 1024
UPLOAD_CHUNK = 8 * _MIB  # of a streamed upload: it lies in memory until the registry has it
_MAX_UPLOAD_CHUNK = 64 * _MIB  # a registry may demand larger ones, up to here
_OCTETS = {"Content-Type": "application/octet-stream"}


class BlobReads(RegistryCalls):
    """Calls that read blobs."""

    async def has_blob(self, repository: str, digest: Digest) -> bool:
        """Tell whether a repository holds a blob. A redirect to storage counts as yes."""
        expect = frozenset({200, 301, 302, 303, 307, 308, 404})
        path = self._path(repository, "blobs", digest)
        answer = await self._transport.send(Call(method="HEAD", path=path, scopes=(pull_scope(repository),), expect=expect, follow=False))
        return answer.status != HTTPStatus.NOT_FOUND

    async def fetch_blob(self, repository: str, descriptor: Descriptor, *, limit: int) -> bytes:
        """Fetch a small blob whole; size and digest are verified.

        Raises LimitExceeded where it is said to be larger than `limit` bytes, DigestMismatch, and what every call raises.
        """
        if descriptor.size > limit:
            raise LimitExceeded(f"blob {descriptor.digest} of {descriptor.size} bytes; the limit is {limit}")
        content = b"".join([chunk async for chunk in self.stream_blob(repository, descriptor)])
        verify_content(content, descriptor.digest)
        return content

    async def stream_blob(self, repository: str, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """Stream exactly `descriptor.size` bytes as they come from the network. The digest is NOT verified: who consumes the bytes does that.

        A broken transfer goes on by Range from the byte reached; attempts count anew after each MiB of progress. Who stops early closes the generator
        (`contextlib.aclosing`), which ends the transfer. Raises DigestMismatch as soon as the size is not the promised one, and what every call raises.
        """
        stream = BlobStream(descriptor=descriptor, patience=self.access.read_timeout)
        attempt, reached = 0, 0
        while True:
            attempt += 1
            try:
                async with self._transport.download(self._blob_call(repository, stream)) as response:
                    async for chunk in stream.read(response):
                        yield chunk
                return
            except RegistryUnavailable as error:
                if stream.offset - reached >= _MIB:
                    attempt, reached = 1, stream.offset
                pause = self._transport.pause_after(error, attempt)
            await sleep(pause)

    def _blob_call(self, repository: str, stream: BlobStream) -> Call:
        return Call(
            method="GET",
            path=self._path(repository, "blobs", stream.descriptor.digest),
            scopes=(pull_scope(repository),),
            headers=stream.range_headers,
            expect=frozenset({200, 206, 416}) if stream.offset else frozenset({200}),
        )


class BlobWrites(BlobReads):
    """Calls that store blobs."""

    async def push_blob(self, repository: str, content: bytes, *, media_type: str = _OCTETS["Content-Type"]) -> Descriptor:
        """Store a blob unless it is there. `media_type` only goes into the descriptor."""
        digest = Digest.of(content)
        await self._transport.retrying(lambda: self._push_once(repository, content, digest))
        return Descriptor(media_type=media_type, digest=digest, size=len(content))

    async def push_blob_stream(self, repository: str, descriptor: Descriptor, chunks: AsyncIterable[bytes]) -> None:
        """Store a blob from a stream, with at most one upload chunk in memory. The digest is verified before the blob is made.

        A broken upload is not repeated: the stream is used up. Raises DigestMismatch, RegistryUnavailable, and what every call raises.
        """
        answer = await self._start_upload(repository)
        scopes = (push_scope(repository),)
        demanded = answer.headers.get("OCI-Chunk-Min-Length", "")
        piece = min(max(UPLOAD_CHUNK, int(demanded) if demanded.isdecimal() else 0), _MAX_UPLOAD_CHUNK)
        location = self._location(answer)
        hasher, offset = descriptor.digest.hasher(), 0
        try:
            async for body in _regroup(chunks, piece):
                hasher.update(body)
                headers = {**_OCTETS, "Content-Range": f"{offset}-{offset + len(body) - 1}"}
                call = Call(method="PATCH", url=location, scopes=scopes, headers=headers, body=body, expect=frozenset({201, 202, 204}))
                location = self._location(await self._transport.send_once(call))
                offset += len(body)
            if offset != descriptor.size or hasher.hexdigest() != descriptor.digest.hex:
                raise DigestMismatch(f"expected {descriptor.size} bytes of {descriptor.digest}, got {offset} of another digest or size")
            await self._finish_upload(repository, location, descriptor.digest, b"")
        except PratiqueError:
            await self._cancel_upload(repository, location)
            raise

    async def mount_blob(self, repository: str, digest: Digest, from_repository: str) -> bool:
        """Make a blob of another repository of the same registry appear in this one, without a transfer; False where the registry does not do that."""
        scopes = (push_scope(repository), pull_scope(from_repository))
        parameters = {"mount": str(digest), "from": from_repository}
        path = self._path(repository, "blobs") + "uploads/"
        answer = await self._transport.send(
            Call(method="POST", path=path, parameters=parameters, scopes=scopes, expect=frozenset({201, 202})),
        )
        if answer.status == HTTPStatus.CREATED:
            return True
        await self._cancel_upload(repository, self._location(answer))
        return False

    async def _push_once(self, repository: str, content: bytes, digest: Digest) -> None:
        if await self.has_blob(repository, digest):
            return
        location = self._location(await self._start_upload(repository))
        await self._finish_upload(repository, location, digest, content)

    async def _start_upload(self, repository: str) -> Answer:
        path = self._path(repository, "blobs") + "uploads/"
        return await self._transport.send(Call(method="POST", path=path, scopes=(push_scope(repository),), expect=frozenset({202})))

    async def _finish_upload(self, repository: str, location: URL, digest: Digest, content: bytes) -> None:
        text = str(location)
        target = URL(f"{text}{'&' if location.query_string else '?'}digest={quote(str(digest), safe='')}", encoded=True)
        expect = frozenset({200, 201, 202, 204})
        await self._transport.send_once(
            Call(method="PUT", url=target, scopes=(push_scope(repository),), headers=_OCTETS, body=content, expect=expect)
        )

    async def _cancel_upload(self, repository: str, location: URL) -> None:
        """Tidy up as far as the registry lets us: it purges what stays behind by itself."""
        call = Call(method="DELETE", url=location, scopes=(push_scope(repository),), expect=frozenset({200, 202, 204}))
        with contextlib.suppress(PratiqueError):
            await self._transport.send_once(call)

    def _location(self, answer: Answer) -> URL:
        return self._transport.locate(answer.url, answer.headers.get("Location"))


async def _regroup(chunks: AsyncIterable[bytes], size: int) -> AsyncIterator[bytes]:
    """Regroup a stream into pieces of at least `size` bytes, but for the last."""
    pending: list[bytes] = []
    gathered = 0
    async for chunk in chunks:
        pending.append(chunk)
        gathered += len(chunk)
        if gathered >= size:
            yield b"".join(pending)
            pending, gathered = [], 0
    if gathered:
        yield b"".join(pending)
