"""What every version scheme answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

MAX_VERSION_LENGTH = 512  # real ones stay below 120 characters; protects the parsers, which are linear in it, and Python's limit on digits


class SortKey(Protocol):
    """A hashable value whose order is the order of versions; comparable with keys of the same scheme only."""

    def __lt__(self, other: Self, /) -> bool: ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How the versions of an ecosystem are ordered. `key` raises InvalidVersion for what is not a version; `""` never is."""

    name: str
    key: Callable[[str], SortKey]
