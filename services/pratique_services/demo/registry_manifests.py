"""Manifests, tags and referrers of the embedded registry (OCI distribution-spec 1.1; behaviour of docker-registry 2.8 where both speak).

Beyond docker-registry 2.8 there is the referrers API, and `tags/list` is sorted and honours `n` and `last`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from urllib.parse import urlencode

from aiohttp import web

from pratique.errors import DigestMismatch, InvalidReference, MissingError
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Index, Manifest, parse_document
from pratique.oci.reference import Reference
from pratique_services.demo.registry_events import delete_event, push_event
from pratique_services.demo.registry_replies import refusal, unsupported
from pratique_services.demo.registry_state import ALLOW_DELETE, EVENTS, STORAGE, repository_of
from pratique_services.demo.registry_storage import RegistryStorage, StoredManifest

MAX_REFERRERS = 1000  # listed for one subject: protects memory; the specification allows paging, nobody here needs it
_PAGE = 1000
_NUMBER = re.compile(r"[0-9]{1,9}")


async def read_manifest(request: web.Request) -> web.Response:
    """`GET` and `HEAD /v2/<name>/manifests/<reference>`."""
    stored = _find(request)
    headers = {"Docker-Content-Digest": str(stored.digest), "ETag": f'"{stored.digest}"', "Content-Type": stored.media_type}
    if request.headers.get("If-None-Match", "").strip('"') == str(stored.digest):
        return web.Response(status=304, headers=headers)
    return web.Response(body=stored.content, headers=headers)


async def put_manifest(request: web.Request) -> web.Response:
    """`PUT /v2/<name>/manifests/<reference>`: verify, keep, tell."""
    storage, repository = request.app[STORAGE], repository_of(request)
    if request.app[EVENTS].is_full:  # a push that nobody would hear of is a push that is never judged
        raise refusal("UNAVAILABLE", "too many notifications wait for delivery")
    document, tag = await _read_document(request)
    _require_content(storage, repository, document)
    own = document.descriptor
    subject = document.subject.digest if document.subject else None
    manifest = StoredManifest(digest=own.digest, media_type=own.media_type, content=document.raw)
    storage.record_manifest(repository, manifest, tag=tag, subject=subject)
    request.app[EVENTS].append(push_event(request, repository, document, tag))
    headers = {"Location": f"/v2/{repository}/manifests/{own.digest}", "Docker-Content-Digest": str(own.digest)}
    if subject is not None:
        headers["OCI-Subject"] = str(subject)
    return web.Response(status=201, headers=headers)


async def delete_manifest(request: web.Request) -> web.Response:
    """`DELETE /v2/<name>/manifests/<digest>`: the manifest goes, and every tag that points to it. A tag alone cannot be deleted."""
    storage, repository = request.app[STORAGE], repository_of(request)
    if not request.app[ALLOW_DELETE]:
        raise unsupported(request, "this registry keeps what it was given")
    digest = Digest.parse(request.match_info["reference"])
    stored = storage.load_manifest(repository, digest)
    subject = parse_document(stored.content, stored.media_type).subject
    tags = storage.remove_manifest(repository, digest, subject=subject.digest if subject else None)
    request.app[EVENTS].append(delete_event(request, repository, digest=digest))
    for tag in tags:
        request.app[EVENTS].append(delete_event(request, repository, tag=tag))
    return web.Response(status=202)


async def list_tags(request: web.Request) -> web.Response:
    """`GET /v2/<name>/tags/list?n=&last=`."""
    repository = repository_of(request)
    if not request.app[STORAGE].has_repository(repository):
        raise refusal("NAME_UNKNOWN", f"no repository {repository}")
    return _page(request, {"name": repository}, "tags", request.app[STORAGE].tags(repository))


async def list_repositories(request: web.Request) -> web.Response:
    """`GET /v2/_catalog?n=&last=`."""
    return _page(request, {}, "repositories", request.app[STORAGE].repositories())


async def list_referrers(request: web.Request) -> web.Response:
    """`GET /v2/<name>/referrers/<digest>?artifactType=`: an index of what names the digest as its subject; empty when nothing does."""
    subject = Digest.parse(request.match_info["digest"])
    found = request.app[STORAGE].referrers(repository_of(request), subject)[:MAX_REFERRERS]
    wanted = request.query.get("artifactType")
    entries = [_referrer(stored) for stored in found]
    index = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [entry for entry in entries if wanted in (None, entry.get("artifactType"))],
    }
    headers = {"Content-Type": media_types.OCI_INDEX}  # and nothing after it: oras compares the whole header
    if wanted is not None:
        headers["OCI-Filters-Applied"] = "artifactType"
    return web.Response(body=json.dumps(index).encode(), headers=headers)


def _find(request: web.Request) -> StoredManifest:
    storage, repository = request.app[STORAGE], repository_of(request)
    text = request.match_info["reference"]
    digest = Digest.parse(text) if ":" in text else storage.find_tag(repository, _tag(text))
    if digest is None:
        raise MissingError(f"no tag {text} in {repository}")
    return storage.load_manifest(repository, digest)


async def _read_document(request: web.Request) -> tuple[Manifest | Index, str | None]:
    """Parse the body; the second part is the tag it was pushed to, None when pushed by digest."""
    text = request.match_info["reference"]
    wanted = Digest.parse(text) if ":" in text else None
    tag = None if wanted else _tag(text)
    try:
        content = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise refusal("SIZE_INVALID", "a manifest may have 4 MiB") from error
    document = parse_document(content, request.headers.get("Content-Type"))
    if wanted is not None and wanted != document.descriptor.digest:
        raise DigestMismatch(f"expected content of {wanted}, got {document.descriptor.digest}")
    return document, tag


def _tag(text: str) -> str:
    try:
        return Reference(host="localhost", repository="any", tag=text).tag or text
    except InvalidReference as error:
        raise MissingError(str(error)) from error


def _require_content(storage: RegistryStorage, repository: str, document: Manifest | Index) -> None:
    """Refuse a manifest whose parts were not pushed before it. Layers that live outside of registries are the exception."""
    missing: Sequence[Descriptor]
    if isinstance(document, Index):
        missing = [child for child in document.manifests if not storage.has_manifest(repository, child.digest)]
    else:
        parts = (document.config, *document.layers)
        missing = [
            part for part in parts if not storage.has_blob(repository, part.digest) and not media_types.is_foreign_layer(part.media_type)
        ]
    if missing:
        raise refusal("MANIFEST_BLOB_UNKNOWN", f"{repository} does not hold {missing[0].digest}")


def _referrer(stored: StoredManifest) -> dict[str, object]:
    """Describe a referrer as the specification asks: its artifact type, else the media type of its config, and its annotations."""
    document = parse_document(stored.content, stored.media_type)
    artifact_type = document.artifact_type or (document.config.media_type if isinstance(document, Manifest) else None)
    entry: dict[str, object] = {"mediaType": stored.media_type, "size": len(stored.content), "digest": str(stored.digest)}
    if artifact_type:
        entry["artifactType"] = artifact_type
    if document.annotations:
        entry["annotations"] = dict(document.annotations)
    return entry


def _page(request: web.Request, answer: dict[str, object], key: str, names: list[str]) -> web.Response:
    text = request.query.get("n", str(_PAGE))
    if not _NUMBER.fullmatch(text):
        raise refusal("PAGINATION_NUMBER_INVALID", f"expected a number, got {text[:20]!r}")
    number, last = min(int(text), _PAGE), request.query.get("last", "")
    rest = [name for name in names if name > last]
    page = rest[:number]
    headers = {}
    if page and len(rest) > number:
        headers["Link"] = f'<{request.path}?{urlencode({"last": page[-1], "n": number})}>; rel="next"'
    return web.json_response({**answer, key: page}, headers=headers)
