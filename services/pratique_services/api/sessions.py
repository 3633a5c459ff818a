"""Logging in and out: a page takes a token and keeps it in a cookie that no script reads and no other site sends."""

from __future__ import annotations

from aiohttp import web

from pratique_services.api.browsing import Browsing, Handler, Visit, is_own_path, read_form, see_other
from pratique_services.api.rendering import render


def add_sessions(app: web.Application, browsing: Browsing) -> None:
    """Add the login page and the two forms."""
    app.router.add_get("/login", browsing.guarded(_show_login))
    app.router.add_post("/login", browsing.guarded(_log_in(browsing)))
    app.router.add_post("/logout", browsing.form(_log_out))


async def _show_login(request: web.Request) -> web.StreamResponse:
    return _login_page(request, request.query.get("next", "/"))


def _login_page(request: web.Request, wanted: str, *, refusal: str = "", status: int = 200) -> web.Response:
    context = {"caller": None, "next": wanted if is_own_path(wanted) else "/", "refusal": refusal}
    return render(request, "login.html", context, status=status)


def _log_in(browsing: Browsing) -> Handler:
    access = browsing.access

    async def log_in(request: web.Request) -> web.StreamResponse:
        form = await read_form(request, access)
        wanted = form.get("next", "/")
        caller = await access.identify_token(form.get("token", "").strip())
        if caller is None or caller.token is None:
            return _login_page(request, wanted, refusal="This token is unknown, expired or revoked.", status=401)
        response = see_other(wanted if is_own_path(wanted) else "/")
        response.set_cookie(access.cookie, caller.token, httponly=True, samesite="Strict", secure=access.is_secure, path="/")
        return response

    return log_in


async def _log_out(visit: Visit) -> web.StreamResponse:
    response = see_other("/login")
    access = visit.access
    response.del_cookie(access.cookie, httponly=True, samesite="Strict", secure=access.is_secure, path="/")
    return response
