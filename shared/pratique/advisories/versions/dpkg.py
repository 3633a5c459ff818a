"""Debian's order of versions: `[epoch:]upstream[-revision]`.

Source: deb-version(7) and Debian Policy 5.6.12. As lenient as `dpkg --compare-versions` is: an upstream version may begin with a letter.

The key holds what dpkg's algorithm would compare, character by character, as values that Python compares in the same order. A part is cut into
(text, number) pairs. In the text `~` sorts before the end of the part, the end before letters, and letters before all else.
"""

from __future__ import annotations

import re

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH
from pratique.errors import InvalidVersion

_VERSION = re.compile(r"(?:([0-9]{1,10}):)?([A-Za-z0-9.+~:-]*[A-Za-z0-9.+~:]|[A-Za-z0-9.+~:])")
_MAX_EPOCH = 2**31 - 1  # dpkg keeps it in a C int
_DIGITS = re.compile(r"([0-9]+)")
_END = "\x02"
_ORDER = str.maketrans({"~": "\x01", "+": "\u012b", "-": "\u012d", ".": "\u012e", ":": "\u013a"})  # 256 + the character, as dpkg does

_Part = tuple[str | int, ...]
Key = tuple[int, _Part, _Part]


def key(version: str) -> Key:
    """Compute the sort key of a Debian version. Surrounding white space is not looked at.

    Raises InvalidVersion.
    """
    text = version.strip(" \t\n")
    match = _VERSION.fullmatch(text) if len(text) <= MAX_VERSION_LENGTH else None
    if match is None:
        raise InvalidVersion(f"expected a Debian version, got {version[:140]!r}")
    epoch, rest = match.groups()
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    if not upstream or upstream[0] == ":" or int(epoch or 0) > _MAX_EPOCH or (epoch is None and ":" in rest):
        raise InvalidVersion(f"expected a Debian version, got {version[:140]!r}")
    return int(epoch or 0), _part(upstream), _part(revision)


def _part(text: str) -> _Part:
    if text.isdigit() or not text:  # the commonest parts by far; an absent revision equals 0
        return (_END, int(text or 0), _END)
    texts = _DIGITS.split(text.translate(_ORDER))  # text, digits, text, ...: always ends with text, which may be empty
    values: list[str | int] = [*texts]
    values[::2] = [letters + _END for letters in texts[::2]]
    values[1::2] = map(int, texts[1::2])
    if texts[-1]:
        values += (0, _END)
    return tuple(values)
