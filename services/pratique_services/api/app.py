"""The API service: `/api`, the web pages, and the badge.

1. tell who asks, by token; 2. check the scope; 3. read the input, strictly; 4. answer from the tables that the other services write. Nothing here talks to
a registry: what is asked for goes to the outbox.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from pratique.runtime.resources import Resources
from pratique.runtime.settings import Settings
from pratique.storage.engine import Database
from pratique.vex.trust import NOBODY, VexTrust
from pratique_services.api import pages
from pratique_services.api.access import Access
from pratique_services.api.answers import NO_STORE, answer_problems, json_answer
from pratique_services.api.browsing import Browsing
from pratique_services.api.commands import Commands
from pratique_services.api.endpoints import Call
from pratique_services.api.inputs import NothingInput, parse_input, parse_query, read_body
from pratique_services.api.openapi import build_document
from pratique_services.api.operations import OPERATIONS, PREFIX, Operation

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mount(app: web.Application, resources: Resources) -> None:
    """Add the API below `/api/` and the pages at the root."""
    add_routes(app, resources.settings, resources.database, resources.relay.wake, vex=resources.vex)


def add_routes(app: web.Application, settings: Settings, database: Database, wake: Callable[[], None], *, vex: VexTrust = NOBODY) -> None:
    """Add all routes; `wake` is called after each commit, so that the outbox relay need not wait for its poll. `vex` takes findings away."""
    access = Access(settings=settings, database=database)
    commands = Commands(settings=settings, database=database, wake=wake)
    app.add_subapp(f"{PREFIX}/", create_api(access, commands, vex))
    pages.add_pages(app, Browsing(access=access, commands=commands, vex=vex))


def create_api(access: Access, commands: Commands, vex: VexTrust = NOBODY) -> web.Application:
    """Build the application below `/api/` from the table of operations."""
    api = web.Application(middlewares=[answer_problems])
    for operation in OPERATIONS:
        api.router.add_route(operation.method, operation.path, _serve(operation, access, commands, vex), name=operation.name)
    api.router.add_get("/openapi.json", _serve_document(build_document(anonymous_read=access.settings.anonymous_read)))
    return api


def _serve(operation: Operation, access: Access, commands: Commands, vex: VexTrust) -> _Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        caller = await access.identify_program(request)
        caller.require(operation.scope)
        call = Call(caller=caller, database=commands.database, commands=commands, vex=vex)
        answer = await operation.run(call, await _read_input(operation, request))
        if isinstance(answer, bytes):
            return web.Response(body=answer, status=operation.status, content_type="application/json", headers=NO_STORE)
        return json_answer(answer, status=operation.status)

    return serve


async def _read_input(operation: Operation, request: web.Request) -> msgspec.Struct:
    match operation.place:
        case "query":
            return parse_query(operation.takes, request)
        case "path":
            parse_query(NothingInput, request)
            return parse_input(operation.takes, request.match_info)
        case "body":
            parse_query(NothingInput, request)
            return await read_body(operation.takes, request)


def _serve_document(document: object) -> _Handler:
    content = msgspec.json.encode(document)

    async def serve(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type="application/json", headers={"X-Content-Type-Options": "nosniff"})

    return serve
