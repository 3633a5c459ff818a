"""What each vendor sends for one push of an image, in the vendor's own form, and which push it is.

The shapes follow the vendors' documentation and sources (see docs/webhooks.md); names and digests are made up.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SECRET = "a-secret-of-24-characters"
DIGEST = "sha256:" + "4f" * 32
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One delivery. `host`, `repository`, `tag` and `digest` are what it tells; a host of "" is not told."""

    vendor: str
    body: Any
    host: str
    repository: str
    tag: str | None
    digest: str | None
    headers: Mapping[str, str] = field(default_factory=dict)
    event_id: str | None = None
    actor: str | None = None

    @property
    def content(self) -> bytes:
        """The body as sent."""
        return json.dumps(self.body).encode()


def proof(vendor: str, content: bytes, secret: str = SECRET) -> tuple[dict[str, str], str]:
    """Headers and path token by which the vendor shows that it knows the secret."""
    if vendor in {"quay", "dockerhub", "gar"}:
        return {}, secret
    sha256 = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
    headers = {
        "github": {"x-hub-signature-256": f"sha256={sha256}"},
        "gitea": {"x-gitea-signature": sha256},
        "artifactory": {"x-jfrog-event-auth": sha256},
        "nexus": {"x-nexus-webhook-signature": hmac.new(secret.encode(), content, hashlib.sha1).hexdigest()},
    }
    return headers.get(vendor, {"authorization": f"Bearer {secret}"}), ""


def distribution_event(**more: Any) -> dict[str, Any]:
    """One event of a docker-registry envelope, as seen on docker-registry 2.8."""
    target = {
        "mediaType": OCI_MANIFEST,
        "size": 350,
        "digest": DIGEST,
        "length": 350,
        "repository": "team-a/app",
        "url": f"http://registry.example:5000/v2/team-a/app/manifests/{DIGEST}",
        "tag": "v1",
    }
    event = {
        "id": "e49982ca-b501-4768-8dc8-03dcf146ceb5",
        "timestamp": "2026-11-23T03:44:08.191938169Z",
        "action": "push",
        "target": target | more.pop("target", {}),
        "request": {"id": "c6d7", "addr": "127.0.0.1:42794", "host": "registry.example:5000", "method": "PUT", "useragent": "skopeo/1.9.3"},
        "actor": {"name": "ci"},
        "source": {"addr": "vm:5500", "instanceID": "7b23"},
    }
    return event | more


def _harbor_data(tag: str) -> dict[str, Any]:
    return {
        "resources": [{"digest": DIGEST, "tag": tag, "resource_url": f"harbor.example/library/app:{tag}"}],
        "repository": {
            "date_created": 1680501893,
            "name": "app",
            "namespace": "library",
            "repo_full_name": "library/app",
            "repo_type": "private",
        },
    }


def _github_package() -> dict[str, Any]:
    version = {
        "id": 57755791,
        "version": DIGEST,
        "name": DIGEST,
        "description": "",
        "container_metadata": {
            "tag": {"name": "v1", "digest": DIGEST},
            "manifest": {"digest": DIGEST, "media_type": OCI_MANIFEST, "size": 1782, "config": {"digest": "sha256:00", "size": 1}},
        },
        "package_url": "ghcr.io/Codertocat/hello-world:v1",
        "created_at": "0001-01-01T00:00:00Z",
    }
    return {
        "id": 10696,
        "name": "hello-world",
        "namespace": "Codertocat",
        "ecosystem": "CONTAINER",
        "package_type": "CONTAINER",
        "owner": {"login": "Codertocat", "id": 21031067},
        "package_version": version,
        "registry": {"name": "GitHub CONTAINER registry", "type": "CONTAINER", "url": "https://ghcr.io/Codertocat"},
        "updated_at": "2023-05-09T23:28:29Z",
    }


def pubsub(message: Mapping[str, Any]) -> dict[str, Any]:
    """A Pub/Sub push of one message."""
    data = base64.b64encode(json.dumps(message).encode()).decode()
    return {
        "message": {"data": data, "messageId": "2070443601311540", "publishTime": "2021-02-26T19:13:55.749Z", "attributes": {}},
        "subscription": "projects/p/subscriptions/s",
    }


SAMPLES = (
    Sample(
        vendor="distribution",
        headers={"content-type": "application/vnd.docker.distribution.events.v1+json", "user-agent": "Go-http-client/1.1"},
        body={"events": [distribution_event()]},
        host="registry.example:5000",
        repository="team-a/app",
        tag="v1",
        digest=DIGEST,
        event_id="e49982ca-b501-4768-8dc8-03dcf146ceb5",
        actor="ci",
    ),
    Sample(
        vendor="harbor",
        body={"type": "PUSH_ARTIFACT", "occur_at": 1680501893, "operator": "robot$ci", "event_data": _harbor_data("v1")},
        host="harbor.example",
        repository="library/app",
        tag="v1",
        digest=DIGEST,
        event_id=f"library/app:1680501893:{DIGEST}:v1",
        actor="robot$ci",
    ),
    Sample(
        vendor="harbor",  # CloudEvents; an untagged child of an index: the digest stands where the tag belongs
        headers={"content-type": "application/cloudevents+json"},
        body={
            "specversion": "1.0",
            "id": "66e18103-09c1-41f6-982f-37df223f3eeb",
            "requestid": "51c0b694-0168-4f3c-b0db-282565455d7b",
            "source": "/projects/2/webhook/policies/15",
            "type": "harbor.artifact.pushed",
            "datacontenttype": "application/json",
            "time": "2023-04-03T06:04:46Z",
            "data": _harbor_data(DIGEST),
            "operator": "harbor-jobservice",
        },
        host="harbor.example",
        repository="library/app",
        tag=None,
        digest=DIGEST,
        event_id=f"66e18103-09c1-41f6-982f-37df223f3eeb:{DIGEST}:{DIGEST}",
        actor="harbor-jobservice",
    ),
    Sample(
        vendor="quay",
        body={
            "name": "repository",
            "repository": "mynamespace/repository",
            "namespace": "mynamespace",
            "docker_url": "quay.io/mynamespace/repository",
            "homepage": "https://quay.io/repository/mynamespace/repository",
            "updated_tags": ["latest"],
        },
        host="quay.io",
        repository="mynamespace/repository",
        tag="latest",
        digest=None,
    ),
    Sample(
        vendor="dockerhub",
        body={
            "callback_url": "https://registry.hub.docker.com/u/team/app/hook/2141b5bi5i5b02bec211i4eeih0242eg11000a/",
            "push_data": {"pushed_at": 1417566161, "pusher": "trustedbuilder", "tag": "latest", "images": [], "media_type": OCI_MANIFEST},
            "repository": {"name": "app", "namespace": "team", "repo_name": "team/app", "repo_url": "https://hub.docker.com/r/team/app"},
        },
        host="docker.io",
        repository="team/app",
        tag="latest",
        digest=None,
        actor="trustedbuilder",
    ),
    Sample(
        vendor="github",
        headers={"x-github-event": "registry_package", "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
        body={"action": "published", "registry_package": _github_package(), "sender": {"login": "Codertocat"}},
        host="ghcr.io",
        repository="codertocat/hello-world",
        tag="v1",
        digest=DIGEST,
        event_id="72d3162e-cc78-11e3-81ab-4c9367dc0958",
        actor="Codertocat",
    ),
    Sample(
        vendor="github",  # a hook of a repository
        headers={"x-github-event": "package", "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0959"},
        body={"action": "updated", "package": _github_package(), "sender": {"login": "Codertocat"}},
        host="ghcr.io",
        repository="codertocat/hello-world",
        tag="v1",
        digest=DIGEST,
        event_id="72d3162e-cc78-11e3-81ab-4c9367dc0959",
        actor="Codertocat",
    ),
    Sample(
        vendor="acr",
        headers={"user-agent": "AzureContainerRegistry/1.0"},
        body={
            "id": "cb8c3971-9adc-488b-bdd8-43cbb4974ff5",
            "timestamp": "2017-11-17T16:52:01.343145347Z",
            "action": "push",
            "target": {
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "size": 524,
                "digest": DIGEST,
                "length": 524,
                "repository": "hello-world",
                "tag": "v1",
            },
            "request": {"id": "3cbb6949", "host": "myregistry.azurecr.io", "method": "PUT", "useragent": "docker/17.09.0-ce"},
        },
        host="myregistry.azurecr.io",
        repository="hello-world",
        tag="v1",
        digest=DIGEST,
        event_id="cb8c3971-9adc-488b-bdd8-43cbb4974ff5",
    ),
    Sample(
        vendor="ecr",
        headers={"x-api-key": "set-by-proof"},
        body={
            "version": "0",
            "id": "13cde686-328b-6117-af20-0e5566167482",
            "detail-type": "ECR Image Action",
            "source": "aws.ecr",
            "account": "123456789012",
            "time": "2019-11-16T01:54:34Z",
            "region": "us-west-2",
            "resources": [],
            "detail": {
                "result": "SUCCESS",
                "repository-name": "my-repository-name",
                "image-digest": DIGEST,
                "action-type": "PUSH",
                "image-tag": "latest",
            },
        },
        host="123456789012.dkr.ecr.us-west-2.amazonaws.com",
        repository="my-repository-name",
        tag="latest",
        digest=DIGEST,
        event_id="13cde686-328b-6117-af20-0e5566167482",
    ),
    Sample(
        vendor="gar",
        body=pubsub(
            {
                "action": "INSERT",
                "digest": f"us-east1-docker.pkg.dev/my-project/my-repo/hello-world@{DIGEST}",
                "tag": "us-east1-docker.pkg.dev/my-project/my-repo/hello-world:1.1",
            }
        ),
        host="us-east1-docker.pkg.dev",
        repository="my-project/my-repo/hello-world",
        tag="1.1",
        digest=DIGEST,
        event_id="2070443601311540",
    ),
    Sample(
        vendor="zot",
        headers={
            "ce-id": "9a2e2c4f-0a80-4ed7-a4a2-1c2b3d4e5f60",
            "ce-type": "zotregistry.image.updated",
            "ce-source": "zotregistry.dev",
            "ce-specversion": "1.0",
            "ce-time": "2025-03-01T10:00:00.123456789Z",
            "content-type": "application/json",
        },
        body={"name": "golang", "reference": "latest", "digest": DIGEST, "mediaType": OCI_MANIFEST, "manifest": "{}"},
        host="",
        repository="golang",
        tag="latest",
        digest=DIGEST,
        event_id="9a2e2c4f-0a80-4ed7-a4a2-1c2b3d4e5f60",
    ),
    Sample(
        vendor="zot",  # structured, with a type prefix of the operator's own
        headers={"content-type": "application/cloudevents+json"},
        body={
            "specversion": "1.0",
            "id": "9a2e2c4f",
            "type": "com.example.registry.image.updated",
            "source": "https://zot.example",
            "time": "2025-03-01T10:00:00Z",
            "data": {"name": "golang", "reference": DIGEST, "digest": DIGEST, "mediaType": OCI_MANIFEST},
        },
        host="",
        repository="golang",
        tag=None,
        digest=DIGEST,
        event_id="9a2e2c4f",
    ),
    Sample(
        vendor="gitea",
        headers={"x-gitea-event": "package", "x-gitea-delivery": "f6266f16-1bf3-46a5-9ea4-602e06ead473", "x-gitea-event-type": "package"},
        body={
            "action": "created",
            "repository": None,
            "package": {
                "id": 1,
                "owner": {"id": 1, "login": "Team", "username": "Team"},
                "creator": {"id": 2, "login": "dev"},
                "type": "container",
                "name": "group/app",
                "version": "v1",
                "html_url": "https://gitea.example/Team/-/packages/container/group%2Fapp/v1",
                "created_at": "2024-02-03T04:05:06+01:00",
            },
            "organization": {"id": 1},
            "sender": {"id": 2, "login": "dev"},
        },
        host="gitea.example",
        repository="team/group/app",
        tag="v1",
        digest=None,
        event_id="f6266f16-1bf3-46a5-9ea4-602e06ead473",
        actor="dev",
    ),
    Sample(
        vendor="artifactory",
        body={
            "domain": "docker",
            "event_type": "pushed",
            "data": {
                "repo_key": "docker-local",
                "event_type": "pushed",
                "path": "library/ubuntu/latest/list.manifest.json",
                "name": "list.manifest.json",
                "sha256": "35c4a2c15539c6c1e4e5fa4e554dac323ad0107d8eb5c582d6ff386b383b7dce",
                "size": 1206,
                "image_name": "library/ubuntu",
                "tag": "latest",
                "platforms": [{"architecture": "amd64", "os": "linux"}],
            },
            "subscription_key": "test",
            "jpd_origin": "https://example.jfrog.io",
            "source": "jfrog/user@example.com",
        },
        host="example.jfrog.io",
        repository="docker-local/library/ubuntu",
        tag="latest",
        digest="sha256:35c4a2c15539c6c1e4e5fa4e554dac323ad0107d8eb5c582d6ff386b383b7dce",
    ),
    Sample(
        vendor="nexus",
        headers={"x-nexus-webhook-id": "rm:repository:component", "x-nexus-webhook-delivery": "7f4a6dde-5c68-4999-bcc0-a62f3fb8ae48"},
        body={
            "timestamp": "2016-11-14T19:32:13.515+0000",
            "nodeId": "7FFA7361-6ED33978-36997BD4-47095CC4-331356BE",
            "initiator": "admin/127.0.0.1",
            "repositoryName": "docker-hosted",
            "action": "CREATED",
            "component": {
                "id": "08909bf0c86cf6c9600aade89e1c5e25",
                "componentId": "ZG9ja2VyLWhvc3RlZDowODkwOWJm",
                "format": "docker",
                "name": "team/app",
                "version": "v1",
            },
        },
        host="",
        repository="team/app",
        tag="v1",
        digest=None,
        event_id="7f4a6dde-5c68-4999-bcc0-a62f3fb8ae48",
        actor="admin/127.0.0.1",
    ),
    Sample(
        vendor="generic",
        body={
            "id": "42",
            "reference": "registry.example/team/app:v1",
            "digest": DIGEST,
            "actor": "ci",
            "time": "2024-01-02T03:04:05Z",
        },
        host="registry.example",
        repository="team/app",
        tag="v1",
        digest=DIGEST,
        event_id="42",
        actor="ci",
    ),
)
