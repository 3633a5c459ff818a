"""The scanner and the VEX that hangs on what it scans, in a real registry, attached by cosign itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pratique.errors import MissingError
from pratique.messages import ImagePushed
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique.registry.attached_vex import MAX_DOCUMENTS
from pratique.registry.attachments import open_referrers
from pratique.registry.client import Registries, RegistryClient
from pratique.registry.registry_source import RegistrySource
from pratique.signing.keys import VerifyingKey
from pratique.storage.audit import AuditRow, load_audit
from pratique_services.scanner.consumer import ScanWorker
from pratique_services.scanner.vex import MAX_NOTES, VERB, VexRecorder
from tests.support.attached_vex import OFFLINE, REQUESTS, VEX, Pushed, attest, sign
from tests.support.images import make_image, make_index, make_layer, push
from tests.support.registry_fakes import FaultyProxy, serving
from tests.support.servers import DockerRegistry
from tests.support.services import Bench, access_to, deliver
from tests.support.vex import openvex, said

Cosign = tuple[str | Path, ...]


@pytest.fixture
async def image(shared_registry: DockerRegistry, tmp_path: Path, cosign25: Path) -> Pushed:
    return await asyncio.to_thread(Pushed, shared_registry, tmp_path, cosign25)


@pytest.fixture
def cosign(cosign25: Path) -> Cosign:
    return (cosign25, *OFFLINE["cosign25"])


def key_of(image: Pushed, name: str = "ours") -> VerifyingKey:
    return VerifyingKey.parse((image.folder / f"{name}.pub").read_bytes())


def worker(bench: Bench, image: Pushed, *names: str, **options: Any) -> ScanWorker:
    keys = [key_of(image, name) for name in names]
    return replace(bench.worker(**options), vex=VexRecorder(database=bench.database, keys=keys))


async def scan(bench: Bench, image: Pushed, *names: str, digest: Digest | None = None, host: str = "", **options: Any) -> str:
    """Scan the image, trusting these keys; answer the state of the scan."""
    message = await bench.event(host or image.host, image.repository, digest=digest or image.digest)
    await worker(bench, image, *names or ("ours",), **options).consume(deliver(message))
    return str((await bench.scan_row(message))["state"])


async def recorded(bench: Bench) -> list[tuple[str, bytes, str]]:
    """Images, documents and signers, as they are kept."""
    rows = await bench.rows(
        "SELECT image.digest AS image, content, signer FROM image_vex JOIN image ON image.id = image_id "
        "JOIN vex_document ON vex_document.digest = document ORDER BY image.digest, document"
    )
    return [(row["image"], row["content"], row["signer"]) for row in rows]


async def lines(bench: Bench, image: Pushed, digest: Digest | None = None) -> list[AuditRow]:
    async with bench.database.reading() as session:
        found = await load_audit(session, subject=f"{image.host}/{image.repository}@{digest or image.digest}")
    return [line for line in found if line.verb == VERB]


async def run(*call: Any, **options: Any) -> None:
    await asyncio.to_thread(*call, **options)


async def test_what_a_trusted_key_signed_is_kept_with_the_image_and_told(bench: Bench, image: Pushed, cosign: Cosign) -> None:
    await run(attest, image, cosign, VEX)
    assert await scan(bench, image, "theirs", "ours") == "scanned"
    ((digest, content, signer),) = await recorded(bench)
    assert (digest, signer) == (str(image.digest), key_of(image).hint)
    assert b"CVE-2018-18074" in content
    (line,) = await lines(bench, image)
    assert line.detail == {
        "detail": "1 attached VEX document counts",
        "documents": [{"image": str(image.digest), "digest": str(Digest.of(content)), "signer": signer}],
        "ignored": [],
    }


async def test_what_nobody_trusted_signed_is_told_and_makes_nothing_incomplete(bench: Bench, image: Pushed, cosign: Cosign) -> None:
    await scan(bench, image)
    before = await bench.rows("SELECT section, status, items FROM coverage ORDER BY section")
    assert await lines(bench, image) == []
    await run(attest, image, cosign, VEX, key="theirs")
    await run(image.attach, VEX)
    for _ in range(2):
        assert await scan(bench, image) == "scanned"
    assert await recorded(bench) == []
    assert await bench.rows("SELECT * FROM vex_document") == []
    assert await bench.rows("SELECT section, status, items FROM coverage ORDER BY section") == before
    (line,) = await lines(bench, image)
    assert line.detail["detail"].startswith("0 attached VEX documents count; ignored: ")
    assert {"signatures" in note or "not signed by a trusted key" in note for note in line.detail["ignored"]} == {True}
    assert len(line.detail["ignored"]) == 2


async def test_what_is_gone_from_the_registry_counts_no_more(bench: Bench, image: Pushed, cosign: Cosign) -> None:
    reference = await asyncio.to_thread(image.attach, VEX)
    await run(sign, image, cosign, reference)
    await scan(bench, image)
    assert [content for _, content, _ in await recorded(bench)] == [VEX]
    await run(image.call, lambda client: client.delete_document(image.repository, Digest.parse(reference.partition("@")[2])))
    await scan(bench, image)
    assert await recorded(bench) == []
    assert [line.detail["detail"] for line in await lines(bench, image)] == [
        "0 attached VEX documents count",
        "1 attached VEX document counts",
    ]


async def test_an_index_and_its_images_are_each_asked_for(bench: Bench, image: Pushed, cosign: Cosign) -> None:
    other = make_image(image.layout.folder, [make_layer({"x": b"y"})], config={"architecture": "arm64"}, tag="arm")
    index = make_index(image.layout.folder, [image.layout, other], tag="all")
    await run(push, index, f"{image.host}/{image.repository}:all")
    await run(attest, image, cosign, VEX)
    image.layout = index
    await run(attest, image, cosign, openvex(said("CVE-1", {"@id": REQUESTS})))
    await scan(bench, image)
    assert len({digest for digest, _, _ in await recorded(bench)}) == 2


async def test_without_keys_nothing_is_asked_for(bench: Bench, image: Pushed, shared_registry: DockerRegistry) -> None:
    shared_registry.clear()
    message = await bench.event(image.host, image.repository, digest=image.digest)
    await replace(bench.worker(), vex=VexRecorder(database=bench.database, keys=())).consume(deliver(message))
    assert [entry.path for entry in shared_registry.requests() if "referrers" in entry.path or ".att" in entry.path] == []


async def test_a_registry_that_refuses_what_hangs_on_an_image_leaves_its_findings_standing(
    bench: Bench, image: Pushed, cosign: Cosign, shared_registry: DockerRegistry
) -> None:
    await run(attest, image, cosign, VEX)
    await scan(bench, image)
    assert len(await recorded(bench)) == 1

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=403)

    proxy = FaultyProxy(shared_registry.host)
    proxy.where = ".att"
    proxy.faults.append(refuse)
    async with serving(proxy.handle) as host, Registries({host: access_to(host, max_attempts=1)}) as registries:
        assert await scan(bench, image, host=host, registries=registries) == "scanned"
    assert await recorded(bench) == []


async def test_however_much_is_attached_what_is_told_is_bounded(bench: Bench, image: Pushed) -> None:
    await run(image.attach, *(openvex(said(f"CVE-{number}")) for number in range(MAX_DOCUMENTS)))
    await scan(bench, image)
    (line,) = await lines(bench, image)
    assert len(line.detail["ignored"]) == MAX_NOTES + 1
    assert line.detail["ignored"][-1] == f"and {MAX_DOCUMENTS - MAX_NOTES} more"


@pytest.mark.parametrize("version", ["cosign25", "cosign31"])
async def test_what_is_attached_later_leads_to_a_scan_of_the_image_once(
    version: str, bench: Bench, image: Pushed, request: pytest.FixtureRequest
) -> None:
    await scan(bench, image)
    await bench.take()
    await run(attest, image, (request.getfixturevalue(version), *OFFLINE[version]), VEX)
    (tag, digest) = await asyncio.to_thread(attestation_of, image)
    for _ in range(2):
        message = await bench.event(image.host, image.repository, tag=tag, digest=digest)
        await worker(bench, image, "ours").consume(deliver(message))
        asked = await bench.take(ImagePushed)
        if asked:
            (rescan,) = asked
            row = await bench.scan_row(rescan)
            assert (row["digest"], row["priority"], row["requested_by"]) == (str(image.digest), "demand", f"VEX attached as {digest}")
            await worker(bench, image, "ours").consume(deliver(rescan))
    assert len(await bench.rows("SELECT id FROM scan WHERE digest = :digest", digest=str(image.digest))) == 2
    assert len(await recorded(bench)) == 1


async def test_what_nobody_trusted_signed_leads_to_no_scan(bench: Bench, image: Pushed) -> None:
    await scan(bench, image)
    await bench.take()
    reference = await asyncio.to_thread(image.attach, VEX)
    message = await bench.event(image.host, image.repository, digest=Digest.parse(reference.partition("@")[2]))
    await worker(bench, image, "ours").consume(deliver(message))
    assert await bench.take(ImagePushed) == []


def attestation_of(image: Pushed) -> tuple[str | None, Digest]:
    """What cosign pushed: the tag and the digest, as a webhook tells them."""

    async def find(client: RegistryClient) -> tuple[str | None, Digest]:
        try:
            tag = f"{image.digest.tag_prefix}.att"
            return tag, (await client.resolve_digest(image.repository, tag)).digest
        except MissingError:
            source = RegistrySource(client, Reference.parse(image.reference))
            (digest,) = [found.manifest.descriptor.digest async for found in open_referrers(source, image.digest, lambda _: True)]
            return None, digest

    found: tuple[str | None, Digest] = image.call(find)
    return found
