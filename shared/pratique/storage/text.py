"""Text, JSON, ids and times that both databases accept and agree on."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from pratique.errors import LimitExceeded
from pratique.oci.digest import Digest

DigestLike = Digest | str
"""A digest as a value or as `algorithm:hex`."""

MAX_KEY = 255  # characters of a text in an index: PostgreSQL refuses index rows of more than 2,700 bytes
_MAX_JSON_DEPTH = 64  # protects the recursion below and PostgreSQL's parser
_REFUSED = re.compile("[\0\ud800-\udfff]")
_ItemT = TypeVar("_ItemT")


def clean_text(text: str) -> str:
    """Replace what PostgreSQL refuses, NUL and lone surrogates, by U+FFFD.

    Names and paths come from images, where they may hold any bytes. They are replaced and not removed, so that no name becomes empty.
    """
    return _REFUSED.sub("\ufffd", text) if _REFUSED.search(text) else text


def clean_json(value: Any, *, depth: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Clean all text in a JSON value; infinities and NaN, which JSON does not have, become null. Raises LimitExceeded when nested too deeply."""
    if depth > _MAX_JSON_DEPTH:
        raise LimitExceeded(f"expected JSON nested at most {_MAX_JSON_DEPTH} deep")
    match value:
        case str():
            return clean_text(value)
        case float() if not math.isfinite(value):
            return None
        case Mapping():
            return {clean_text(str(key)): clean_json(item, depth=depth + 1) for key, item in value.items()}
        case list() | tuple():
            return [clean_json(item, depth=depth + 1) for item in value]
        case _:
            return value


def shorten_key(text: str) -> str:
    """Return text that fits an index: what is longer than MAX_KEY keeps its beginning and ends in its sha256, so that it stays distinct."""
    cleaned = clean_text(text)
    if len(cleaned) <= MAX_KEY:
        return cleaned
    ending = f"…sha256:{hashlib.sha256(cleaned.encode()).hexdigest()}"
    return cleaned[: MAX_KEY - len(ending)] + ending


def hash_json(value: Any) -> str:  # noqa: ANN401 - JSON
    """Compute the sha256, in hex, of a JSON value in canonical form."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def new_id() -> str:
    """Make an id of 32 hex digits: nanoseconds since 1970, then 64 random bits. Ids sort by the time they were made."""
    return f"{time.time_ns():016x}{secrets.token_hex(8)}"


def utc_now() -> dt.datetime:
    """Return the time of this machine. Leases are compared by it: workers keep their clocks within a few seconds of each other (NTP)."""
    return dt.datetime.now(dt.UTC)


def in_chunks(items: Iterable[_ItemT], size: int = 500) -> Iterator[Sequence[_ItemT]]:
    """Cut into pieces: a statement takes at most 32,767 parameters on PostgreSQL and 32,766 on SQLite."""
    iterator = iter(items)
    while piece := tuple(islice(iterator, size)):
        yield piece
