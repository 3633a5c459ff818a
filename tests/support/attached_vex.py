"""An image in a registry, two key pairs, and the tools that people attach VEX with: cosign 2, cosign 3 and oras."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor
from pratique.oci.reference import Reference
from pratique.registry.access import RegistryAccess
from pratique.registry.attached_vex import OPENVEX, AttachedVex, find_attached_vex
from pratique.registry.client import Registries, RegistryClient
from pratique.registry.referrers import Artifact, ArtifactLayer
from pratique.registry.registry_source import RegistrySource
from pratique.signing.keys import VerifyingKey
from tests.support.images import make_image, make_layer, push, python_files
from tests.support.servers import DockerRegistry
from tests.support.vex import openvex, said

REQUESTS = "pkg:pypi/requests@2.19.0"
VEX = openvex(said("CVE-2018-18074", {"@id": REQUESTS}))
OFFLINE = {"cosign25": ["--tlog-upload=false"], "cosign31": ["--use-signing-config=false", "--tlog-upload=false"]}


class Pushed:
    """An image with one Python package in a registry, two key pairs, and ways to attach something to it."""

    def __init__(self, registry: DockerRegistry, folder: Path, cosign: Path) -> None:
        self.folder = folder
        self.host = registry.host
        self.repository = f"vex/{uuid4().hex[:8]}"
        self.reference = f"{registry.host}/{self.repository}:1"
        layers = [make_layer(python_files({"requests": "2.19.0"}))]
        self.layout = make_image(folder / "image", layers, config={"created": uuid4().hex, "config": {"User": "app"}})
        push(self.layout, self.reference)
        for name in ("ours", "theirs"):
            self.run(cosign, "generate-key-pair", "--output-key-prefix", name)

    @property
    def digest(self) -> Digest:
        return Digest.parse(self.layout.digest)

    @property
    def by_digest(self) -> str:
        return f"{self.host}/{self.repository}@{self.digest}"

    def run(self, *command: str | Path) -> None:
        environment = {**os.environ, "COSIGN_PASSWORD": "", "HOME": str(self.folder), "COSIGN_YES": "true"}
        done = subprocess.run(
            [*map(str, command)], check=False, capture_output=True, text=True, timeout=60, cwd=self.folder, env=environment
        )
        assert done.returncode == 0, done.stderr[-2000:]

    def write(self, content: bytes, name: str = "vex.json") -> None:
        (self.folder / name).write_bytes(content)

    def call(self, ask: Callable[[RegistryClient], Any]) -> Any:
        async def run() -> Any:
            async with Registries({self.host: RegistryAccess(host=self.host, plain_http=True)}) as registries:
                return await ask(registries.client(self.host))

        return asyncio.run(run())

    def find(self, *keys: str) -> list[AttachedVex]:
        trusted = [VerifyingKey.parse((self.folder / f"{key}.pub").read_bytes()) for key in keys or ("ours",)]

        async def find(client: RegistryClient) -> list[AttachedVex]:
            source = RegistrySource(client, Reference.parse(self.reference))
            return [found async for found in find_attached_vex(source, self.digest, trusted)]

        found: list[AttachedVex] = self.call(find)
        return found

    def attach(self, *contents: bytes, artifact_type: str = OPENVEX, media_type: str = OPENVEX) -> str:
        async def attach(client: RegistryClient) -> Descriptor:
            about = await client.resolve_digest(self.repository, self.layout.digest)
            layers = tuple(ArtifactLayer(media_type=media_type, content=content) for content in contents)
            return await client.push_referrer(self.repository, about, Artifact(artifact_type=artifact_type, layers=layers))

        return f"{self.host}/{self.repository}@{self.call(attach).digest}"


def attest(image: Pushed, cosign: tuple[str | Path, ...], content: bytes, *, kind: str = "openvex", key: str = "ours") -> None:
    image.write(content)
    tool, *offline = cosign
    options = ["--key", f"{key}.key", "--type", kind, "--predicate", "vex.json", "--allow-http-registry", *offline]
    image.run(tool, "attest", *options, image.by_digest)


def sign(image: Pushed, cosign: tuple[str | Path, ...], reference: str, *, key: str = "ours") -> None:
    tool, *offline = cosign
    image.run(tool, "sign", "--key", f"{key}.key", "--allow-http-registry", *offline, reference)
