"""Content digests as in the OCI image specification, section "Digests"."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pratique.errors import InvalidDigest

if TYPE_CHECKING:
    from hashlib import _Hash

_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A parsed `algorithm:hex`; compares and hashes by value."""

    algorithm: str
    hex: str

    def __post_init__(self) -> None:
        expected = _HEX_LENGTH.get(self.algorithm)
        if expected is None:
            raise InvalidDigest(f"expected a sha256 or sha512 digest, got algorithm {self.algorithm[:32]!r}")
        if len(self.hex) != expected or not _HEX.fullmatch(self.hex):
            raise InvalidDigest(f"expected {expected} lower-case hex digits after {self.algorithm}:, got {self.hex[:140]!r}")

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Parse `algorithm:hex`.

        Raises InvalidDigest.
        """
        algorithm, separator, value = text.partition(":")
        if not separator:
            raise InvalidDigest(f"expected algorithm:hex, got {text[:140]!r}")
        return cls(algorithm, value)

    @classmethod
    def of(cls, content: bytes) -> Digest:
        """Compute the sha256 digest of `content`."""
        return cls("sha256", hashlib.sha256(content).hexdigest())

    def hasher(self) -> _Hash:
        """Return a fresh hash object of this digest's algorithm."""
        return hashlib.new(self.algorithm)

    def matches(self, content: bytes) -> bool:
        """Tell whether `content` has this digest."""
        hasher = self.hasher()
        hasher.update(content)
        return hasher.hexdigest() == self.hex

    @property
    def tag_prefix(self) -> str:
        """The `algorithm-hex` form that the referrers tag scheme and cosign use."""
        return f"{self.algorithm}-{self.hex}"

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"
