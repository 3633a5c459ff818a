"""Answers: JSON, and problems in the one shape that all of them have, `{"error": {"code", "message"}}`."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from pratique.errors import InputError, MissingError, PratiqueError, UnavailableError

RETRY_AFTER_SECONDS = 5
NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "refused",
    500: "internal",
    503: "unavailable",
}

_log = structlog.get_logger()


class Problem(Exception):
    """An answer that is not the one asked for: a status, words for people, and headers that belong to the status."""

    def __init__(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})

    @property
    def code(self) -> str:
        """The word that programs tell problems apart by."""
        return _CODES.get(self.status, HTTPStatus(self.status).phrase.lower().replace(" ", "_"))


def json_answer(content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer a value as JSON; nobody keeps a copy."""
    return web.Response(
        body=msgspec.json.encode(content), status=status, content_type="application/json", headers={**NO_STORE, **(headers or {})}
    )


def json_problem(problem: Problem) -> web.Response:
    """Answer a problem as JSON."""
    return json_answer({"error": {"code": problem.code, "message": problem.message}}, status=problem.status, headers=problem.headers)


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn everything that is raised below into a problem in JSON."""
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001 - the outside is met here
        return json_problem(problem_of(error, request))


def problem_of(error: Exception, request: web.Request) -> Problem:
    """Say what an error means to who asked. What is not a caller's mistake, and not passing, is logged here and nowhere else."""
    match error:
        case Problem():
            return error
        case web.HTTPException():
            allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return Problem(error.status, _describe(error), headers=allowed)
        case MissingError():
            return Problem(404, str(error))
        case InputError():
            return Problem(400, str(error))
        case UnavailableError():
            _log.warning("request.postponed", path=request.path, error=str(error))
            return Problem(503, "the database is away: ask again", headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
        case PratiqueError():
            _log.error("request.failed", path=request.path, error=str(error))
        case _:
            _log.exception("request.failed", path=request.path, exc_info=error)
    return Problem(500, "something went wrong here; it is in the log of the api service")


def _describe(error: web.HTTPException) -> str:
    match error.status:
        case 404:
            return "there is nothing at this address"
        case 405:
            return "this address does not take that method"
        case 413:
            return "the body is too large"
        case _:
            return error.reason
