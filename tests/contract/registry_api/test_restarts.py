"""What was pushed is still there after a restart, and deleting can be forbidden."""

from __future__ import annotations

import aiohttp

from tests.contract.registry_api.conftest import Embedded, Real, Registry


async def test_images_and_tags_survive_a_restart(kind: Embedded | Real, session: aiohttp.ClientSession) -> None:
    async with kind.run() as host:
        before = Registry(host=host, session=session, receiver=kind.receiver)
        digest, content = await before.push_image("v1")
        await kind.receiver.wait_for(1)
    async with kind.run() as host:
        after = Registry(host=host, session=session, receiver=kind.receiver, repository=before.repository)
        answer = await after.ask("GET", f"{after.repository}/manifests/v1")
        assert (answer.body, answer.headers["Docker-Content-Digest"]) == (content, digest)
        assert (await after.ask("GET", f"{after.repository}/tags/list")).json["tags"] == ["v1"]
        await after.push_image("v2")


async def test_a_registry_may_forbid_deletes(kind: Embedded | Real, session: aiohttp.ClientSession) -> None:
    kind.allow_delete = False
    async with kind.run() as host:
        registry = Registry(host=host, session=session, receiver=kind.receiver)
        digest, _content = await registry.push_image("v1")
        blob = await registry.push_blob(b"kept")
        for path in (f"manifests/{digest}", f"blobs/{blob}"):
            answer = await registry.ask("DELETE", f"{registry.repository}/{path}")
            assert (answer.status, answer.code) == (405, "UNSUPPORTED")
        assert (await registry.ask("HEAD", f"{registry.repository}/manifests/v1")).status == 200
