"""The clients that people use: skopeo, crane and oras."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.contract.registry_api.conftest import Registry
from tests.support.images import ImageLayout, debian_files, make_image, make_index, make_layer, python_files


@pytest.fixture
def image(tmp_path: Path) -> ImageLayout:
    base = make_layer(debian_files({"zlib1g": "1:1.2.11.dfsg-2+deb11u1"}))
    app = make_layer({**python_files({"jinja2": "3.1.2"}), "opt/data": bytes(range(256)) * 20_000})
    return make_image(tmp_path / "layout", [base, app])


async def run(*command: object, folder: Path | None = None) -> str:
    """Run a client and answer its output."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=folder
    )
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def copy(skopeo: Path, source: str, target: str) -> None:
    await run(skopeo, "copy", "--quiet", "--all", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false", source, target)


async def test_skopeo_copies_an_image_there_and_back(registry: Registry, skopeo: Path, image: ImageLayout, tmp_path: Path) -> None:
    reference = f"{registry.host}/{registry.repository}:v1"
    await copy(skopeo, image.reference, f"docker://{reference}")
    inspected = json.loads(await run(skopeo, "inspect", "--tls-verify=false", f"docker://{reference}"))
    assert (inspected["Digest"], inspected["Layers"], inspected["RepoTags"]) == (image.digest, list(image.layers), ["v1"])
    await copy(skopeo, f"docker://{reference}", f"oci:{tmp_path / 'back'}:v1")
    for digest in (image.digest, *image.layers):
        name = Path("blobs/sha256") / digest.removeprefix("sha256:")
        assert (tmp_path / "back" / name).read_bytes() == (image.folder / name).read_bytes()


async def test_skopeo_copies_between_repositories_of_one_registry(registry: Registry, skopeo: Path, image: ImageLayout) -> None:
    source, target = (f"docker://{registry.host}/{name}:v1" for name in (registry.repository, f"{registry.repository}-copy"))
    await copy(skopeo, image.reference, source)
    await copy(skopeo, source, target)
    assert json.loads(await run(skopeo, "inspect", "--tls-verify=false", target))["Digest"] == image.digest


async def test_skopeo_copies_an_index_with_all_its_children(registry: Registry, skopeo: Path, image: ImageLayout) -> None:
    arm = make_image(image.folder, [make_layer({"arm": b"64"})], config={"architecture": "arm64"}, tag="arm")
    index = make_index(image.folder, [image, arm], tag="multi")
    await copy(skopeo, index.reference, f"docker://{registry.host}/{registry.repository}:multi")
    for digest in (index.digest, image.digest, arm.digest):
        assert (await registry.ask("HEAD", f"{registry.repository}/manifests/{digest}")).status == 200


async def test_skopeo_deletes_an_image(registry: Registry, skopeo: Path, image: ImageLayout) -> None:
    reference = f"docker://{registry.host}/{registry.repository}:v1"
    await copy(skopeo, image.reference, reference)
    await run(skopeo, "delete", "--tls-verify=false", reference)
    assert (await registry.ask("HEAD", f"{registry.repository}/manifests/{image.digest}")).status == 404


async def test_crane_copies_tags_lists_and_validates(registry: Registry, skopeo: Path, crane: Path, image: ImageLayout) -> None:
    name = f"{registry.host}/{registry.repository}"
    await copy(skopeo, image.reference, f"docker://{name}:v1")
    await run(crane, "tag", "--insecure", f"{name}:v1", "v2")
    await run(crane, "copy", "--insecure", f"{name}:v2", f"{name}-copy:v3")
    assert sorted((await run(crane, "ls", "--insecure", name)).split()) == ["v1", "v2"]
    assert (await run(crane, "digest", "--insecure", f"{name}-copy:v3")).strip() == image.digest
    await run(crane, "validate", "--insecure", "--remote", f"{name}:v2")
    assert registry.repository in (await run(crane, "catalog", "--insecure", registry.host)).split()


async def test_oras_attaches_a_report_and_finds_it_again(
    registry: Registry, skopeo: Path, oras: Path, image: ImageLayout, tmp_path: Path
) -> None:
    name = f"{registry.host}/{registry.repository}"
    await copy(skopeo, image.reference, f"docker://{name}:v1")
    (tmp_path / "report.json").write_text("{}")
    kind = "application/vnd.example.report"
    await run(oras, "attach", "--plain-http", "--artifact-type", kind, f"{name}:v1", "report.json:application/json", folder=tmp_path)
    found = json.loads(await run(oras, "discover", "--plain-http", "--format", "json", f"{name}:v1"))
    assert [entry["artifactType"] for entry in found["referrers"]] == [kind]
