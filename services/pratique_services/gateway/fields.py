"""Reading fields out of attackers' JSON: every step checks the type, nothing is trusted for its shape."""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from pratique.errors import InputError, InvalidMessage
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference

Json = Any
"""What a JSON decoder answers."""

MAX_EVENTS = 1000  # events in one body: protects the ledger against one request that writes for minutes
MAX_TEXT = 2048  # characters of one field: protects the ledger and the logs
_OLDEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)  # Go's zero time, year 1, means that there is no time
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
    """The first non-empty text among dotted paths.

    Raises InvalidMessage for one that is too long or holds control characters.
    """
    for path in paths:
        value = pick(source, path)
        if isinstance(value, str) and value.strip():
            return _checked(value.strip(), path)
    return None


def texts(source: Json, path: str) -> list[str]:
    """The texts of a list, bounded; anything else in it is passed over.

    Raises InvalidMessage for what is no list.
    """
    value = pick(source, path)
    if not isinstance(value, list):
        raise InvalidMessage(f"expected a list in {path}")
    return [_checked(item, path) for item in _bounded(value, path) if isinstance(item, str)]


def objects(source: Json, path: str) -> list[Mapping[str, Json]]:
    """The objects of a list, bounded; anything else in it is passed over."""
    value = pick(source, path)
    if not isinstance(value, list):
        return []
    return [item for item in _bounded(value, path) if isinstance(item, dict)]


def required(value: str | None, name: str) -> str:
    """The value, or InvalidMessage that names the missing field."""
    if value is None:
        raise InvalidMessage(f"the event has no {name}")
    return value


def digest(value: str | None) -> Digest | None:
    """A digest if the text is one: several vendors put a digest where a tag belongs, and the other way round.

    Raises InvalidMessage for one that begins like a digest and is none.
    """
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
    """An RFC 3339 time in UTC; None for what is none, or before 1970. Nanoseconds are cut to what Python holds."""
    if value is None:
        return None
    try:
        parsed = dt.datetime.fromisoformat(_FRACTION.sub(r"\1", value))
        in_utc = parsed.astimezone(dt.UTC) if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError):  # the year 1, moved to the west, is in the year 0
        return None
    return in_utc if in_utc > _OLDEST else None


def moment_of_epoch(value: Json) -> dt.datetime | None:
    """A time from seconds since 1970; None for what is none or out of range."""
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        return None
    try:
        return dt.datetime.fromtimestamp(value, dt.UTC)
    except (OverflowError, OSError, ValueError):
        return None


def split_reference(value: str) -> Reference:
    """Parse `host/repository[:tag][@digest]`. Unlike on a command line, the host must be there: `team/app` is not on Docker Hub.

    Raises InvalidMessage.
    """
    try:
        reference = Reference.parse(value)
    except InputError as error:
        raise InvalidMessage(str(error)) from error
    if not value.startswith(f"{reference.host}/"):
        raise InvalidMessage(f"expected a registry's host in front of {value[:140]!r}")
    return reference


def host_of(url: str | None) -> str:
    """The `host[:port]` of a URL, or "" where there is none.

    Raises InvalidMessage.
    """
    try:
        return urlsplit(url).netloc.rpartition("@")[2] if url else ""
    except ValueError as error:  # brackets without an address in them
        raise InvalidMessage(f"expected a URL, got {url!r:.140}") from error


def decode_base64(value: str, name: str) -> bytes:
    """The bytes behind base64.

    Raises InvalidMessage that names the field.
    """
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:  # not base64, or not even ASCII
        raise InvalidMessage(f"{name} is not base64") from error


def _bounded(value: list[Json], path: str) -> list[Json]:
    if len(value) > MAX_EVENTS:
        raise InvalidMessage(f"{len(value)} entries in {path}; the limit is {MAX_EVENTS}")
    return value


def _checked(value: str, path: str) -> str:
    if len(value) > MAX_TEXT:
        raise InvalidMessage(f"{len(value)} characters in {path}; the limit is {MAX_TEXT}")
    if not value.isprintable():
        raise InvalidMessage(f"expected printable text in {path}")
    return value
