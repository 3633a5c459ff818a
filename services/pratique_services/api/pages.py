"""The web pages: images, one image, where a vulnerability is, and the badge."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.reports.durations import duration
from pratique.storage.queries import ImageSummary, list_affected_images, list_images, load_status, oldest_queued_age
from pratique.storage.scans import load_scan
from pratique.storage.text import utc_now
from pratique_services.api.answers import Problem
from pratique_services.api.badge import render_badge
from pratique_services.api.browsing import Browsing, Visit, see_other, show_problem
from pratique_services.api.endpoints import affected_cursor, vulnerability_name
from pratique_services.api.image_page import show_image
from pratique_services.api.inputs import ImagesQuery, OfImage, WhereQuery, parse_input, parse_query, parse_reference
from pratique_services.api.paging import AffectedKey, cut, decode_cursor
from pratique_services.api.rendering import add_rendering
from pratique_services.api.sessions import add_sessions
from pratique_services.api.views import ImageRow, image_path, image_row, package_name, package_type, short_digest

_LIST_SIZE = 25
_STATUSES = ("pass", "fail", "incomplete", "queued", "running", "failed")


def add_pages(app: web.Application, browsing: Browsing) -> None:
    """Add the pages, and a page for everything that is not there."""
    add_rendering(app)
    add_sessions(app, browsing)
    app.router.add_get("/", browsing.page(_show_images))
    app.router.add_get("/images/{reference:.+}", browsing.page(show_image))
    app.router.add_get("/where", browsing.page(_show_where))
    app.router.add_get("/badge", browsing.page(_show_badge))
    app.router.add_post("/rescan", browsing.form(_order_scan))
    app.router.add_post("/release", browsing.form(_order_release))
    app.router.add_get("/{rest:.*}", _show_nothing)


async def _show_images(visit: Visit) -> web.StreamResponse:
    query = parse_input(ImagesQuery, {"limit": _LIST_SIZE, **_filled(visit.request)})
    async with visit.database.reading() as session:
        found = await list_images(session, repository=query.repository, status=query.status, after=query.after, limit=query.limit + 1)
        page = cut(found, query.limit, lambda image: image.cursor)
        rows = [await _row(session, image) for image in page.items]
        waiting = max((await oldest_queued_age(session, now=utc_now())).values(), default=0.0)
    filters = {"repository": query.repository or "", "status": query.status or ""}
    context = {
        "rows": rows,
        "statuses": _STATUSES,
        **filters,
        "is_filtered": any(filters.values()),
        "is_first": query.after is None,
        "first": _address("/", filters),
        "next": _address("/", {**filters, "after": page.next}) if page.next else None,
        "waiting": duration(waiting) if waiting else "",
    }
    return visit.show("images.html", context)


async def _row(session: AsyncSession, image: ImageSummary) -> ImageRow:
    needs_words = image.scan_state != "scanned"
    return image_row(image, await load_scan(session, image.scan_id) if needs_words else None)


async def _show_where(visit: Visit) -> web.StreamResponse:
    values = _filled(visit.request)
    if "vulnerability" not in values:
        return visit.show("where.html", {"vulnerability": "", "images": (), "next": None})
    query = parse_input(WhereQuery, {**values, "vulnerability": values["vulnerability"].strip()})
    name, after = vulnerability_name(query.vulnerability), decode_cursor(query.after, AffectedKey)
    async with visit.database.reading() as session:
        found = await list_affected_images(session, name, after=after, limit=query.limit + 1)
    page = cut(found, query.limit, affected_cursor)
    context = {
        "vulnerability": name,
        "images": page.items,
        "next": _address("/where", {"vulnerability": name, "after": page.next}) if page.next else None,
        "image_path": image_path,
        "package_name": package_name,
        "package_type": package_type,
        "short_digest": short_digest,
    }
    return visit.show("where.html", context)


async def _show_badge(visit: Visit) -> web.StreamResponse:
    reference = parse_reference(parse_query(OfImage, visit.request).reference)
    async with visit.database.reading() as session:
        status = await load_status(session, reference.host, reference.repository, tag=reference.tag, digest=reference.digest)
    decision = status.decision if status else None
    word = str(decision.verdict.status) if decision else "unknown"
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}
    return web.Response(body=render_badge(word), content_type="image/svg+xml", headers=headers)


async def _order_scan(visit: Visit) -> web.StreamResponse:
    visit.caller.require("scan")
    reference = parse_reference(await _form_reference(visit))
    await visit.commands.order_scan(visit.caller, reference)
    digest = str(reference.digest) if reference.digest else None
    return see_other(image_path(reference.host, reference.repository, digest=digest, tag=reference.tag))


async def _order_release(visit: Visit) -> web.StreamResponse:
    visit.caller.require("release")
    decision = await visit.commands.order_release(visit.caller, parse_reference(await _form_reference(visit)))
    return see_other(image_path(decision.host, decision.repository, digest=decision.image_digest))


async def _show_nothing(request: web.Request) -> web.StreamResponse:
    return show_problem(request, Problem(404, "there is no page at this address"))


async def _form_reference(visit: Visit) -> str:
    return parse_input(OfImage, {"reference": (await visit.request.post()).get("reference", "")}).reference


def _filled(request: web.Request) -> Mapping[str, str]:
    """The query without what a form left empty."""
    return {name: value for name, value in request.query.items() if value}


def _address(path: str, values: Mapping[str, str | None]) -> str:
    filled = {name: value for name, value in values.items() if value}
    return f"{path}?{urlencode(filled)}" if filled else path
