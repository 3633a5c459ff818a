"""What a verdict is about."""

from __future__ import annotations

from dataclasses import dataclass

from pratique.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One image: where it lies, the tags that point to it there (maybe none), and its manifest's digest."""

    host: str
    repository: str
    tags: tuple[str, ...]
    digest: Digest
