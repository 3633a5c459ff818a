"""Questions to a running pratique over its API."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any

import aiohttp

from pratique.errors import MissingError, PratiqueError, RefusedError, UnavailableError

DEFAULT_SERVER = "http://127.0.0.1:8080"
_REQUEST_SECONDS = 30.0
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


async def ask(
    options: argparse.Namespace, method: str, path: str, *, params: Mapping[str, str] | None = None, json: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    """Ask the server that `options.server` or PRATIQUE_SERVER names, with PRATIQUE_TOKEN where it is set; answer the document.

    Raises MissingError, RefusedError, and UnavailableError for everything else that is no answer.
    """
    server = (options.server or os.environ.get("PRATIQUE_SERVER") or DEFAULT_SERVER).rstrip("/")
    token = os.environ.get("PRATIQUE_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
            session.request(method, f"{server}/api/v1/{path}", params=params, json=json) as response,
        ):
            body = await response.json(content_type=None)
            if not isinstance(body, dict):
                raise UnavailableError(f"{server} answered {response.status} with something else than an object: is that pratique?")
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise UnavailableError(f"{server} gives no answer ({error or type(error).__name__}): is `pratique up` running there?") from error
    if response.status < 300:  # noqa: PLR2004
        return body
    problem = body.get("error")
    raise _refusal(response.status, str(problem.get("message") if isinstance(problem, dict) else "no reason given"))


def _refusal(status: int, message: str) -> PratiqueError:
    if status == _NOT_FOUND:
        return MissingError(message)
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        return RefusedError(f"{message}: set PRATIQUE_TOKEN (`pratique tokens create` makes one)")
    return UnavailableError(f"the server answered {status}: {message}")
