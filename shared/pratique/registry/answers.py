"""What a registry's answers and failures mean: the one place where statuses and aiohttp's exceptions become errors of ours."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
import msgspec

from pratique.errors import InputError, LimitExceeded, MissingError, PratiqueError, RefusedError, RegistryUnavailable, UnsupportedError

READ_CHUNK = 64 * 1024
_MAX_ERROR_BYTES = 8 * 1024  # of an error's body: enough for its first message
_MAX_ERROR_TEXT = 300
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_RETRY_AFTER = 24 * 3600.0  # seconds: a registry cannot park work for years


class _Problem(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Problems(msgspec.Struct, frozen=True):
    errors: list[_Problem]


@asynccontextmanager
async def translated(host: str, what: str) -> AsyncIterator[None]:
    """Turn everything that aiohttp, TLS and sockets raise into RegistryUnavailable, RefusedError or InputError."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        reason = getattr(error.certificate_error, "verify_message", "") or type(error.certificate_error).__name__
        raise RefusedError(
            f"registry {host}: certificate not accepted ({reason}); set ca_file if it is issued by a private authority"
        ) from error
    except (aiohttp.ClientSSLError, ssl.SSLError) as error:
        raise RefusedError(
            f"registry {host}: no TLS connection ({_tls_reason(error)}); set plain_http if it is meant to be without TLS"
        ) from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise InputError(f"registry {host}: {what}: not a URL that can be requested") from error
    except TimeoutError as error:
        raise RegistryUnavailable(f"registry {host}: {what}: no answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise RegistryUnavailable(f"registry {host}: {what}: {type(error).__name__}: {str(error)[:_MAX_ERROR_TEXT]}") from error


def _tls_reason(error: Exception) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return getattr(cause, "reason", None) or type(cause).__name__


async def read_bounded(response: aiohttp.ClientResponse, limit: int, what: str) -> bytes:
    """Read a body of at most `limit` bytes; a longer one is given up before it is read.

    Raises LimitExceeded.
    """
    if (response.content_length or 0) > limit:
        raise LimitExceeded(f"{what}: answer of {response.content_length} bytes; the limit is {limit}")
    chunks = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise LimitExceeded(f"{what}: answer of more than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def error_of(response: aiohttp.ClientResponse, host: str, what: str) -> PratiqueError:
    """Give the error that an unexpected answer means: 401 and 403 refused, 404 missing, 405 and 501 unsupported, 429 and 5xx unavailable, else wrong input.

    A digest that is refused with a PUT is unavailable too, because the client computes it from what it sends: docker-registry answers so while
    another request rewrites the link of a blob that both use (its file system driver empties the file first).
    """
    status = response.status
    problem = _first_problem(await _read_start(response))
    text = f"registry {host}: {what}: {status} {problem}".rstrip()
    if status in {401, 403}:
        return RefusedError(text)
    if status in {404, 410}:
        return MissingError(text)
    if status in {405, 501}:
        return UnsupportedError(text)
    is_race = response.method == "PUT" and problem.startswith("DIGEST_INVALID")
    if is_race or status in _TRANSIENT or status > HTTPStatus.GATEWAY_TIMEOUT:
        return RegistryUnavailable(text, retry_after=parse_retry_after(response.headers.get("Retry-After")))
    return InputError(text)


async def _read_start(response: aiohttp.ClientResponse) -> bytes:
    content = b""
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > _MAX_ERROR_BYTES:
            break
    return content[:_MAX_ERROR_BYTES]


def _first_problem(content: bytes) -> str:
    try:
        problems = msgspec.json.decode(content, type=_Problems).errors
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return ""
    text = " ".join(f"{problem.code} {problem.message}".strip() for problem in problems[:1])
    return "".join(letter for letter in text if letter.isprintable())[:_MAX_ERROR_TEXT]


def parse_retry_after(value: str | None, now: dt.datetime | None = None) -> float | None:
    """Read a `Retry-After` header, in seconds from now: a number or an HTTP date. None where it says nothing usable."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(float(value[:12]), _MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return min(max((moment - (now or dt.datetime.now(dt.UTC))).total_seconds(), 0.0), _MAX_RETRY_AFTER)
