"""Every vendor's webhook, as a table: how it authenticates and how its body becomes push events.

Sources of the formats: distribution `notifications/event.go`; Harbor `src/pkg/notifier`; Quay `notifications/`; GitHub `registry_package`
payloads; Microsoft, AWS and Google references of ACR, ECR and Artifact Registry; zot `pkg/extensions/events`; Gitea `modules/structs`; Kargo and keel for Docker Hub and
Artifactory; Sonatype's webhook pages. A payload is a hint: the scanner resolves it against the registry before anything is believed.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pratique.errors import InvalidMessage
from pratique.messages import PushEvent
from pratique.oci import media_types
from pratique_services.gateway.authentication import Authenticator, Incoming, any_of, by_header, by_hmac, by_path
from pratique_services.gateway.fields import (
    Json,
    digest,
    moment,
    moment_of_epoch,
    objects,
    parse_json,
    pick,
    required,
    split_reference,
    tag,
    text,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """How one vendor's webhook is read. `parse` yields the pushes in a body (none, if it tells of something else).

    It raises InvalidMessage for a body that does not have the vendor's shape. A host of "" is to be filled in from the source's settings.
    """

    authenticate: Authenticator
    parse: Callable[[str, Incoming], Iterable[PushEvent]]


def _distribution(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    body = parse_json(incoming.body)
    if not isinstance(body.get("events"), list):
        raise InvalidMessage("expected distribution's envelope with a list of events")
    for event in objects(body, "events"):
        media_type = text(event, "target.mediaType")
        if event.get("action") != "push" or media_type not in media_types.MANIFESTS | media_types.INDEXES:
            continue
        yield _target_event(source, event, media_type)


def _target_event(source: str, event: Mapping[str, Json], media_type: str | None) -> PushEvent:
    return PushEvent(
        source=source,
        event_id=required(text(event, "id"), "id"),
        host=text(event, "request.host") or _host_of(text(event, "target.url")),
        repository=required(text(event, "target.repository"), "target.repository"),
        tag=tag(text(event, "target.tag")),
        digest=digest(text(event, "target.digest")),
        media_type=media_type,
        actor=text(event, "actor.name"),
        user_agent=text(event, "request.useragent"),
        occurred_at=moment(text(event, "timestamp")),
    )


def _acr(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    body = parse_json(incoming.body)
    if body.get("action") == "push":
        yield _target_event(source, body, text(body, "target.mediaType"))


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
    for resource in objects(data, "resources"):
        found = digest(text(resource, "digest"))
        yield PushEvent(
            source=source,
            event_id=_event_id(text(body, "id"), found, resource.get("tag"), when),
            host=(text(resource, "resource_url") or "").partition("/")[0],
            repository=repository,
            tag=tag(text(resource, "tag")),
            digest=found,
            actor=actor,
            occurred_at=when,
        )


def _quay(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    body = parse_json(incoming.body)
    reference = split_reference(required(text(body, "docker_url"), "docker_url"))
    tags = body.get("updated_tags")
    if not isinstance(tags, list):
        raise InvalidMessage("expected a list in updated_tags")
    for name in tags:
        if isinstance(name, str):
            yield _tag_event(source, reference.host, reference.repository, name)


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
    if str(text(package, "package_type")).lower() not in {"container", "docker"} or body.get("action") not in {"published", "updated"}:
        return
    version = pick(package, "package_version")
    url = required(text(version, "package_url"), "package_version.package_url").rstrip(":")
    reference = split_reference(url)
    yield PushEvent(
        source=source,
        event_id=required(incoming.headers.get("x-github-delivery"), "X-GitHub-Delivery"),
        host=reference.host,
        repository=reference.repository,
        tag=tag(text(version, "container_metadata.tag.name")),
        digest=digest(text(version, "container_metadata.tag.digest", "container_metadata.manifest.digest", "version", "name")),
        media_type=text(version, "container_metadata.manifest.media_type"),
        actor=text(body, "sender.login"),
        occurred_at=moment(text(package, "updated_at", "created_at")),
    )


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
    try:
        data = base64.b64decode(required(text(body, "message.data"), "message.data"), validate=True)
    except binascii.Error as error:
        raise InvalidMessage("message.data is not base64") from error
    message = parse_json(data)
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
    if kind != "zotregistry.image.updated":
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
        host=_host_of(text(body, "package.html_url")),
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
        host=_host_of(text(body, "jpd_origin")),
        repository=f"{required(text(data, 'repo_key'), 'data.repo_key')}/{image or required(text(data, 'image_name'), 'data.image_name')}",
        tag=tag(name),
        digest=digest(f"sha256:{hexadecimal}") if hexadecimal else None,
    )


def _nexus(source: str, incoming: Incoming) -> Iterator[PushEvent]:
    if incoming.headers.get("x-nexus-webhook-id") != "rm:repository:component":
        return
    body = parse_json(incoming.body)
    if text(body, "component.format") != "docker" or body.get("action") not in {"CREATED", "UPDATED"}:
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
    reference = split_reference(required(text(body, "reference"), "reference"))
    yield PushEvent(
        source=source,
        event_id=text(body, "id") or _own_id(),
        host=reference.host,
        repository=reference.repository,
        tag=reference.tag,
        digest=reference.digest or digest(text(body, "digest")),
        actor=text(body, "actor"),
        occurred_at=moment(text(body, "time")),
    )


def _tag_event(source: str, host: str, repository: str, name: str) -> PushEvent:
    return PushEvent(source=source, event_id=_own_id(), host=host, repository=repository, tag=tag(name), digest=None)


def _host_of(url: str | None) -> str:
    return urlsplit(url).netloc.rpartition("@")[2] if url else ""


def _event_id(given: str | None, *parts: object) -> str:
    """The vendor's id, made unique per entry; where there is none, one from what the entry says."""
    return ":".join(str(part) for part in (given, *parts) if part)[:255]


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
    "github": Vendor(authenticate=by_hmac("sha256", "x-hub-signature-256"), parse=_github),
    "gitea": Vendor(authenticate=by_hmac("sha256", "x-gitea-signature", "x-forgejo-signature", "x-hub-signature-256"), parse=_gitea),
    "artifactory": Vendor(
        authenticate=any_of(by_hmac("sha256", "x-jfrog-event-auth"), by_header("x-jfrog-event-auth")), parse=_artifactory
    ),
    "nexus": Vendor(authenticate=by_hmac("sha1", "x-nexus-webhook-signature"), parse=_nexus),
    "generic": Vendor(authenticate=any_of(by_hmac("sha256", "x-signature"), _SECRET_HEADER), parse=_generic),
}
