"""Pages as HTML: templates that escape everything, and headers that allow a page nothing but its own style sheet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import web

from pratique.reports.table import printable
from pratique_services.api import words

_FOLDER = Path(__file__).parent
_ENVIRONMENT = web.AppKey("api_templates", jinja2.Environment)
_MAX_TEXT = 2000  # characters of one value on a page: names from images have any length
_ASSETS = {"pratique.css": "text/css", "icon.svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # not no-referrer: browsers would send our own forms with `Origin: null`
    "X-Content-Type-Options": "nosniff",
}


def add_rendering(app: web.Application) -> None:
    """Set the templates up, and serve the style sheet and the icon."""
    aiohttp_jinja2.setup(
        app,
        app_key=_ENVIRONMENT,
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_print,
        trim_blocks=True,
        lstrip_blocks=True,
        default_helpers=False,
        filters={"moment": words.moment, "ago": words.ago},
    )
    for name, content_type in _ASSETS.items():
        app.router.add_get(f"/static/{name}", _serve_asset((_FOLDER / "static" / name).read_bytes(), content_type))


def render(request: web.Request, template: str, context: Mapping[str, Any], *, status: int = 200) -> web.Response:
    """Render a page."""
    response: web.Response = aiohttp_jinja2.render_template(template, request, context, app_key=_ENVIRONMENT, status=status)
    response.headers.update(_HEADERS)
    return response


def _print(value: object) -> object:
    """Print text from anywhere: without what changes the direction of a line or hides in it, and not endlessly."""
    if value is None:
        return ""
    if not isinstance(value, str) or hasattr(value, "__html__"):  # what a macro made is escaped already
        return value
    text = printable(" ".join(value[: _MAX_TEXT + 1].split()))
    return text if len(value) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def _serve_asset(content: bytes, content_type: str) -> Any:  # noqa: ANN401 - a handler
    headers = {"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"}

    async def serve(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type=content_type, charset="utf-8", headers=headers)

    return serve
