"""Alpine's order of versions: `digits{.digits}[letter]{_suffix[number]}[~hash][-r#]`.

Source: apk-package(5) and the behaviour of apk-tools 3. Wolfi and Chainguard use it too.

Two versions are compared token by token. Where the kinds of token differ, the kind decides, and the end of the version is a kind among them: the ranks
below are that order, lowest first. A number after the first dot that begins with 0 is compared as text, as Gentoo does (1.01 < 1.1).
"""

from __future__ import annotations

import re

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH
from pratique.errors import InvalidVersion

_SUFFIXES = {
    name: (rank, position)
    for rank, names in ((0, ("alpha", "beta", "pre", "rc")), (5, ("cvs", "svn", "git", "hg", "p")))
    for position, name in enumerate(names)
}
_END = 1
_REVISION = 2
_HASH = 3
_SUFFIX_NUMBER = 4
_LETTER = 6
_DIGITS = 7
_SUFFIX = re.compile(rf"_({'|'.join(sorted(_SUFFIXES, key=len, reverse=True))})([0-9]*)")
_VERSION = re.compile(
    rf"([0-9]+)((?:\.[0-9]+)*)([a-z]?)((?:_(?:{'|'.join(sorted(_SUFFIXES, key=len, reverse=True))})[0-9]*)*)(?:~([0-9a-f]+))?(?:-r([0-9]+))?"
)

Key = tuple[int | str, ...]


def key(version: str) -> Key:
    """Compute the sort key of an Alpine version.

    Raises InvalidVersion.
    """
    match = _VERSION.fullmatch(version) if len(version) <= MAX_VERSION_LENGTH else None
    if match is None:
        raise InvalidVersion(f"expected an apk version, got {version[:140]!r}")
    first, digits, letter, suffixes, commit, revision = match.groups()
    values: list[int | str] = [int(first)]
    for text in digits.split(".")[1:]:
        # text with a leading 0 sorts below every number without one, and by its characters among its like
        values += (_DIGITS, 0, text) if text[0] == "0" else (_DIGITS, 1, int(text))
    if letter:
        values += (_LETTER, letter)
    for suffix, number in _SUFFIX.findall(suffixes):
        values += _SUFFIXES[suffix]
        if number:
            values += (_SUFFIX_NUMBER, int(number))
    if commit is not None:
        values += (_HASH, commit)
    if revision is not None:
        values += (_REVISION, int(revision))
    values.append(_END)
    return tuple(values)
