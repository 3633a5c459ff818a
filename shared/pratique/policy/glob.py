"""Globs over names with slashes."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from pratique.errors import InvalidPolicy

_MAX_LENGTH = 512  # with the linear matching below: protects time, names of packages come from images


@dataclass(frozen=True, slots=True, order=True)
class Glob:
    """A pattern: `*`, `?` and `[abc]` stay within one part between slashes, `**` as a whole part is any number of parts, `*` alone is everything.

    Raises InvalidPolicy for an empty or overlong pattern and for `**` beside other characters.
    """

    pattern: str

    def __post_init__(self) -> None:
        if not self.pattern or len(self.pattern) > _MAX_LENGTH:
            raise InvalidPolicy(f"expected a pattern of 1 to {_MAX_LENGTH} characters, got {len(self.pattern)}")
        if any("**" in part and part != "**" for part in self.pattern.split("/")):
            raise InvalidPolicy(f"expected ** to stand alone between slashes, got {self.pattern!r}")

    def matches(self, text: str) -> bool:
        """Tell whether the whole of `text` has this form. Case counts."""
        return self.pattern == "*" or _matches(self.pattern.split("/"), text.split("/"))


def matches_any(globs: tuple[Glob, ...], texts: tuple[str, ...]) -> bool:
    """Tell whether one of `texts` has one of the forms. No globs at all ask for nothing: that matches."""
    return not globs or any(glob.matches(text) for glob in globs for text in texts)


def _matches(pattern: list[str], parts: list[str]) -> bool:
    """Match part by part. On a mismatch only the last `**` takes one part more, which is enough and keeps the time at len(pattern) * len(parts)."""
    at = part = 0
    retry: tuple[int, int] | None = None
    while part < len(parts):
        if at < len(pattern) and pattern[at] == "**":
            retry = (at + 1, part)
            at += 1
        elif at < len(pattern) and fnmatchcase(parts[part], pattern[at]):
            at, part = at + 1, part + 1
        elif retry is not None:
            retry = (retry[0], retry[1] + 1)
            at, part = retry
        else:
            return False
    return all(rest == "**" for rest in pattern[at:])
