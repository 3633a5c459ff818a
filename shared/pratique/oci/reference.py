"""Image references as people write them: `host[:port]/repository[:tag][@digest]`.

Grammar: distribution/reference; short names are completed as Docker does (`debian` is `docker.io/library/debian:latest`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pratique.errors import InvalidDigest, InvalidReference
from pratique.oci.digest import Digest

_MAX_LENGTH = 1024  # protects the regular expressions
_MAX_REPOSITORY = 255  # distribution's own limit
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_DOCKER_HUB = "docker.io"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A place in a registry. With a tag it can move; with a digest it cannot."""

    host: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise InvalidReference(f"expected a registry host, got {self.host[:140]!r}")
        if len(self.repository) > _MAX_REPOSITORY or not _REPOSITORY.fullmatch(self.repository):
            raise InvalidReference(f"expected a lower-case repository name, got {self.repository[:140]!r}")
        if self.tag is not None and not _TAG.fullmatch(self.tag):
            raise InvalidReference(f"expected a tag of up to 128 letters, digits, '.', '_' or '-', got {self.tag[:140]!r}")

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse what a person writes. A reference with neither tag nor digest means `:latest`.

        Raises InvalidReference.
        """
        if not text or len(text) > _MAX_LENGTH:
            raise InvalidReference(f"expected a reference of 1 to {_MAX_LENGTH} characters, got {len(text)}")
        rest, at, digest_text = text.partition("@")
        try:
            digest = Digest.parse(digest_text) if at else None
        except InvalidDigest as error:
            raise InvalidReference(f"in {text[:140]!r}: {error}") from error
        head, slash, tail = rest.rpartition("/")
        name, colon, tag = tail.partition(":")
        if colon and not tag:
            raise InvalidReference(f"expected a tag after ':', got {text[:140]!r}")
        host, repository = _split_host(f"{head}{slash}{name}")
        return cls(
            host=host,
            repository=repository,
            tag=tag or (None if digest else "latest"),
            digest=digest,
        )

    @property
    def name(self) -> str:
        """The `host/repository` part."""
        return f"{self.host}/{self.repository}"

    @property
    def locator(self) -> str:
        """What the distribution API takes as `<reference>`: the digest where known, else the tag."""
        if self.digest is not None:
            return str(self.digest)
        return self.tag or "latest"

    def with_tag(self, tag: str) -> Reference:
        """The same repository at `tag`, without a digest."""
        return replace(self, tag=tag, digest=None)

    def with_digest(self, digest: Digest) -> Reference:
        """The same repository at `digest`, without a tag."""
        return replace(self, tag=None, digest=digest)

    def with_repository(self, repository: str) -> Reference:
        """The same host, tag and digest in another repository."""
        return replace(self, repository=repository)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def _split_host(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        host, repository = (_DOCKER_HUB if first == "index.docker.io" else first), rest
    else:
        host, repository = _DOCKER_HUB, name
    return host, f"library/{repository}" if host == _DOCKER_HUB and "/" not in repository else repository
