"""Records of `name: value` lines whose values go on in indented lines: R's DESCRIPTION, GHC's package configuration."""

from __future__ import annotations

import io

MAX_VALUE = 64 * 1024  # bytes of one value: names and licences are short, lists of directories have 1 KB; the rest is left out


def read_fields(content: bytes, wanted: frozenset[bytes]) -> dict[bytes, bytes]:
    """Return the wanted fields, lines of a value joined by one blank; of a repeated one the first counts. What is no such line is passed over."""
    found: dict[bytes, bytearray] = {}
    value = bytearray()
    for line in io.BytesIO(content):
        if line[0] in b" \t":
            if len(value) + len(line) <= MAX_VALUE:
                value += b" " + line.strip()
            continue
        name, colon, rest = line.partition(b":")
        if not colon and not line.strip():
            continue  # GHC sets multi-line values off with an empty line
        value = bytearray(rest.strip()[:MAX_VALUE])
        if colon and name in wanted:
            found.setdefault(name, value)
    return {name: bytes(value.strip()) for name, value in found.items()}
