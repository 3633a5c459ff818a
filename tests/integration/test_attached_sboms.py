"""SBOMs attached to an image in a real registry by the tools that people attach them with: oras, cosign 2 and cosign 3."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor
from pratique.oci.reference import Reference
from pratique.registry.access import RegistryAccess
from pratique.registry.attached_sboms import MAX_SBOMS, AttachedSbom, find_attached_sboms
from pratique.registry.client import Registries
from pratique.registry.referrers import Artifact, ArtifactLayer
from pratique.registry.registry_source import RegistrySource
from pratique_services.cli import main
from tests.support.images import make_image, make_layer, push, python_files
from tests.support.sboms import cyclonedx, library, spdx
from tests.support.servers import DockerRegistry

PLAIN = "application/vnd.cyclonedx+json"


class Pushed:
    """An image with one Python package in a registry, and ways to attach something to it."""

    def __init__(self, registry: DockerRegistry, folder: Path) -> None:
        self.folder = folder
        self.repository = f"sboms/{uuid4().hex[:8]}"
        self.reference = f"{registry.host}/{self.repository}:1"
        self.layout = make_image(folder / "image", [make_layer(python_files({"requests": "2.19.0"}))], config={"created": uuid4().hex})
        self.host = registry.host
        push(self.layout, self.reference)

    @property
    def digest(self) -> Digest:
        return Digest.parse(self.layout.digest)

    @property
    def by_digest(self) -> str:
        return f"{self.host}/{self.repository}@{self.layout.digest}"

    def write(self, content: bytes, name: str = "sbom.json") -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def find(self) -> list[AttachedSbom]:
        async def find() -> list[AttachedSbom]:
            async with Registries({self.host: RegistryAccess(host=self.host, plain_http=True)}) as registries:
                source = RegistrySource(registries.client(self.host), Reference.parse(self.reference))
                return [found async for found in find_attached_sboms(source, self.digest, [])]

        return asyncio.run(find())

    def attach(self, *contents: bytes, artifact_type: str = PLAIN, media_type: str = PLAIN, subject: Digest | None = None) -> None:
        async def attach() -> None:
            async with Registries({self.host: RegistryAccess(host=self.host, plain_http=True)}) as registries:
                client = registries.client(self.host)
                about = await client.resolve_digest(self.repository, self.layout.digest)
                about = Descriptor(media_type=about.media_type, digest=subject or about.digest, size=about.size)
                layers = tuple(ArtifactLayer(media_type=media_type, content=content) for content in contents)
                await client.push_referrer(self.repository, about, Artifact(artifact_type=artifact_type, layers=layers))

        asyncio.run(attach())


@pytest.fixture
def image(shared_registry: DockerRegistry, tmp_path: Path) -> Pushed:
    return Pushed(shared_registry, tmp_path)


def _run(*command: str | Path, folder: Path) -> None:
    environment = {**os.environ, "COSIGN_PASSWORD": "", "HOME": str(folder), "COSIGN_YES": "true"}
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, timeout=60, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]


def _names(found: list[AttachedSbom]) -> list[str]:
    assert all(not one.problem for one in found)
    return sorted(package.package.name for one in found if one.contents for package in one.contents.packages)


SBOM = cyclonedx(library("pkg:npm/compiled-in@1"))
SPDX = spdx({"name": "compiled-in", "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:npm/compiled-in@1"}]})


@pytest.mark.parametrize("kind", [PLAIN, "application/spdx+json"])
def test_what_oras_attaches_is_found(kind: str, image: Pushed, oras: Path) -> None:
    image.write(SBOM if kind == PLAIN else SPDX)
    _run(oras, "attach", "--plain-http", "--artifact-type", kind, image.by_digest, "sbom.json", folder=image.folder)
    assert _names(image.find()) == ["compiled-in"]


@pytest.mark.parametrize(("kind", "content"), [("cyclonedx", SBOM), ("spdxjson", SPDX)])
@pytest.mark.parametrize("version", ["cosign25", "cosign31"])
def test_what_cosign_attests_is_found(kind: str, content: bytes, version: str, image: Pushed, request: pytest.FixtureRequest) -> None:
    cosign: Path = request.getfixturevalue(version)
    image.write(content)
    _run(cosign, "generate-key-pair", folder=image.folder)
    offline = ["--tlog-upload=false"] if version == "cosign25" else ["--use-signing-config=false", "--tlog-upload=false"]
    options = ["--key", "cosign.key", "--type", kind, "--predicate", "sbom.json", "--allow-http-registry", *offline]
    _run(cosign, "attest", *options, image.by_digest, folder=image.folder)
    assert _names(image.find()) == ["compiled-in"]


@pytest.mark.parametrize(("kind", "content"), [("cyclonedx", SBOM), ("spdx", SPDX)])
def test_what_cosign_2_attaches_is_found(kind: str, content: bytes, image: Pushed, cosign25: Path) -> None:
    image.write(content)
    options = ["--sbom", "sbom.json", "--type", kind, "--input-format", "json", "--allow-http-registry"]
    _run(cosign25, "attach", "sbom", *options, image.by_digest, folder=image.folder)
    assert _names(image.find()) == ["compiled-in"]


def test_signatures_and_other_artifacts_are_no_sboms(image: Pushed, cosign25: Path, cosign31: Path) -> None:
    image.attach(b"a report", artifact_type="application/vnd.example.report", media_type="text/plain")
    image.write(b'{"builder": {"id": "x"}, "buildType": "y"}')
    _run(cosign25, "generate-key-pair", folder=image.folder)
    key = ["--key", "cosign.key", "--allow-http-registry", "--tlog-upload=false"]
    _run(cosign25, "sign", *key, image.by_digest, folder=image.folder)
    _run(cosign25, "attest", *key, "--type", "slsaprovenance", "--predicate", "sbom.json", image.by_digest, folder=image.folder)
    _run(cosign31, "sign", *key, "--use-signing-config=false", image.by_digest, folder=image.folder)
    assert image.find() == []


def test_the_same_blob_by_two_ways_is_one(image: Pushed) -> None:
    image.attach(SBOM)
    image.attach(SBOM, artifact_type="application/spdx+json")
    assert _names(image.find()) == ["compiled-in"]


@pytest.mark.parametrize(
    ("content", "media_type", "problem"),
    [
        (b"{}", PLAIN, "CycloneDX, SPDX 2 or SPDX 3"),
        (b"\0" * 100, PLAIN, "expected an SBOM in JSON"),
        (b"<bom/>", "application/vnd.cyclonedx+xml", "an SBOM in a form that is not read"),
        (b"{}", "application/vnd.in-toto+json", "expected an in-toto statement"),
    ],
)
def test_a_broken_one_is_told_and_hides_no_other(content: bytes, media_type: str, problem: str, image: Pushed) -> None:
    image.attach(content, SBOM, media_type=media_type)
    image.attach(SBOM)
    found = image.find()
    problems = [one.problem for one in found if one.contents is None]
    assert any(problem in text for text in problems)
    assert any(one.contents for one in found)


def test_a_referrer_that_does_not_refer_to_the_image_is_told(image: Pushed, shared_registry: DockerRegistry, tmp_path: Path) -> None:
    other = make_image(tmp_path / "other", [make_layer({"x": b"y"})])
    push(other, f"{shared_registry.host}/{image.repository}:other")
    image.attach(SBOM, subject=Digest.parse(other.digest))

    async def lie() -> None:
        """Copy the other image's fallback index to the place of this one's."""
        async with Registries({image.host: RegistryAccess(host=image.host, plain_http=True)}) as registries:
            client = registries.client(image.host)
            index = await client.fetch_document(image.repository, Digest.parse(other.digest).tag_prefix)
            await client.push_document(image.repository, index.raw, index.descriptor.media_type, tag=image.digest.tag_prefix)

    asyncio.run(lie())
    assert ["does not refer to it" in one.problem for one in image.find()] == [True]


def test_no_more_than_so_many_are_read(image: Pushed) -> None:
    image.attach(*(cyclonedx(library(f"pkg:npm/a{number}@1")) for number in range(MAX_SBOMS + 2)))
    found = image.find()
    assert sum(one.contents is not None for one in found) == MAX_SBOMS
    assert found[-1].problem == f"more than {MAX_SBOMS}: the others were not read"


def test_the_command_line_adds_them_when_asked(image: Pushed, capsys: pytest.CaptureFixture[str]) -> None:
    image.attach(SBOM)
    plain = ["sbom", image.reference, "--plain-http", "--format", "json"]
    assert main(plain) == 0
    assert "compiled-in" not in capsys.readouterr().out
    assert main([*plain, "--sbom-sources", "oci"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [package["name"] for package in document["packages"]] == ["compiled-in", "requests"]
    assert [package["layer"] for package in document["packages"]] == [None, image.layout.layers[0]]
