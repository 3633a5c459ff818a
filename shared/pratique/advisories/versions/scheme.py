"""What every version scheme answers, and how their keys hold numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from pratique.errors import InvalidVersion

MAX_VERSION_LENGTH = 1000
"""Characters. Real versions stay below 130; protects the parsers, which are linear in it, and keeps numbers below Python's limit on digits."""

_SHOWN = 140  # characters of a refused version in the message


class SortKey(Protocol):
    """A hashable value whose order is the order of versions; comparable with keys of the same scheme only."""

    def __lt__(self, other: Self, /) -> bool: ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How the versions of an ecosystem are ordered.

    `load` gives the function that makes keys. It raises InvalidVersion for what is not a version; `""` never is. What it needs is imported when it is asked
    first: an image asks for three or four of the twenty schemes.
    """

    name: str
    load: Callable[[], Callable[[str], SortKey]]


def refused(expected: str, version: str) -> InvalidVersion:
    """Make the error for a text that is not a version; `expected` reads `a Debian version`."""
    return InvalidVersion(f"expected {expected}, got {version[:_SHOWN]!r}")


def ordered_digits(digits: str) -> str:
    """Rewrite digits so that the results sort as text in the order of the numbers: the length without leading zeros, as one character, comes first.

    No number is computed, so thousands of digits cost no more than their length.
    """
    significant = digits.lstrip("0")
    return chr(0x30 + len(significant)) + significant
