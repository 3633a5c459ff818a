"""RPM's order of versions: `[epoch:]version[-release]`.

Source: rpm-version(7) and the behaviour of rpm 4.18. A version and a release are sequences of segments, numbers and words; what else stands between them
only separates. Segment by segment, the lowest first: a tilde, the end, a caret, a word, a number. Words compare as ASCII text.

A missing epoch is 0. A missing release is lower than every release, as rpm itself compares two labels (a dependency would take any). More lenient than
rpmbuild, as rpm is when it compares: any printable character may separate.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, ordered_digits, refused

_WORD = re.compile(r"[A-Za-z]+|[~^]")
_MAX_EPOCH = 2**32 - 1  # rpm keeps it in 32 bits
_WORD_END = "\x00"  # below every mark and letter: a word that goes on is higher
_TILDE, _END, _CARET = "\x01", "\x02", "\x03"
_NUMBER = "\x7f"  # above every letter
_MARKS = {"~": _TILDE, "^": _CARET}
_NO_EPOCH = ordered_digits("0")
_NUMBERED = re.compile(r"[^0-9]*[0-9]+|[^0-9]+")
_CACHED = 1 << 14  # versions and releases are often alike, and `.el8` or `.12` are everywhere; some 4 MB each


def key(version: str) -> str:
    """Compute the sort key of an RPM label, an epoch, a version and a release.

    Raises InvalidVersion.
    """
    if len(version) > MAX_VERSION_LENGTH or not version.isascii() or not version.isprintable() or " " in version:
        raise refused("an RPM version", version)
    epoch, colon, rest = version.rpartition(":")
    if colon and not (epoch.isdigit() and int(epoch) <= _MAX_EPOCH):
        raise refused("an RPM version", version)
    number, hyphen, release = rest.rpartition("-")
    if not release or (hyphen and not number):
        raise refused("an RPM version", version)
    start = ordered_digits(epoch) if colon else _NO_EPOCH
    return start + _part(number) + _part(release) if hyphen else start + _part(release)


@lru_cache(maxsize=_CACHED)
def _part(text: str) -> str:
    return "".join(map(_piece, _NUMBERED.findall(text))) + _END


@lru_cache(maxsize=_CACHED)
def _piece(piece: str) -> str:
    text = piece.rstrip("0123456789")
    digits = piece[len(text) :]
    return _words(text) + _NUMBER + ordered_digits(digits) if digits else _words(text)


@lru_cache(maxsize=_CACHED)
def _words(text: str) -> str:
    return "".join(_MARKS.get(word) or word + _WORD_END for word in _WORD.findall(text))
