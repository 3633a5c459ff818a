"""RubyGems' order of versions: numbers and words, missing ones counting as 0, and words below numbers.

Source: the documentation of `Gem::Version`. `1.0.a` is a prerelease of `1.0`, and `-` is `.pre.`. Zeros before the first word have no weight, nor have those
at the end: `1.0.a` is `1.a`.
"""

from __future__ import annotations

import re

from pratique.advisories.versions.padded import Key, padded
from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused

_VERSION = re.compile(r"[0-9]+(?:\.[0-9A-Za-z]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?")
_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+")


def key(version: str) -> Key:
    """Compute the sort key of a gem's version. Surrounding white space is not looked at.

    Raises InvalidVersion.
    """
    text = version.strip() if len(version) <= MAX_VERSION_LENGTH else ""
    if _VERSION.fullmatch(text) is None:
        raise refused("a gem's version", version)
    segments = _SEGMENT.findall(text.replace("-", ".pre."))
    word = next((place for place, segment in enumerate(segments) if segment.isalpha()), len(segments))
    release = word
    while release and not segments[release - 1].strip("0"):
        release -= 1
    return padded(_element(segment) for segment in segments[:release] + segments[word:])


def _element(segment: str) -> tuple[int, int | str]:
    if segment.isalpha():
        return -1, segment
    return (1, int(segment)) if segment.strip("0") else (0, 0)
