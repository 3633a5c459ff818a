"""Debian's order of versions: `[epoch:]upstream[-revision]`.

Source: deb-version(7) and Debian Policy 5.6.12. As lenient as `dpkg --compare-versions` is: an upstream version may begin with a letter.

The key is one text that holds what dpkg's algorithm would compare, character by character, in characters that sort in that order. A part of a version is
cut into pieces of (text, number). In the text `~` sorts before the end of the text, the end before letters, and letters before all else. Where a number
is missing at the end it counts as 0.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, ordered_digits, refused

_VERSION = re.compile(r"[A-Za-z0-9.+~:-]+")
_MAX_EPOCH = 2**31 - 1  # dpkg keeps it in a C int
_NUMBERED = re.compile(r"[^0-9]*[0-9]+|[^0-9]+")
_END = "\x02"
_NO_NUMBER = _END + ordered_digits("0")
_NOTHING = _NO_NUMBER + _END
_NO_EPOCH = ordered_digits("0")
_ORDER = str.maketrans({"~": "\x01", "+": "\x7b", "-": "\x7c", ".": "\x7d", ":": "\x7e", "_": "\x7f"})
_CACHED = 1 << 14  # upstream versions and revisions are often alike, and `.1` or `+deb12` are everywhere; some 4 MB each


def key(version: str) -> str:
    """Compute the sort key of a Debian version. Surrounding white space is not looked at.

    Raises InvalidVersion.
    """
    text = version.strip(" \t\n")
    if len(text) > MAX_VERSION_LENGTH or _VERSION.fullmatch(text) is None:
        raise refused("a Debian version", version)
    epoch, colon, rest = text.partition(":")
    if not colon:
        rest = text
    elif not (epoch.isdigit() and int(epoch) <= _MAX_EPOCH):
        raise refused("a Debian version", version)
    upstream, hyphen, revision = rest.rpartition("-")
    if not revision or (hyphen and not upstream):
        raise refused("a Debian version", version)
    start = ordered_digits(epoch) if colon else _NO_EPOCH
    return start + part_key(upstream) + part_key(revision) if hyphen else start + part_key(revision) + _NOTHING


@lru_cache(maxsize=_CACHED)
def part_key(text: str) -> str:
    """Compute the sort key of one part of a version; no key is the beginning of another."""
    return "".join(map(_piece, _NUMBERED.findall(text))) + _END


@lru_cache(maxsize=_CACHED)
def _piece(piece: str) -> str:
    text = piece.rstrip("0123456789")
    digits = piece[len(text) :]
    return text.translate(_ORDER) + (_END + ordered_digits(digits) if digits else _NO_NUMBER)
