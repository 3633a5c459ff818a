"""What the embedded registry does beyond docker-registry 2.8, or more strictly."""

from __future__ import annotations

from io import BytesIO

import aiohttp
import pytest

from pratique.oci import media_types
from pratique_services.demo import registry_blobs, registry_events
from tests.contract.registry_api.conftest import Embedded, Receiver, Registry

REPORT, SBOM = "application/vnd.example.report", "application/vnd.example.sbom"


async def attach(registry: Registry, subject: str, artifact_type: str) -> str:
    """Push a manifest that names `subject`; answer its digest."""
    descriptor = {"mediaType": media_types.OCI_MANIFEST, "digest": subject, "size": 1}
    digest, _content = await registry.push_image(subject=descriptor, artifactType=artifact_type, annotations={"kind": artifact_type})
    return digest


async def test_referrers_are_listed_with_type_and_annotations(embedded: Registry) -> None:
    subject, _content = await embedded.push_image("v1")
    report, sbom = await attach(embedded, subject, REPORT), await attach(embedded, subject, SBOM)
    answer = await embedded.ask("GET", f"{embedded.repository}/referrers/{subject}")
    assert answer.headers["Content-Type"].startswith(media_types.OCI_INDEX)
    assert {entry["digest"]: entry["artifactType"] for entry in answer.json["manifests"]} == {report: REPORT, sbom: SBOM}
    assert all(entry["annotations"] == {"kind": entry["artifactType"]} for entry in answer.json["manifests"])


async def test_referrers_can_be_filtered_by_type(embedded: Registry) -> None:
    subject, _content = await embedded.push_image("v1")
    report = await attach(embedded, subject, REPORT)
    await attach(embedded, subject, SBOM)
    answer = await embedded.ask("GET", f"{embedded.repository}/referrers/{subject}?artifactType={REPORT}")
    assert [entry["digest"] for entry in answer.json["manifests"]] == [report]
    assert answer.headers["OCI-Filters-Applied"] == "artifactType"


async def test_a_digest_without_referrers_has_an_empty_list(embedded: Registry) -> None:
    answer = await embedded.ask("GET", f"{embedded.repository}/referrers/sha256:{'0' * 64}")
    assert (answer.status, answer.json["manifests"]) == (200, [])


async def test_a_push_with_a_subject_says_that_it_was_understood(embedded: Registry) -> None:
    config, layer = await embedded.push_blob(b"{}"), await embedded.push_blob(b"layer")
    subject = f"sha256:{'0' * 64}"
    content = f"""{{"schemaVersion": 2, "config": {{"mediaType": "{media_types.OCI_EMPTY}", "digest": "{config}", "size": 2}},
        "layers": [{{"mediaType": "text/plain", "digest": "{layer}", "size": 5}}],
        "subject": {{"mediaType": "{media_types.OCI_MANIFEST}", "digest": "{subject}", "size": 1}}}}"""
    assert (await embedded.put_manifest("v1", content.encode())).headers["OCI-Subject"] == subject


async def test_a_deleted_referrer_is_not_listed(embedded: Registry) -> None:
    subject, _content = await embedded.push_image("v1")
    report = await attach(embedded, subject, REPORT)
    await embedded.ask("DELETE", f"{embedded.repository}/manifests/{report}")
    assert (await embedded.ask("GET", f"{embedded.repository}/referrers/{subject}")).json["manifests"] == []


async def test_a_chunk_out_of_order_is_refused(embedded: Registry) -> None:
    begun = await embedded.ask("POST", f"{embedded.repository}/blobs/uploads/")
    location = begun.headers["Location"]
    assert (await embedded.ask("PATCH", location, body=b"0123", Content_Range="0-3")).status == 202
    assert (await embedded.ask("PATCH", location, body=b"89", Content_Range="8-9")).status == 416
    assert (await embedded.ask("PATCH", location, body=b"45", Content_Range="4-5")).headers["Range"] == "0-5"


async def test_uploads_under_way_are_limited(embedded: Registry) -> None:
    statuses = [
        (await embedded.ask("POST", f"{embedded.repository}/blobs/uploads/")).status for _ in range(registry_blobs.MAX_SESSIONS + 1)
    ]
    assert statuses == [202] * registry_blobs.MAX_SESSIONS + [429]


async def test_a_manifest_larger_than_the_limit_is_refused(embedded: Registry) -> None:
    answer = await embedded.put_manifest("v1", BytesIO(b" " * (4 * 1024 * 1024 + 1)))
    assert (answer.status, answer.code) == (400, "SIZE_INVALID")


async def test_a_range_beyond_the_end_is_refused(embedded: Registry) -> None:
    digest = await embedded.push_blob(b"0123456789")
    assert (await embedded.ask("GET", f"{embedded.repository}/blobs/{digest}", Range="bytes=10-")).status == 416


@pytest.mark.parametrize("name", ["UPPER/case", "..", "../../etc", "a/_tags", "a//b", "a/../b"])
async def test_a_name_that_would_leave_the_folder_is_refused(embedded: Registry, name: str) -> None:
    encoded = name.replace("/", "%2F").replace(".", "%2E")
    answer = await embedded.ask("POST", f"{encoded}/blobs/uploads/")
    assert answer.status in {400, 404}


async def test_an_event_that_was_not_delivered_is_delivered_after_a_restart(
    kind_embedded: Embedded, session: aiohttp.ClientSession
) -> None:
    receiver = kind_embedded.receiver
    receiver.failures = 1_000_000
    async with kind_embedded.run() as host:
        await Registry(host=host, session=session, receiver=receiver).push_image("v1")
        await receiver.refused.wait()
    receiver.failures = 0
    async with kind_embedded.run() as host:
        await Registry(host=host, session=session, receiver=receiver).push_image("v2")
        events = await receiver.wait_for(2)
    assert [event["target"]["tag"] for event in events] == ["v1", "v2"]


async def test_pushes_are_refused_when_nobody_takes_the_notifications(kind_embedded: Embedded, session: aiohttp.ClientSession) -> None:
    kind_embedded.receiver.failures = 1_000_000
    waiting = kind_embedded.folder / "events"
    waiting.mkdir(parents=True)
    for number in range(registry_events.MAX_WAITING):
        (waiting / f"{number:012d}.json").write_text('{"events": []}')
    async with kind_embedded.run() as host:
        registry = Registry(host=host, session=session, receiver=kind_embedded.receiver)
        answer = await registry.put_manifest("v1", b"{}")
    assert (answer.status, answer.code) == (503, "UNAVAILABLE")


@pytest.fixture
def kind_embedded(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Embedded:
    """The embedded registry, not yet running."""
    return Embedded(tmp_path_factory.mktemp("registry"), receiver)
