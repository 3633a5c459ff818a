"""A reader of what PHP's `serialize` wrote: arrays, strings, numbers, booleans, null. No objects and no references: PEAR stores none, and they could be cycles.

Format: `s:5:"bytes";`, `i:1;`, `d:0.5;`, `b:1;`, `N;`, `a:COUNT:{key value …}`; lengths are in bytes (PHP manual, "serialize").
"""

from __future__ import annotations

import re

from pratique.errors import InvalidRecord

MAX_DEPTH = 64  # arrays in arrays: PEAR's registry has 10; protects the stack
MAX_VALUES = 500_000  # a value of six bytes takes some 100 bytes of memory; PEAR's largest packages have 50,000

PhpValue = bytes | int | float | bool | None | dict[bytes | int, "PhpValue"]
"""A value: strings are bytes, arrays are dictionaries."""

_SCALAR = re.compile(rb"(?:N|([ib]):(-?\d{1,20})|d:([-+.\dA-Za-z]{1,40}));")
_STRING = re.compile(rb's:(\d{1,9}):"')
_ARRAY = re.compile(rb"a:(\d{1,9}):\{")


def parse_php(content: bytes) -> PhpValue:
    """Return the value that the bytes begin with; what follows is ignored, as PHP does.

    Raises InvalidRecord for anything else, for more than MAX_VALUES values, and for arrays deeper than MAX_DEPTH.
    """
    return _Reader(content).read(0)


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0
        self._values = 0

    def read(self, depth: int) -> PhpValue:
        self._values += 1
        if self._values > MAX_VALUES:
            raise InvalidRecord(f"more than {MAX_VALUES} serialized values")
        if depth > MAX_DEPTH:
            raise InvalidRecord(f"serialized arrays deeper than {MAX_DEPTH}")
        match self._content[self._position : self._position + 2]:
            case b"s:":
                return self._read_string()
            case b"a:":
                return self._read_array(depth)
            case _:
                return self._read_scalar()

    def _read_string(self) -> bytes:
        start = self._expect(_STRING)
        begin, end = start.end(), start.end() + int(start[1])
        if self._content[end : end + 2] != b'";':
            raise self._error()
        self._position = end + 2
        return self._content[begin:end]

    def _read_array(self, depth: int) -> dict[bytes | int, PhpValue]:
        count = int(self._expect(_ARRAY)[1])
        found: dict[bytes | int, PhpValue] = {}
        for _ in range(count):  # an absurd count ends where the bytes end
            key = self.read(depth + 1)
            if not isinstance(key, bytes | int):
                raise self._error()
            found[key] = self.read(depth + 1)
        if self._content[self._position : self._position + 1] != b"}":
            raise self._error()
        self._position += 1
        return found

    def _read_scalar(self) -> PhpValue:
        match = self._expect(_SCALAR)
        if match[3] is not None:
            try:
                return float(match[3])
            except ValueError:
                raise self._error() from None
        if match[1] is None:
            return None
        return bool(int(match[2])) if match[1] == b"b" else int(match[2])

    def _expect(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        match = pattern.match(self._content, self._position)
        if match is None:
            raise self._error()
        self._position = match.end()
        return match

    def _error(self) -> InvalidRecord:
        return InvalidRecord(
            f"expected PHP's serialize format at byte {self._position}, got {self._content[self._position : self._position + 20]!r}"
        )
