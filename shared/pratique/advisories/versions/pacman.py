"""pacman's order of versions: `[epoch:]version[-release]`, for Arch Linux.

Source: vercmp(8) and the behaviour of pacman 6.0. As in old RPM a version is a sequence of numbers and words, but more separators are higher than fewer, and
a word that follows a number directly is a prerelease: 1.0a < 1.0 < 1.0.a. A missing epoch is 0. A missing release is the lowest here; vercmp takes it
for any, which is no order.
"""

from __future__ import annotations

import re

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused

_VERSION = re.compile(r"(?:([0-9]+):)?([0-9A-Za-z.+_~^@-]+?)(?:-([0-9]+(?:\.[0-9]+)?))?")
_SEGMENT = re.compile(r"([^0-9A-Za-z]*)([0-9]+|[A-Za-z]+|$)")
_WORD, _END, _NUMBER, _SEPARATED = range(4)

Key = tuple[int | str, ...]


def key(version: str) -> tuple[int, Key, Key]:
    """Compute the sort key of a version of a package of Arch Linux.

    Raises InvalidVersion.
    """
    match = _VERSION.fullmatch(version) if len(version) <= MAX_VERSION_LENGTH else None
    if match is None:
        raise refused("a pacman version", version)
    epoch, number, release = match.groups()
    return int(epoch or 0), _part(number), _part(release or "")


def _part(text: str) -> Key:
    values: list[int | str] = []
    for separators, segment in _SEGMENT.findall(text):
        if separators:
            values += (_SEPARATED, len(separators))
        if segment:
            values += (_NUMBER, int(segment)) if segment.isdigit() else (_WORD, segment)
    return (*values, _END)
