"""How webhook senders prove who they are. Every comparison takes constant time; two secrets may be valid during rotation."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Authenticator = Callable[["Incoming", str], bool]
"""Tells whether a request proves that its sender knows this one secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A webhook request: header names in lower case, the raw body, and the path token (`/hooks/<source>/<token>`), if any."""

    headers: Mapping[str, str]
    body: bytes
    token: str = ""


def is_authentic(incoming: Incoming, authenticator: Authenticator, secrets: Sequence[str]) -> bool:
    """Tell whether the request proves any of the secrets. All are tried, so that timing does not tell which one."""
    return True in [authenticator(incoming, secret) for secret in secrets]


def by_header(*names: str) -> Authenticator:
    """The secret itself in a header: as it is, behind `Bearer`, or as the password of `Basic`."""

    def authenticate(incoming: Incoming, secret: str) -> bool:
        given = [incoming.headers.get(name, "") for name in names]
        return True in [_equal(candidate, secret) for value in given for candidate in _candidates(value)]

    return authenticate


def by_hmac(algorithm: str, *names: str) -> Authenticator:
    """A hexadecimal HMAC of the body in a header, with or without an `algorithm=` in front."""

    def authenticate(incoming: Incoming, secret: str) -> bool:
        expected = hmac.new(secret.encode(), incoming.body, getattr(hashlib, algorithm)).hexdigest()
        given = [incoming.headers.get(name, "").rpartition("=")[2].lower() for name in names]
        return True in [_equal(value, expected) for value in given]

    return authenticate


def by_path(incoming: Incoming, secret: str) -> bool:
    """The secret as the last part of the URL: all that Quay and Docker Hub can do."""
    return _equal(incoming.token, secret)


def any_of(*authenticators: Authenticator) -> Authenticator:
    """Any one of several ways."""

    def authenticate(incoming: Incoming, secret: str) -> bool:
        return True in [one(incoming, secret) for one in authenticators]

    return authenticate


def _candidates(value: str) -> list[str]:
    scheme, _, rest = value.partition(" ")
    found = [value]
    if scheme.lower() == "bearer":
        found.append(rest.strip())
    if scheme.lower() == "basic":
        found.append(_basic_password(rest.strip()))
    return found


def _basic_password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode(errors="replace").partition(":")[2]
    except ValueError:  # not base64, or not even ASCII
        return ""


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode(errors="replace"))
