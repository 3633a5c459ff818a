"""Gentoo's order of versions: `digits{.digits}[letter]{_suffix[number]}[-r#]`.

Source: the Package Manager Specification, chapter 3.3. A number after the first dot that begins with 0 is compared as a fraction: 1.01 < 1.1, 1.010 == 1.01.
"""

from __future__ import annotations

import re

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused

_SUFFIXES = {"alpha": -4, "beta": -3, "pre": -2, "rc": -1, "p": 0}
_NO_SUFFIX = (0, -1)  # below `_p`, above `_rc`
_VERSION = re.compile(r"([0-9]+)((?:\.[0-9]+)*)([a-z]?)((?:_(?:alpha|beta|pre|rc|p)[0-9]*)*)(?:-r([0-9]+))?")
_SUFFIX = re.compile(r"_([a-z]+)([0-9]*)")
_LETTER, _FRACTION, _NUMBER = range(3)

Key = tuple[int | str, ...]


def key(version: str) -> Key:
    """Compute the sort key of a Gentoo version.

    Raises InvalidVersion.
    """
    match = _VERSION.fullmatch(version) if len(version) <= MAX_VERSION_LENGTH else None
    if match is None:
        raise refused("a Gentoo version", version)
    first, numbers, letter, suffixes, revision = match.groups()
    values: list[int | str] = [int(first)]
    for text in numbers.split(".")[1:]:
        values += (_FRACTION, text.rstrip("0")) if text[0] == "0" else (_NUMBER, int(text))
    values += (_LETTER, letter)
    for suffix, number in _SUFFIX.findall(suffixes):
        values += (_SUFFIXES[suffix], int(number or 0))
    values += (*_NO_SUFFIX, int(revision or 0))
    return tuple(values)
