"""Each vendor's payload becomes the push it tells of, or a refusal; never anything else."""

from __future__ import annotations

import copy
import datetime as dt
import json
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pratique.errors import InputError, InvalidMessage
from pratique.messages import PushEvent
from pratique.oci.reference import Reference
from pratique.runtime import settings as settings_module
from pratique_services.gateway.authentication import Incoming
from pratique_services.gateway.fields import MAX_EVENTS, MAX_TEXT
from pratique_services.gateway.vendors import VENDORS
from tests.support.webhook_payloads import DIGEST, SAMPLES, Sample, distribution_event, pubsub

_BY_VENDOR = {sample.vendor: sample for sample in SAMPLES}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _read(vendor: str, body: Any, headers: dict[str, str] | None = None) -> list[PushEvent]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return list(VENDORS[vendor].parse("hook", Incoming(headers=headers or {}, body=content)))


def _read_sample(sample: Sample) -> list[PushEvent]:
    return _read(sample.vendor, sample.body, dict(sample.headers))


def test_every_vendor_of_the_settings_has_a_row_and_a_sample() -> None:
    assert set(get_args(settings_module.Vendor)) == VENDORS.keys() == _BY_VENDOR.keys()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.vendor)
def test_a_real_payload_tells_its_push(sample: Sample) -> None:
    [event] = _read_sample(sample)

    found = (event.host, event.repository, event.tag, str(event.digest) if event.digest else None)
    assert found == (sample.host, sample.repository, sample.tag, sample.digest)
    assert event.source == "hook"
    assert event.actor == sample.actor
    assert event.event_id == (sample.event_id or event.event_id) != ""
    Reference(host=event.host or "registry.example", repository=event.repository, tag=event.tag, digest=event.digest)


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.event_id], ids=lambda sample: sample.vendor)
def test_a_repeated_delivery_has_the_same_event_id(sample: Sample) -> None:
    assert _read_sample(sample)[0].event_id == _read_sample(sample)[0].event_id


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if not sample.event_id], ids=lambda sample: sample.vendor)
def test_without_an_id_in_the_payload_a_second_push_of_a_tag_is_not_taken_for_a_repetition(sample: Sample) -> None:
    assert _read_sample(sample)[0].event_id != _read_sample(sample)[0].event_id


IGNORED: list[tuple[str, Any, dict[str, str]]] = [
    ("distribution", {"events": [distribution_event(action=action) for action in ("pull", "mount", "delete", ["push"], None)]}, {}),
    ("distribution", {"events": [distribution_event(target={"mediaType": "application/octet-stream"})]}, {}),
    ("distribution", {"events": []}, {}),
    ("harbor", {"type": "PULL_ARTIFACT", "event_data": {}}, {}),
    ("harbor", {"type": "SCANNING_COMPLETED", "event_data": {}}, {}),
    ("harbor", {"specversion": "1.0", "type": "harbor.artifact.deleted", "data": {}}, {}),
    ("github", {"zen": "Design for failure."}, {"x-github-event": "ping"}),
    ("github", {"action": "published", "package": {"package_type": "npm"}}, {"x-github-event": "package"}),
    ("github", {"action": ["published"], "package": {"package_type": "container"}}, {"x-github-event": "package"}),
    ("acr", {"id": "1", "action": "delete", "target": {}}, {}),
    ("acr", {"id": "1", "action": "chart_push", "target": {}}, {}),
    ("acr", {"id": "1", "action": "ping"}, {}),
    ("ecr", {"detail-type": "ECR Image Action", "detail": {"action-type": "DELETE", "result": "SUCCESS"}}, {}),
    ("ecr", {"detail-type": "ECR Image Action", "detail": {"action-type": "PUSH", "result": "FAILURE"}}, {}),
    ("ecr", {"detail-type": "ECR Image Scan", "detail": {}}, {}),
    ("gar", pubsub({"action": "DELETE", "tag": "gcr.io/p/app:v1"}), {}),
    ("zot", {"name": "golang"}, {"ce-type": "zotregistry.image.deleted"}),
    ("zot", {"name": "golang"}, {"ce-type": "zotregistry.repository.created"}),
    ("zot", {"type": "zotregistry.image.lint_failed", "data": {"name": "golang"}}, {}),
    ("gitea", {"action": "deleted", "package": {"type": "container"}}, {"x-gitea-event": "package"}),
    ("gitea", {"action": "created", "package": {"type": "npm"}}, {"x-gitea-event": "package"}),
    ("gitea", {"ref": "refs/heads/main"}, {"x-gitea-event": "push"}),
    ("artifactory", {"domain": "docker", "event_type": "deleted", "data": {}}, {}),
    ("artifactory", {"domain": "artifact", "event_type": "deployed", "data": {}}, {}),
    ("nexus", {"action": "DELETED", "component": {"format": "docker"}}, {"x-nexus-webhook-id": "rm:repository:component"}),
    ("nexus", {"action": "CREATED", "component": {"format": "npm"}}, {"x-nexus-webhook-id": "rm:repository:component"}),
    ("nexus", {"action": "CREATED", "asset": {}}, {"x-nexus-webhook-id": "rm:repository:asset"}),
]


@pytest.mark.parametrize(("vendor", "body", "headers"), IGNORED)
def test_what_is_no_push_of_an_image_starts_nothing(vendor: str, body: Any, headers: dict[str, str]) -> None:
    assert _read(vendor, body, headers) == []


MALFORMED: list[tuple[str, Any, dict[str, str]]] = [
    ("distribution", {}, {}),
    ("distribution", {"events": {"id": 1}}, {}),
    ("distribution", {"events": [distribution_event(id=None)]}, {}),
    ("distribution", {"events": [distribution_event(target={"digest": "sha256:abc"})]}, {}),
    ("distribution", {"events": [distribution_event(request={}, target={"url": "http://[::1/v2/"})]}, {}),
    ("distribution", {"events": [distribution_event(actor={"name": "a\x00b"})]}, {}),
    ("distribution", {"events": [distribution_event(actor={"name": "a" * (MAX_TEXT + 1)})]}, {}),
    ("distribution", {"events": [{}] * (MAX_EVENTS + 1)}, {}),
    ("distribution", b"", {}),
    ("distribution", b"[]", {}),
    ("distribution", b'{"events": "\xff"}', {}),
    ("distribution", b"[" * 100_000, {}),
    ("harbor", {}, {}),
    ("harbor", {"type": "PUSH_ARTIFACT", "event_data": {"resources": [{}]}}, {}),
    ("quay", {"updated_tags": ["v1"]}, {}),
    ("quay", {"docker_url": "team/app", "updated_tags": ["v1"]}, {}),
    ("quay", {"docker_url": "quay.io/team/app", "updated_tags": {"v1": "x"}}, {}),
    ("quay", {"docker_url": "quay.io/team/app", "updated_tags": ["v1"] * (MAX_EVENTS + 1)}, {}),
    ("dockerhub", {"repository": {"repo_name": "team/app"}}, {}),
    ("github", {"action": "published", "package": {"package_type": "container"}}, {"x-github-event": "package"}),
    ("acr", {"action": "push", "target": {}}, {}),
    ("ecr", {"detail-type": "ECR Image Action", "detail": {"action-type": "PUSH", "result": "SUCCESS"}}, {}),
    ("gar", {"message": {"data": "%%%", "messageId": "1"}}, {}),
    ("gar", {"message": {"data": "ünïcode", "messageId": "1"}}, {}),
    ("gar", pubsub({"action": "INSERT"}), {}),
    ("gar", pubsub({"action": "INSERT", "tag": "gcr.io"}), {}),
    ("zot", {"name": "golang"}, {"ce-type": "zotregistry.image.updated"}),
    ("gitea", {"action": "created", "package": {"type": "container"}}, {"x-gitea-event": "package"}),
    ("artifactory", {"domain": "docker", "event_type": "pushed", "data": {"path": "a/b"}}, {}),
    ("nexus", {"action": "CREATED", "component": {"format": "docker"}}, {"x-nexus-webhook-id": "rm:repository:component"}),
    ("generic", {"reference": "team/app"}, {}),
    ("generic", {"reference": "registry.example/Team/App"}, {}),
]


@pytest.mark.parametrize(("vendor", "body", "headers"), MALFORMED)
def test_a_payload_without_sense_is_refused_as_such(vendor: str, body: Any, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidMessage):
        _read(vendor, body, headers)


@pytest.mark.parametrize("vendor", VENDORS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(body=_JSON)
def test_random_json_raises_nothing_but_an_input_error(vendor: str, body: Any) -> None:
    _survives(vendor, json.dumps(body).encode())


@settings(max_examples=100)
@given(content=st.binary(max_size=200), vendor=st.sampled_from(sorted(VENDORS)))
@example(content=b'{"a": "\xed\xa0\x80"}', vendor="generic")
def test_random_bytes_raise_nothing_but_an_input_error(content: bytes, vendor: str) -> None:
    _survives(vendor, content)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), sample=st.sampled_from(SAMPLES))
def test_a_real_payload_with_any_one_field_replaced_raises_nothing_but_an_input_error(data: st.DataObject, sample: Sample) -> None:
    body = copy.deepcopy(sample.body)
    holder, key = data.draw(st.sampled_from(list(_places(body))))
    holder[key] = data.draw(_JSON)

    _survives(sample.vendor, json.dumps(body).encode())


def test_a_broken_event_does_not_cost_the_pushes_beside_it() -> None:
    events = [distribution_event(id="1"), distribution_event(id=None), distribution_event(id="3")]
    read = iter(VENDORS["distribution"].parse("hook", Incoming(headers={}, body=json.dumps({"events": events}).encode())))

    assert [next(read).event_id, next(read).event_id] == ["1", "3"]
    with pytest.raises(InvalidMessage, match="no id"):
        next(read)


def test_an_owner_with_capitals_is_found_in_githubs_registry() -> None:
    assert _BY_VENDOR["github"].body["registry_package" if "registry_package" in _BY_VENDOR["github"].body else "package"]
    [event] = _read_sample(_BY_VENDOR["github"])
    assert event.repository == "codertocat/hello-world"


def test_githubs_untagged_version_with_a_cut_digest_beside_it_is_read() -> None:
    # as in GitHub's own example: an empty tag, a URL that ends in a colon, and a tag digest of 40 digits
    body = copy.deepcopy(_BY_VENDOR["github"].body)
    version = body["package"]["package_version"]
    version["package_url"] = "ghcr.io/Codertocat/hello-world:"
    version["container_metadata"]["tag"] = {"name": "", "digest": "sha256:6c62fb45fe66bfb1ea9a66abc38f6a0cc974292b"}
    body["package"]["package_type"] = "npm"
    body["package"]["ecosystem"] = "docker"

    [event] = _read("github", body, dict(_BY_VENDOR["github"].headers))

    assert (event.tag, str(event.digest)) == (None, DIGEST)


def test_a_digest_given_apart_does_not_move_the_tag_latest() -> None:
    [event] = _read("generic", {"reference": "registry.example/team/app", "digest": DIGEST})
    assert (event.tag, str(event.digest)) == (None, DIGEST)


def test_a_tag_only_message_of_google_has_no_digest() -> None:
    [event] = _read("gar", pubsub({"action": "INSERT", "tag": "gcr.io/example.com/project/app:v2"}))
    assert (event.host, event.repository, event.tag, event.digest) == ("gcr.io", "example.com/project/app", "v2", None)


def test_the_chinese_partition_of_aws_has_its_own_host() -> None:
    body = copy.deepcopy(_BY_VENDOR["ecr"].body) | {"region": "cn-north-1"}
    assert _read("ecr", body)[0].host == "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"


def test_harbor_without_a_time_does_not_take_every_push_for_the_first() -> None:
    body = {"type": "PUSH_ARTIFACT", "event_data": {"repository": {"repo_full_name": "a/b"}, "resources": [{"tag": "v1"}]}}
    assert _read("harbor", body)[0].event_id != _read("harbor", body)[0].event_id


def test_harbors_entries_of_one_event_have_ids_of_their_own() -> None:
    resources = [{"digest": DIGEST, "tag": tag, "resource_url": "h.example/a/b"} for tag in ("v1", "v2")]
    body = {"type": "PUSH_ARTIFACT", "occur_at": 1, "event_data": {"repository": {"repo_full_name": "a/b"}, "resources": resources}}
    assert len({event.event_id for event in _read("harbor", body)}) == 2


def test_nanoseconds_and_offsets_are_understood() -> None:
    [event] = _read_sample(_BY_VENDOR["distribution"])
    assert event.occurred_at == dt.datetime(2026, 11, 23, 3, 44, 8, 191938, dt.UTC)
    [event] = _read_sample(_BY_VENDOR["gitea"])
    assert event.occurred_at == dt.datetime(2024, 2, 3, 3, 5, 6, tzinfo=dt.UTC)
    [event] = _read_sample(_BY_VENDOR["nexus"])
    assert event.occurred_at == dt.datetime(2016, 11, 14, 19, 32, 13, 515000, dt.UTC)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:00", "yesterday", "9999-12-31T23:59:59-23:00", ""])
def test_a_time_that_means_nothing_is_no_time(time: str) -> None:
    assert _read("generic", {"reference": "registry.example/a:b", "time": time})[0].occurred_at is None


def _survives(vendor: str, content: bytes) -> None:
    sample = _BY_VENDOR[vendor]
    for headers in ({}, dict(sample.headers)):
        try:
            events = list(VENDORS[vendor].parse("hook", Incoming(headers=headers, body=content)))
        except InputError:
            continue
        assert all(isinstance(event, PushEvent) for event in events)


def _places(body: Any) -> Any:
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        yield body, key
        yield from _places(value)
