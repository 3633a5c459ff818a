"""Every vendor's webhook, as a table: how it authenticates and how its body becomes push events.

Sources of the formats: distribution `notifications/event.go`; Harbor `src/pkg/notifier`; Quay `notifications/`; GitHub `registry_package`
payloads; Microsoft, AWS and Google references of ACR, ECR and Artifact Registry; zot `pkg/extensions/events`; Gitea `modules/structs`; Kargo and keel for Docker Hub and
Artifactory; Sonatype's webhook pages. A payload is a hint: the scanner resolves it against the registry before anything is believed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pratique.errors import InvalidMessage
from pratique.messages import PushEvent
from pratique.oci import media_types
from pratique_services.gateway.authentication import Authenticator, Incoming, any_of, by_header, by_hmac, by_path
from pratique_services.gateway.fields import (
    Json,
    decode_base64,
    digest,
    host_of,
    moment,
    moment_of_epoch,
    objects,
    parse_json,
    pick,
    required,
    split_reference,
    tag,
    text,
    texts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """How one vendor's webhook is read. `parse` yields the pushes in a body (none, if it tells of something else).

    It raises InvalidMessage for a body that does not have the vendor's shape; of a body with several entries, only after it has yielded those that
    can be read. A host of "" is to be filled in from the source's settings. `signs_body`: the proof can only be checked with the body.
    """

    authenticate: Authenticator
    parse: Callable[[str, Incoming], Iterable[PushEvent]]
    signs_body: bool = False


_MANIFEST_TYPES = tuple(media_types.MANIFESTS | media_types.INDEXES)


def _distribution(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    body = parse_json(incoming.body)
    if not isinstance(body.get("events"), list):
        raise InvalidMessage("expected distribution's envelope with a list of events")
    pushes = [event for event in objects(body, "events") if event.get("action") == "push"]
    manifests = [push for push in pushes if pick(push, "target.mediaType") in _MANIFEST_TYPES]
    yield from _each(manifests, lambda push: _target_event(source, push))


def _target_event(source: str, event: Mapping[str, Json]) -> PushEvent:
    return PushEvent(
        source=source,
        event_id=required(text(event, "id"), "id"),
        host=text(event, "request.host") or host_of(text(event, "target.url")),
        repository=required(text(event, "target.repository"), "target.repository"),
        tag=tag(text(event, "target.tag")),
        digest=digest(text(event, "target.digest")),
        media_type=text(event, "target.mediaType"),
        actor=text(event, "actor.name"),
        user_agent=text(event, "request.useragent"),
        occurred_at=moment(text(event, "timestamp")),
    )


def _acr(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    body = parse_json(incoming.body)
    if body.get("action") == "push":
        yield _target_event(source, body)


def _harbor(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    body = parse_json(incoming.body)
    if "specversion" in body or incoming.headers.get("content-type", "").startswith("application/cloudevents+json"):
        kind, data, pushed = text(body, "type"), body.get("data"), "harbor.artifact.pushed"
        actor, when = text(body, "operator"), moment(text(body, "time"))
    else:
        kind, data, pushed = text(body, "type"), body.get("event_data"), "PUSH_ARTIFACT"
        actor, when = text(body, "operator"), moment_of_epoch(body.get("occur_at"))
    if required(kind, "type") != pushed:
        return
    repository = required(text(data, "repository.repo_full_name"), "repository.repo_full_name")
    name = text(body, "id") or (f"{repository}:{when.timestamp():.0f}" if when else _own_id())

    def pushed_resource(resource: Mapping[str, Json]) -> PushEvent:
        found, label = digest(text(resource, "digest")), text(resource, "tag")
        return PushEvent(
            source=source,
            event_id=f"{name}:{found}:{label}",
            host=(text(resource, "resource_url") or "").partition("/")[0],
            repository=repository,
            tag=tag(label),
            digest=found,
            actor=actor,
            occurred_at=when,
        )

    yield from _each(objects(data, "resources"), pushed_resource)


def _quay(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    body = parse_json(incoming.body)
    reference = split_reference(required(text(body, "docker_url"), "docker_url"))
    for name in texts(body, "updated_tags"):
        yield PushEvent(
            source=source, event_id=_own_id(), host=reference.host, repository=reference.repository, tag=tag(name), digest=digest(name)
        )


def _dockerhub(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    body = parse_json(incoming.body)
    repository = required(text(body, "repository.repo_name"), "repository.repo_name")
    name = required(text(body, "push_data.tag"), "push_data.tag")
    when = moment_of_epoch(pick(body, "push_data.pushed_at"))
    yield PushEvent(
        source=source,
        event_id=_own_id(),
        host="docker.io",
        repository=repository,
        tag=tag(name),
        digest=None,
        media_type=text(body, "push_data.media_type"),
        actor=text(body, "push_data.pusher"),
        occurred_at=when,
    )


def _github(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    kind = incoming.headers.get("x-github-event", "")
    if kind not in {"package", "registry_package"}:
        return
    body = parse_json(incoming.body)
    package = body.get("registry_package") or body.get("package")
    kinds = {str(text(package, name)).lower() for name in ("package_type", "ecosystem")}
    if kinds.isdisjoint({"container", "docker"}) or body.get("action") not in ("published", "updated"):
        return
    version = pick(package, "package_version")
    url = required(text(version, "package_url"), "package_version.package_url").rstrip(":")
    reference = split_reference(url.lower())  # the owner's name comes as the owner writes it; the registry knows it in lower case
    yield PushEvent(
        source=source,
        event_id=required(incoming.headers.get("x-github-delivery"), "X-GitHub-Delivery"),
        host=reference.host,
        repository=reference.repository,
        tag=tag(text(version, "container_metadata.tag.name")),
        digest=next(filter(None, (digest(text(version, path)) for path in _GITHUB_DIGESTS)), None),
        media_type=text(version, "container_metadata.manifest.media_type"),
        actor=text(body, "sender.login"),
        occurred_at=moment(text(package, "updated_at", "created_at")),
    )


_GITHUB_DIGESTS = ("version", "name", "container_metadata.manifest.digest", "container_metadata.tag.digest")


def _ecr(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    body = parse_json(incoming.body)
    if text(body, "detail-type") != "ECR Image Action" or text(body, "detail.action-type") != "PUSH":
        return
    if text(body, "detail.result") != "SUCCESS":
        return
    account, region = required(text(body, "account"), "account"), required(text(body, "region"), "region")
    partition = ".cn" if region.startswith("cn-") else ""
    yield PushEvent(
        source=source,
        event_id=required(text(body, "id"), "id"),
        host=f"{account}.dkr.ecr.{region}.amazonaws.com{partition}",
        repository=required(text(body, "detail.repository-name"), "detail.repository-name"),
        tag=tag(text(body, "detail.image-tag")),
        digest=digest(text(body, "detail.image-digest")),
        media_type=text(body, "detail.manifest-media-type"),
        occurred_at=moment(text(body, "time")),
    )


def _gar(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    body = parse_json(incoming.body)
    data = pick(body, "message.data")
    message = parse_json(decode_base64(required(data if isinstance(data, str) else None, "message.data"), "message.data"))
    if text(message, "action") != "INSERT":
        return
    named = text(message, "digest") or required(text(message, "tag"), "digest nor tag")
    reference = split_reference(named)
    tagged = text(message, "tag")
    yield PushEvent(
        source=source,
        event_id=required(text(body, "message.messageId", "message.message_id"), "message.messageId"),
        host=reference.host,
        repository=reference.repository,
        tag=split_reference(tagged).tag if tagged else None,
        digest=reference.digest,
        occurred_at=moment(text(body, "message.publishTime")),
    )


def _zot(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    body = parse_json(incoming.body)
    binary = "ce-type" in incoming.headers
    kind = incoming.headers.get("ce-type") or text(body, "type")
    if not f".{kind}".endswith(".image.updated"):  # `zotregistry` in front, or the type prefix of zot's settings
        return
    data = body if binary else body.get("data")
    found = digest(text(data, "digest"))
    yield PushEvent(
        source=source,
        event_id=required(incoming.headers.get("ce-id") or text(body, "id"), "ce-id"),
        host="",
        repository=required(text(data, "name"), "name"),
        tag=tag(text(data, "reference")),
        digest=found or digest(text(data, "reference")),
        media_type=text(data, "mediaType"),
        actor=text(data, "actor.name"),
        occurred_at=moment(incoming.headers.get("ce-time") or text(body, "time")),
    )


def _gitea(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    headers = incoming.headers
    if "package" not in {headers.get("x-gitea-event"), headers.get("x-forgejo-event")}:
        return
    body = parse_json(incoming.body)
    if text(body, "package.type") != "container" or body.get("action") != "created":
        return
    owner = required(text(body, "package.owner.login", "package.owner.username"), "package.owner.login")
    version = required(text(body, "package.version"), "package.version")
    yield PushEvent(
        source=source,
        event_id=required(headers.get("x-gitea-delivery") or headers.get("x-forgejo-delivery"), "X-Gitea-Delivery"),
        host=host_of(text(body, "package.html_url")),
        repository=f"{owner}/{required(text(body, 'package.name'), 'package.name')}".lower(),
        tag=tag(version),
        digest=digest(version),
        actor=text(body, "sender.login"),
        occurred_at=moment(text(body, "package.created_at")),
    )


def _artifactory(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    body = parse_json(incoming.body)
    if body.get("domain") != "docker" or body.get("event_type") != "pushed":
        return
    data = body.get("data")
    path = required(text(data, "path"), "data.path").strip("/").split("/")
    image = "/".join(path[:-2])  # the path ends in TAG/manifest.json
    name = required(text(data, "tag"), "data.tag")
    hexadecimal = text(data, "sha256")
    yield PushEvent(
        source=source,
        event_id=_own_id(),
        host=host_of(text(body, "jpd_origin")),
        repository=f"{required(text(data, 'repo_key'), 'data.repo_key')}/{image or required(text(data, 'image_name'), 'data.image_name')}",
        tag=tag(name),
        digest=digest(f"sha256:{hexadecimal}") if hexadecimal else None,
    )


def _nexus(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    if incoming.headers.get("x-nexus-webhook-id") != "rm:repository:component":
        return
    body = parse_json(incoming.body)
    if text(body, "component.format") != "docker" or body.get("action") not in ("CREATED", "UPDATED"):
        return
    yield PushEvent(
        source=source,
        event_id=required(incoming.headers.get("x-nexus-webhook-delivery"), "X-Nexus-Webhook-Delivery"),
        host="",
        repository=required(text(body, "component.name"), "component.name"),
        tag=tag(text(body, "component.version")),
        digest=digest(text(body, "component.version")),
        actor=text(body, "initiator"),
        occurred_at=moment(text(body, "timestamp")),
    )


def _generic(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    body = parse_json(incoming.body)
    named, apart = required(text(body, "reference"), "reference"), text(body, "digest")
    reference = split_reference(f"{named}@{apart}" if apart and "@" not in named else named)
    yield PushEvent(
        source=source,
        event_id=text(body, "id") or _own_id(),
        host=reference.host,
        repository=reference.repository,
        tag=reference.tag,
        digest=reference.digest,
        actor=text(body, "actor"),
        occurred_at=moment(text(body, "time")),
    )


def _each(entries: Iterable[Mapping[str, Json]], read: Callable[[Mapping[str, Json]], PushEvent]) -> Iterator[PushEvent]:
    """Read all entries, and only then raise for the first that could not be read: one bad entry must not cost the pushes beside it."""
    problem: InvalidMessage | None = None
    for entry in entries:
        try:
            yield read(entry)
        except InvalidMessage as error:
            problem = problem or error
    if problem is not None:
        raise problem


def _own_id() -> str:
    """An id for vendors that send none. A repeated delivery cannot be told from a second push of the tag: both count, and coalesce."""
    return uuid.uuid4().hex


_SECRET_HEADER = by_header("authorization", "x-api-key", "x-pratique-token")

VENDORS: Mapping[str, Vendor] = {
    "distribution": Vendor(authenticate=_SECRET_HEADER, parse=_distribution),
    "harbor": Vendor(authenticate=_SECRET_HEADER, parse=_harbor),
    "acr": Vendor(authenticate=_SECRET_HEADER, parse=_acr),
    "ecr": Vendor(authenticate=_SECRET_HEADER, parse=_ecr),
    "zot": Vendor(authenticate=_SECRET_HEADER, parse=_zot),
    "quay": Vendor(authenticate=by_path, parse=_quay),
    "dockerhub": Vendor(authenticate=by_path, parse=_dockerhub),
    "gar": Vendor(authenticate=by_path, parse=_gar),
    "github": Vendor(authenticate=by_hmac("sha256", "x-hub-signature-256"), parse=_github, signs_body=True),
    "gitea": Vendor(
        authenticate=by_hmac("sha256", "x-gitea-signature", "x-forgejo-signature", "x-hub-signature-256"), parse=_gitea, signs_body=True
    ),
    "artifactory": Vendor(
        authenticate=any_of(by_hmac("sha256", "x-jfrog-event-auth"), by_header("x-jfrog-event-auth")), parse=_artifactory, signs_body=True
    ),
    "nexus": Vendor(authenticate=by_hmac("sha1", "x-nexus-webhook-signature"), parse=_nexus, signs_body=True),
    "generic": Vendor(authenticate=any_of(by_hmac("sha256", "x-signature"), _SECRET_HEADER), parse=_generic, signs_body=True),
}
