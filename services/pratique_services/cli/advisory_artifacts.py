"""`pratique advisories push` and `pull`: the compiled database as an OCI artifact, so that an air-gapped site needs nothing but its registry."""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

from pratique import __version__
from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import InvalidAdvisory, SettingsError
from pratique.oci.reference import Reference
from pratique.registry.access import RegistryAccess
from pratique.registry.artifacts import ArtifactFile, FileArtifact, pull_artifact, push_artifact
from pratique.registry.client import Registries
from pratique_services.cli.main import EXIT_OK

ARTIFACT_TYPE = "application/vnd.pratique.advisories.v1"
MEDIA_TYPE = "application/vnd.pratique.advisories.v1+sqlite3"
_MAX_BYTES = 2 * 1024**3  # of a database that is fetched: protects the disk


def push(options: argparse.Namespace) -> int:
    """Push a database that opens; print where it is by digest."""
    path = options.advisories or os.environ.get("PRATIQUE_ADVISORIES")
    if not path:
        raise SettingsError("which database? give --advisories FILE or set PRATIQUE_ADVISORIES")
    with AdvisoryDatabase.open(Path(path)) as database:
        newest = max((feed.updated for feed in database.feeds), default="")
        annotations = {"dev.pratique.advisories.digest": str(database.digest), "dev.pratique.advisories.updated": newest}
    print(asyncio.run(_push(options, Path(path), annotations)))
    return EXIT_OK


def pull(options: argparse.Namespace) -> int:
    """Pull a database beside FILE, open it, and only then put it in FILE's place, in one step."""
    output: Path = options.output
    try:
        with tempfile.TemporaryDirectory(dir=output.absolute().parent, prefix=".pratique-pull-") as folder:
            digest = asyncio.run(_pull(options, Path(folder), output))
    except OSError as error:
        raise SettingsError(f"cannot write {output}: {error.strerror}") from error
    print(f"{output}: {digest}")
    return EXIT_OK


async def _push(options: argparse.Namespace, path: Path, annotations: dict[str, str]) -> str:
    reference = Reference.parse(options.reference)
    artifact = FileArtifact(artifact_type=ARTIFACT_TYPE, files=(ArtifactFile(path=path, media_type=MEDIA_TYPE),), annotations=annotations)
    async with _registries(options, reference) as registries:
        pushed = await push_artifact(registries.client(reference.host), reference, artifact)
    return f"{reference.name}@{pushed.digest}"


async def _pull(options: argparse.Namespace, folder: Path, output: Path) -> str:
    reference = Reference.parse(options.reference)
    async with _registries(options, reference) as registries:
        paths = await pull_artifact(registries.client(reference.host), reference, folder, limit=_MAX_BYTES)
    if len(paths) != 1:
        raise InvalidAdvisory(f"expected one file in {reference}, got {len(paths)}")
    with AdvisoryDatabase.open(paths[0]) as database:
        digest = str(database.digest)
    paths[0].replace(output)
    return digest


def _registries(options: argparse.Namespace, reference: Reference) -> Registries:
    access = RegistryAccess(host=reference.host, plain_http=options.plain_http)
    return Registries({reference.host: access}, user_agent=f"pratique/{__version__}")
