"""Reading fields out of attackers' JSON: every step checks the type, nothing is trusted for its shape."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from pratique.errors import InputError, InvalidMessage
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference

Json = Any
"""What a JSON decoder answers."""

MAX_EVENTS = 1000  # events in one body
_FRACTION = re.compile(r"(\.\d{6})\d+")


def parse_json(content: bytes) -> Mapping[str, Json]:
    """Decode a JSON object.

    Raises InvalidMessage.
    """
    try:
        decoded = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidMessage(f"body is not JSON: {error}") from error
    if not isinstance(decoded, dict):
        raise InvalidMessage(f"expected a JSON object, got {type(decoded).__name__}")
    return decoded


def pick(source: Json, path: str) -> Json:
    """Follow a dotted path through objects; None where it ends early."""
    for name in path.split("."):
        if not isinstance(source, dict):
            return None
        source = source.get(name)
    return source


def text(source: Json, *paths: str) -> str | None:
    """The first non-empty text among dotted paths."""
    for path in paths:
        value = pick(source, path)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def objects(source: Json, path: str) -> list[Mapping[str, Json]]:
    """The objects of a list, bounded; anything else in it is passed over."""
    value = pick(source, path)
    if not isinstance(value, list):
        return []
    if len(value) > MAX_EVENTS:
        raise InvalidMessage(f"{len(value)} entries in {path}; the limit is {MAX_EVENTS}")
    return [item for item in value if isinstance(item, dict)]


def required(value: str | None, name: str) -> str:
    """The value, or InvalidMessage that names the missing field."""
    if value is None:
        raise InvalidMessage(f"the event has no {name}")
    return value


def digest(value: str | None) -> Digest | None:
    """A digest if the text is one: several vendors put a digest where a tag belongs, and the other way round."""
    if value is None or not value.startswith(("sha256:", "sha512:")):
        return None
    try:
        return Digest.parse(value)
    except InputError as error:
        raise InvalidMessage(str(error)) from error


def tag(value: str | None) -> str | None:
    """A tag if the text is one and no digest."""
    return None if value is None or ":" in value else value


def moment(value: str | None) -> dt.datetime | None:
    """An RFC 3339 time in UTC; None for what is none. Nanoseconds are cut to what Python holds."""
    if value is None:
        return None
    try:
        parsed = dt.datetime.fromisoformat(_FRACTION.sub(r"\1", value))
    except ValueError:
        return None
    return parsed.astimezone(dt.UTC) if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)


def moment_of_epoch(value: Json) -> dt.datetime | None:
    """A time from seconds since 1970; None for what is none or out of range."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        return dt.datetime.fromtimestamp(value, dt.UTC)
    except (OverflowError, OSError, ValueError):
        return None


def split_reference(value: str) -> Reference:
    """Parse `host/repository[:tag][@digest]` without Docker's completion of short names.

    Raises InvalidMessage.
    """
    try:
        return Reference.parse(value)
    except InputError as error:
        raise InvalidMessage(str(error)) from error
