"""Walks a JSON object that is too large to decode at once, member by member, and leaves the values where they are.

Only what finds a value's end is looked at: brackets and strings. Whoever decodes the value finds out whether it is JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

import msgspec

from pratique.errors import InvalidAdvisory

DEPTH = 8  # of arrays and objects inside a value; the pattern has this many levels

_SPACE = rb"[ \t\r\n]*+"
_STRING = rb'"(?:[^"\\]++|\\.)*+"'


def _nested(depth: int) -> bytes:
    """A pattern of a bracketed text. All of it is possessive, so a text is walked once and never back."""
    inner = rb"(?:[^]\[{}\"]++|" + _STRING + (rb"|" + _nested(depth - 1) if depth else rb"") + rb")*+"
    return rb"[\[{]" + inner + rb"[\]}]"  # which of the two, the decoder sees


_VALUE = re.compile(_nested(DEPTH) + rb"|" + _STRING + rb"|[^]\[{},\" \t\r\n]++", re.DOTALL)
# keys of up to 128 bytes and escapes; protects tables of keys
_KEY = re.compile(_SPACE + rb'"((?:[^"\\]|\\.){0,128}+)"' + _SPACE + rb":" + _SPACE, re.DOTALL)
_OPEN = re.compile(_SPACE + rb"\{" + _SPACE)
_NEXT = re.compile(_SPACE + rb"([,}])" + _SPACE)
_CLOSE = re.compile(rb"\}" + _SPACE)


@dataclass(frozen=True, slots=True)
class Member:
    """A key, and where its value is."""

    key: str
    start: int
    end: int


def read_members(buffer: mmap | bytes, start: int, end: int) -> Iterator[Member]:
    """Yield the members of the object that is all of `buffer[start:end]`, in its order.

    Raises InvalidAdvisory for what is no object, for one that ends early, and for values nested deeper than DEPTH.
    """
    position = _after(_OPEN.match(buffer, start, end), start)
    if (close := _CLOSE.match(buffer, position, end)) is not None:
        _check_end(close.end(), end)
        return
    while True:
        key = _KEY.match(buffer, position, end)
        value_at = _after(key, position)
        value_end = _after(_VALUE.match(buffer, value_at, end), value_at)
        yield Member(_text(key[1] if key else b""), value_at, value_end)
        follows = _NEXT.match(buffer, value_end, end)
        position = _after(follows, value_end)
        if follows and follows[1] == b"}":
            _check_end(position, end)
            return


def _after(match: re.Match[bytes] | None, position: int) -> int:
    if match is None:
        raise InvalidAdvisory(f"expected an object with values of up to {DEPTH} levels, cannot read on at byte {position}")
    return match.end()


def _check_end(position: int, end: int) -> None:
    if position != end:
        raise InvalidAdvisory(f"expected one object, got more at byte {position}")


def _text(key: bytes) -> str:
    try:
        return msgspec.json.decode(b'"%b"' % key, type=str)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidAdvisory(f"key that is no text: {key[:140]!r}") from error
