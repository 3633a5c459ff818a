"""Alpine's order of versions: `digits{.digits}[letter]{_suffix[number]}[~hash][-r#]`.

Source: apk-package(5) and the behaviour of apk-tools 3. Wolfi and Chainguard use it too.

Two versions are compared token by token. Where the kinds of token differ, the kind decides, and the end of the version is a kind among them: the ranks
below are that order, lowest first. A number after the first dot that begins with 0 is compared as text, as Gentoo does (1.01 < 1.1).

The key is one text: each token as a character for its kind and then its value. Kinds are characters below every value, so a text that goes on is higher
than one that ends.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, ordered_digits, refused

_BEFORE = ("alpha", "beta", "pre", "rc")
_AFTER = ("cvs", "svn", "git", "hg", "p")
_SUFFIX_BEFORE, _END, _REVISION, _HASH, _SUFFIX_NUMBER, _SUFFIX_AFTER, _LETTER, _DIGITS = map(chr, range(8))
_SUFFIXES = {
    name: mark + str(position)
    for mark, names in ((_SUFFIX_BEFORE, _BEFORE), (_SUFFIX_AFTER, _AFTER))
    for position, name in enumerate(names)
}
_SUFFIX = "|".join(sorted(_SUFFIXES, key=len, reverse=True))
_VERSION = re.compile(rf"[0-9]+(?:\.[0-9]+)*[a-z]?(?:_(?:{_SUFFIX})[0-9]*)*(?:~[0-9a-f]+)?(?:-r[0-9]+)?")
_TOKEN = re.compile(r"\.?[0-9]+|_[a-z]+[0-9]*|~[0-9a-f]+|-r[0-9]+|[a-z]")
_CACHED_TOKENS = 1 << 14  # `.1`, `-r0`: a few thousand make up all versions of a distribution; 2 MB


def key(version: str) -> str:
    """Compute the sort key of an Alpine version.

    Raises InvalidVersion.
    """
    if len(version) > MAX_VERSION_LENGTH or _VERSION.fullmatch(version) is None:
        raise refused("an apk version", version)
    return "".join(map(_token, _TOKEN.findall(version))) + _END


@lru_cache(maxsize=_CACHED_TOKENS)
def _token(token: str) -> str:
    match token[0]:
        case ".":
            # text with a leading 0 sorts below every number without one, and by its characters among its like
            return _DIGITS + (token[1:] if token[1] == "0" else ordered_digits(token[1:]))
        case "_":
            name = token[1:].rstrip("0123456789")
            number = token[1 + len(name) :]
            return _SUFFIXES[name] + (_SUFFIX_NUMBER + ordered_digits(number) if number else "")
        case "~":
            return _HASH + token[1:]
        case "-":
            return _REVISION + ordered_digits(token[2:])
        case first if first.isdigit():
            return ordered_digits(token)
        case _:
            return _LETTER + token
