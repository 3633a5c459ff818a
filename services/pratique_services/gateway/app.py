"""The gateway's HTTP side: `POST /hooks/<source>[/<token>]`.

1. find the source and check the secret, before the body is read wherever the proof is not of the body: anything else is 401, and nothing is
   read into the ledger;
2. turn the body into push events by the vendor's table; an authentic body without sense is recorded as rejected and answered 202, because a
   registry that hears an error sends the same thing again and lets its other events wait;
3. drop what pratique itself pushed, and what is of a registry that is not in the settings;
4. record event, scan and outgoing message in one transaction, and only then answer 202. With the database away: 503 with Retry-After.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import uuid
from collections.abc import Callable, Mapping

import structlog
from aiohttp import web

from pratique.errors import InputError, PratiqueError
from pratique.messages import PushEvent
from pratique.oci.reference import Reference
from pratique.runtime.logging import bound_correlation
from pratique.runtime.metrics import WEBHOOK_LAG, WEBHOOKS
from pratique.runtime.resources import Resources
from pratique.runtime.settings import Settings, SourceSettings
from pratique.storage.engine import Database
from pratique.storage.intake import record_push, record_rejected
from pratique_services.gateway.authentication import Incoming, is_authentic
from pratique_services.gateway.vendors import VENDORS

MAX_BODY_BYTES = 8 * 1024 * 1024  # protects memory; zot's payload carries a whole manifest of up to 4 MiB, escaped
MAX_SHOWN_ID = 100  # characters of a sender's event id in a reason
RETRY_AFTER_SECONDS = 5
_SIGNATURE_TAG = re.compile(r"sha256-[0-9a-f]{64}(\.(sig|att|sbom))?")
_ATTESTATION_TAG = re.compile(
    r"sha256-[0-9a-f]{64}(\.att)?"
)  # of cosign 2's attestations, and of referrers where a registry keeps no list of them: VEX may be there

DATABASE = web.AppKey("database", Database)
SETTINGS = web.AppKey("settings", Settings)
SOURCES: web.AppKey[Mapping[str, SourceSettings]] = web.AppKey("sources")
WAKE: web.AppKey[Callable[[], None]] = web.AppKey("wake")

_log = structlog.get_logger()


def mount(app: web.Application, resources: Resources) -> None:
    """Add the webhooks below `/hooks/`."""
    app.add_subapp("/hooks/", create_app(resources.settings, resources.database, resources.relay.wake))


def create_app(settings: Settings, database: Database, wake: Callable[[], None]) -> web.Application:
    """Build the gateway; `wake` is called after each commit, so that the outbox relay need not wait for its poll."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app[DATABASE] = database
    app[SETTINGS] = settings
    app[SOURCES] = {source.name: source for source in settings.sources}
    app[WAKE] = wake
    app.router.add_post("/{source}", _receive)
    app.router.add_post("/{source}/{token}", _receive)
    return app


async def _receive(request: web.Request) -> web.Response:
    source = request.app[SOURCES].get(request.match_info["source"])
    incoming = await _read_authentic(request, source) if source is not None else None
    if source is None or incoming is None:
        WEBHOOKS.labels(source=source.name if source else "unknown", outcome="refused").inc()
        return _answer(401, "unauthorized", "unknown source, or the secret does not match")
    correlation_id = uuid.uuid4().hex
    with bound_correlation(correlation_id, source=source.name):
        try:
            accepted = await _record(request.app, source, incoming, correlation_id)
        except PratiqueError as error:  # away, or refusing our credentials: both end, and the sender has the only copy
            _log.warning("webhook.postponed", error=str(error))
            WEBHOOKS.labels(source=source.name, outcome="postponed").inc()
            return _answer(503, "unavailable", "the ledger is away; send it again", retry_after=RETRY_AFTER_SECONDS)
    request.app[WAKE]()
    return web.json_response({"accepted": accepted, "correlation_id": correlation_id}, status=202)


async def _read_authentic(request: web.Request, source: SourceSettings) -> Incoming | None:
    """Read the request if its sender knows the source's secret. 413 for a body beyond the limit, of which a stranger gets to send none."""
    vendor = VENDORS[source.vendor]
    headers = {name.lower(): value for name, value in request.headers.items()}
    incoming = Incoming(headers=headers, body=b"", token=request.match_info.get("token", ""))
    if not vendor.signs_body and not is_authentic(incoming, vendor.authenticate, source.secrets):
        return None
    # the limit is said here, because a request has that of the outermost application
    body = await request.clone(client_max_size=MAX_BODY_BYTES).read()
    incoming = dataclasses.replace(incoming, body=body)
    return incoming if is_authentic(incoming, vendor.authenticate, source.secrets) else None


async def _record(app: web.Application, source: SourceSettings, incoming: Incoming, correlation_id: str) -> int:
    """Record every push in the body; answer how many start or join a scan."""
    events, problem = _read_events(source, incoming)
    accepted = 0
    for event in events:
        accepted += await _record_event(app, source, _with_host(event, source), incoming, correlation_id)
    if problem:
        await _reject(app, source, incoming, problem)
    elif not events:
        WEBHOOKS.labels(source=source.name, outcome="other").inc()
    return accepted


def _read_events(source: SourceSettings, incoming: Incoming) -> tuple[list[PushEvent], str]:
    """The pushes in the body, and what was wrong with the rest of it."""
    events: list[PushEvent] = []
    try:
        for event in VENDORS[source.vendor].parse(source.name, incoming):
            events.append(event)  # noqa: PERF402 - what came before an error counts
    except InputError as error:
        return events, str(error)
    return events, ""


async def _record_event(app: web.Application, source: SourceSettings, event: PushEvent, incoming: Incoming, correlation_id: str) -> bool:
    reason = _refusal(event, source, app[SETTINGS])
    if reason:
        await _reject(app, source, incoming, f"{reason} (event {event.event_id[:MAX_SHOWN_ID]})")
        return False
    async with app[DATABASE].transaction() as session:
        intake = await record_push(session, event, correlation_id=correlation_id, raw=incoming.body)
    outcome = "duplicate" if intake.duplicate else "coalesced" if intake.coalesced else "accepted"
    WEBHOOKS.labels(source=source.name, outcome=outcome).inc()
    if event.occurred_at is not None:
        WEBHOOK_LAG.labels(source=source.name).observe(max(0.0, (dt.datetime.now(dt.UTC) - event.occurred_at).total_seconds()))
    _log.info(
        "push.recorded", outcome=outcome, repository=event.repository, tag=event.tag, digest=str(event.digest), scan_id=intake.scan_id
    )
    return not intake.duplicate


async def _reject(app: web.Application, source: SourceSettings, incoming: Incoming, reason: str) -> None:
    async with app[DATABASE].transaction() as session:
        await record_rejected(session, source=source.name, reason=reason, raw=incoming.body)
    WEBHOOKS.labels(source=source.name, outcome="rejected").inc()
    _log.info("push.rejected", reason=reason)


def _with_host(event: PushEvent, source: SourceSettings) -> PushEvent:
    """Fill in, or override, the registry's host from the source's settings."""
    return dataclasses.replace(event, host=source.host or event.host.lower())


def _refusal(event: PushEvent, source: SourceSettings, settings: Settings) -> str | None:
    """Why this event starts nothing; None if it does."""
    if event.user_agent is not None and settings.instance_token in event.user_agent:
        return "own push"
    if event.actor is not None and event.actor in source.ignore_actors:
        return f"push by the ignored actor {event.actor[:100]!r}"
    if event.tag is not None and _SIGNATURE_TAG.fullmatch(event.tag) and not (settings.vex.keys and _ATTESTATION_TAG.fullmatch(event.tag)):
        return f"tag {event.tag} is a signature's, not an image's"
    if event.host not in {registry.host for registry in settings.registries}:
        return f"registry {event.host[:255]!r} is not in the settings"
    if event.tag is None and event.digest is None:
        return "neither tag nor digest"
    try:
        Reference(host=event.host, repository=event.repository, tag=event.tag, digest=event.digest)
    except InputError as error:
        return str(error)
    return None


def _answer(status: int, code: str, message: str, *, retry_after: int | None = None) -> web.Response:
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)
