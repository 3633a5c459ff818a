"""What every page needs around it: who looks, what to do when nobody is logged in, forms that only our own pages can send, and problems as pages."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import web

from pratique.storage.engine import Database
from pratique.vex.trust import VexTrust
from pratique_services.api.access import Access, Caller
from pratique_services.api.answers import Problem, problem_of
from pratique_services.api.commands import Commands
from pratique_services.api.rendering import render

_FORM = "application/x-www-form-urlencoded"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One look at a page: by whom, and what it is made from."""

    request: web.Request
    caller: Caller
    access: Access
    commands: Commands
    vex: VexTrust

    @property
    def database(self) -> Database:
        """Where everything that pages show comes from."""
        return self.commands.database

    def show(self, template: str, context: Mapping[str, Any], *, status: int = 200) -> web.Response:
        """Render a page for this caller."""
        return render(self.request, template, {"caller": self.caller, **context}, status=status)


Page = Callable[[Visit], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Browsing:
    """Makes handlers of pages."""

    access: Access
    commands: Commands
    vex: VexTrust

    def page(self, show: Page) -> Handler:
        """Make the handler of a page: who may not read is sent to log in."""

        async def serve(request: web.Request) -> web.StreamResponse:
            caller = await self.access.identify_person(request)
            if caller is None:
                return ask_to_log_in(request)
            caller.require("read")
            return await show(self._visit(request, caller))

        return self.guarded(serve)

    def form(self, act: Page) -> Handler:
        """Make the handler of a form that changes something: only for people who are logged in, and only from our own pages."""

        async def serve(request: web.Request) -> web.StreamResponse:
            caller = await self.access.identify_person(request)
            if caller is None or caller.token is None:
                return ask_to_log_in(request)
            await require_own_form(request, self.access, caller)
            return await act(self._visit(request, caller))

        return self.guarded(serve)

    def guarded(self, handler: Handler) -> Handler:
        """Show what is raised as a page."""

        async def serve(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except Exception as error:  # noqa: BLE001 - the outside is met here
                return show_problem(request, problem_of(error, request))

        return serve

    def _visit(self, request: web.Request, caller: Caller) -> Visit:
        return Visit(request=request, caller=caller, access=self.access, commands=self.commands, vex=self.vex)


def show_problem(request: web.Request, problem: Problem) -> web.Response:
    """Render a problem as a page, with what to do next."""
    response = render(request, "problem.html", {"caller": None, "problem": problem}, status=problem.status)
    response.headers.update(problem.headers)
    return response


def ask_to_log_in(request: web.Request) -> web.Response:
    """Send a browser to the login page, and back afterwards.

    A link in another site's page, such as a chat, comes without our cookie, because that is SameSite=Strict. One more step, made by a page of our own, brings it.
    """
    if request.method == "GET" and request.headers.get("Sec-Fetch-Site") == "cross-site":
        return render(request, "continue.html", {"caller": None, "address": request.raw_path})
    wanted = request.raw_path if request.method == "GET" else "/"
    return see_other(f"/login?next={quote(wanted, safe='')}")


def see_other(path: str) -> web.Response:
    """Send a browser to another of our pages."""
    return web.Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})


def is_own_path(path: str) -> bool:
    """Tell whether a path is one of ours: never another site's address, however it is written."""
    if not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        return False
    parts = urlsplit(path)
    return not parts.scheme and not parts.netloc


async def read_form(request: web.Request, access: Access) -> Mapping[str, str]:
    """Read a small form that one of our own pages sent. Raises Problem 400, 403 or 415."""
    if not _is_same_origin(request, access):
        raise Problem(403, "this form was sent by another site")
    if request.content_type != _FORM:
        raise Problem(415, f"expected a form, got {request.content_type[:100]}")
    try:
        fields = await request.post()
    except (LookupError, UnicodeDecodeError) as error:
        raise Problem(400, "expected the form in UTF-8") from error
    return {name: value for name, value in fields.items() if isinstance(value, str)}


async def require_own_form(request: web.Request, access: Access, caller: Caller) -> None:
    """Raise Problem 403 unless one of our own pages, shown to this caller, sent the form."""
    token = (await read_form(request, access)).get("form_token", "")
    if not hmac.compare_digest(token.encode(), caller.form_token.encode()):
        raise Problem(403, "this form is not of your session: open the page again")


def _is_same_origin(request: web.Request, access: Access) -> bool:
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site == "same-origin"
    return origin is None or origin in {access.origin, f"{request.scheme}://{request.host}"}
