"""The state of one blob's download across broken connections. No requests are made here."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from pratique.errors import DigestMismatch, RegistryUnavailable
from pratique.oci.manifest import Descriptor
from pratique.registry.transport import MIN_RATE

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")


@dataclass(slots=True, kw_only=True)
class BlobStream:
    """Reads a blob from one answer after another. `offset` counts the bytes handed on.

    `patience` is in seconds: how long the registry may be waited for in one answer, beyond what a very slow line needs.
    """

    descriptor: Descriptor
    patience: float
    offset: int = 0

    @property
    def range_headers(self) -> dict[str, str]:
        """The headers that ask for what is still missing."""
        return {"Range": f"bytes={self.offset}-"} if self.offset else {}

    async def read(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """Yield what an answer to `range_headers` adds, as it comes from the network.

        Raises DigestMismatch where the size is not the promised one, RegistryUnavailable where the answer is too slow or ends too early.
        """
        skip = self._start(response)
        began, waited = self.offset, 0.0
        while True:
            asked = time.monotonic()
            received = await response.content.readany()
            waited += time.monotonic() - asked
            if not received:
                break
            if waited > self.patience + (self.offset - began) / MIN_RATE:
                raise RegistryUnavailable(f"blob {self.descriptor.digest}: slower than {MIN_RATE} bytes per second")
            if skip:
                skip, received = max(skip - len(received), 0), received[skip:]
            self.offset += len(received)
            if self.offset > self.descriptor.size:
                raise DigestMismatch(f"blob {self.descriptor.digest}: more than the promised {self.descriptor.size} bytes")
            if received:
                yield received
        if self.offset < self.descriptor.size:
            raise RegistryUnavailable(f"blob {self.descriptor.digest}: ended after {self.offset} of {self.descriptor.size} bytes")

    def _start(self, response: aiohttp.ClientResponse) -> int:
        """Check what an answer's headers say against the promise; answer how many bytes at its start are known already."""
        length = response.content_length
        if response.status == HTTPStatus.OK:
            self._check_size(length)
            return self.offset  # the registry ignored Range and starts over
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or found is None or int(found[1]) != self.offset:
            given = response.headers.get("Content-Range", "")[:140]
            raise DigestMismatch(f"blob {self.descriptor.digest}: expected its bytes from {self.offset}, got {response.status} {given!r}")
        self._check_size(None if found[2] == "*" else int(found[2]))
        self._check_size(None if length is None else length + self.offset)
        return 0

    def _check_size(self, size: int | None) -> None:
        if size is not None and size != self.descriptor.size:
            raise DigestMismatch(f"blob {self.descriptor.digest}: expected {self.descriptor.size} bytes, the registry has {size}")
