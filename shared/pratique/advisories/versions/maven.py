"""Maven's order of versions, that of ComparableVersion in Maven 3.9.

Source: Maven's POM reference, "Version Order Specification". 1. Numbers and words stand between dots, hyphens and changes from digit to letter. The latter
two begin a list within the list, and so does a word before a digit or the end. 2. Zeros and words that mean a release have no weight at the end of a list.
3. Lists are compared item by item; at one place a word is lower than a list, and a list lower than a number; the shorter one goes on with nothing.

Maven's own rules contradict each other in rare forms: `1` < `1-sp` < `1.0.rc.2` < `1`, or `1.x.1` < `1-alpha` < `1` < `1.x.1`. Here every word that is lower
than nothing begins a list, and words and lists that are lower than nothing come before the end, the others after it. Whatever is published is ordered as
by Maven.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused

_VERSION = re.compile(r"[!#%&'+,\-.0-9;=@-Z^_`a-z~]+")  # not what Maven refuses in a POM: \/:"<>|?*[](){}, $ of properties and white space
_TOKEN = re.compile(r"[.-]|[0-9]+|[^.0-9-]+")

_QUALIFIERS = {name: rank for rank, name in enumerate(("alpha", "beta", "milestone", "rc", "snapshot", "", "sp"))}
_QUALIFIERS |= {"cr": _QUALIFIERS["rc"], "ga": _QUALIFIERS[""], "final": _QUALIFIERS[""], "release": _QUALIFIERS[""]}
_RELEASE = _QUALIFIERS[""]
_UNKNOWN = len(_QUALIFIERS)
_BEFORE_DIGIT = {"a": "alpha", "b": "beta", "m": "milestone"}

_WORD_BELOW, _LIST_BELOW, _END, _WORD_ABOVE, _LIST_ABOVE, _NUMBER = range(6)

_Item = int | tuple[int, str]
Key = tuple[int | str, ...]


def key(version: str) -> Key:
    """Compute the sort key of a Maven version. Case has no weight.

    Raises InvalidVersion.
    """
    if len(version) > MAX_VERSION_LENGTH or _VERSION.fullmatch(version) is None:
        raise refused("a Maven version", version)
    return _flattened(_Lists().read(_TOKEN.findall(version.lower())))


@dataclass(slots=True)
class _Lists:
    """The lists of a version from the outermost in. Each holds the next one as its last item, so a sequence of lists says it all."""

    lists: list[list[_Item]] = field(default_factory=lambda: [[]])

    def read(self, tokens: list[str]) -> list[list[_Item]]:
        """Step 1."""
        before = "."
        for place, token in enumerate(tokens):
            after = tokens[place + 1] if place + 1 < len(tokens) else ""
            if token in ".-":
                self._separate(token, before)
            elif token[0].isdigit():
                self._begin(needed=before not in ".-")
                self.lists[-1].append(int(token))
            else:
                self._add_word(token, before, after)
            before = token
        return self.lists

    def _add_word(self, text: str, before: str, after: str) -> None:
        word = _word(_BEFORE_DIGIT.get(text, text) if after[:1].isdigit() else text)
        stays = after in {".", "-"} and _sign(word) >= 0  # a word before a separator stays in the list that it stands in
        self._begin(needed=before not in ".-" or (bool(self.lists[-1]) and not stays))
        self.lists[-1].append(word)

    def _separate(self, token: str, before: str) -> None:
        if before in ".-":
            self.lists[-1].append(0)
        self._begin(needed=token == "-")

    def _begin(self, *, needed: bool) -> None:
        if needed:
            self.lists.append([])


def _word(text: str) -> tuple[int, str]:
    rank = _QUALIFIERS.get(text)
    return (_UNKNOWN, text) if rank is None else (rank, "")


def _flattened(lists: list[list[_Item]]) -> Key:
    """Steps 2 and 3, from the innermost list out."""
    parts: list[tuple[int | str, ...]] = [(_END,)]
    inner = 0  # how the list within compares with nothing
    for items in reversed(lists):
        trimmed = _without_empty(items)
        if inner:
            parts.append((_LIST_BELOW if inner < 0 else _LIST_ABOVE,))
        parts.append(tuple(value for item in trimmed for value in _encoded(item)))
        inner = next((sign for item in trimmed if (sign := _sign(item))), inner)
    return tuple(value for part in reversed(parts) for value in part)


def _without_empty(items: list[_Item]) -> list[_Item]:
    end = len(items)
    while end and not _sign(items[end - 1]):
        end -= 1
    return items[:end]


def _sign(item: _Item) -> int:
    if isinstance(item, int):
        return 1 if item else 0
    return (item[0] > _RELEASE) - (item[0] < _RELEASE)


def _encoded(item: _Item) -> tuple[int | str, ...]:
    if isinstance(item, int):
        return _NUMBER, item
    return (_WORD_BELOW if item[0] < _RELEASE else _WORD_ABOVE, *item)
