"""JSON that package managers wrote, decoded into typed structures within bounds."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from pratique.errors import InvalidRecord, LimitExceeded

MAX_VALUES = (
    2_000_000  # commas, in strings or not: each element of a list may become an object of 100 bytes; 64 MB of real records have 1.9 million
)

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
StructT = TypeVar("StructT")


def decode_json(decoder: msgspec.json.Decoder[StructT], content: bytes, what: str, max_values: int = MAX_VALUES) -> StructT:
    """Decode `content`; fields that the decoder's type does not name are skipped and take no memory.

    Raises InvalidRecord for what is no JSON of that shape (nested too deeply included), LimitExceeded for more than `max_values` values.
    """
    if content.count(b",") > max_values:
        raise LimitExceeded(f"{what} of more than {max_values} values")
    try:
        return decoder.decode(content.removeprefix(_BYTE_ORDER_MARK))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:  # msgspec bounds the depth by the interpreter's recursion limit
        raise InvalidRecord(f"expected {what}: {error}") from error
