"""How the embedded registry says no: error bodies and statuses of distribution's API (docs/spec/api.md, "Errors")."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPMethod

from aiohttp import web

from pratique.errors import DigestMismatch, InvalidDigest, InvalidManifest, InvalidReference, LimitExceeded, MissingError

_STATUSES: dict[str, type[web.HTTPException]] = {
    "BLOB_UNKNOWN": web.HTTPNotFound,
    "BLOB_UPLOAD_INVALID": web.HTTPNotFound,
    "BLOB_UPLOAD_UNKNOWN": web.HTTPNotFound,
    "DIGEST_INVALID": web.HTTPBadRequest,
    "MANIFEST_BLOB_UNKNOWN": web.HTTPBadRequest,
    "MANIFEST_INVALID": web.HTTPBadRequest,
    "MANIFEST_UNKNOWN": web.HTTPNotFound,
    "NAME_INVALID": web.HTTPBadRequest,
    "NAME_UNKNOWN": web.HTTPNotFound,
    "PAGINATION_NUMBER_INVALID": web.HTTPBadRequest,
    "RANGE_INVALID": web.HTTPRequestRangeNotSatisfiable,
    "SIZE_INVALID": web.HTTPBadRequest,
    "TOOMANYREQUESTS": web.HTTPTooManyRequests,
    "UNAVAILABLE": web.HTTPServiceUnavailable,
}


def refusal(code: str, message: str) -> web.HTTPException:
    """Build the answer to raise for one of distribution's error codes."""
    return _STATUSES[code](text=_body(code, message), content_type="application/json")


def unsupported(request: web.Request, message: str) -> web.HTTPException:
    """Build the answer to raise for something that this registry is told not to do."""
    allowed = {HTTPMethod.GET, HTTPMethod.HEAD, HTTPMethod.PUT}
    return web.HTTPMethodNotAllowed(request.method, allowed, text=_body("UNSUPPORTED", message), content_type="application/json")


@web.middleware
async def refuse_bad_input(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Answer errors of the library with distribution's codes."""
    with _translated():
        return await handler(request)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (InvalidDigest, DigestMismatch) as error:
        raise refusal("DIGEST_INVALID", str(error)) from error
    except InvalidReference as error:
        raise refusal("NAME_INVALID", str(error)) from error
    except InvalidManifest as error:
        raise refusal("MANIFEST_INVALID", str(error)) from error
    except LimitExceeded as error:
        raise refusal("SIZE_INVALID", str(error)) from error
    except MissingError as error:
        raise refusal("MANIFEST_UNKNOWN", str(error)) from error


def _body(code: str, message: str) -> str:
    return json.dumps({"errors": [{"code": code, "message": message, "detail": None}]})
