"""`pratique advisories push` and `pull`: the compiled database as a signed OCI artifact, so that an air-gapped site needs nothing but its registry.

1. `push` stores the file, and signs the manifest as images are signed: `cosign verify --key` says the same as `pull --verify-key`.
2. `pull` resolves the reference once, verifies who signed that digest, and only then fetches the file, by that digest.
3. What came has to open as a database. It is made durable beside FILE, and takes its place in one step; whatever fails before leaves FILE as it was.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from pratique import __version__
from pratique.advisories.database import AdvisoryDatabase
from pratique.errors import InvalidManifest, PratiqueError, RefusedError, SettingsError
from pratique.feeds.folder import publish
from pratique.oci.digest import Digest
from pratique.oci.manifest import Manifest
from pratique.oci.reference import Reference
from pratique.registry.access import RegistryAccess
from pratique.registry.artifacts import ArtifactFile, FileArtifact, pull_artifact, push_artifact
from pratique.registry.client import Registries, RegistryClient
from pratique.registry.registry_source import RegistrySource
from pratique.registry.signatures import Signatures, publish_signature
from pratique.signing.keys import SigningKey, VerifyingKey
from pratique_services.cli.key_files import load_signing_key, load_verifying_key
from pratique_services.cli.main import EXIT_OK

ARTIFACT_TYPE = "application/vnd.pratique.advisories.v1"
MEDIA_TYPE = "application/vnd.pratique.advisories.v1+sqlite3"
_MAX_BYTES = 2 * 1024**3  # of a database that is fetched: protects the disk


def push(options: argparse.Namespace) -> int:
    """Push a database that opens, sign it if there is a key, and print where it is by digest."""
    path = options.file or os.environ.get("PRATIQUE_ADVISORIES")
    if not path:
        raise SettingsError("which database? give FILE or set PRATIQUE_ADVISORIES")
    key = load_signing_key(options.key) if options.key else None
    with AdvisoryDatabase.open(Path(path)) as database:
        annotations = {"dev.pratique.advisories.digest": str(database.digest), "dev.pratique.advisories.updated": _newest(database)}
    if key is None:
        _warn("this database is not signed, and `pull --verify-key` will refuse it: --key FILE signs it")
    print(asyncio.run(_push(options, Path(path), annotations, key)))
    return EXIT_OK


def pull(options: argparse.Namespace) -> int:
    """Pull a database that one of the keys has signed, open it, and only then put it in FILE's place."""
    keys = tuple(map(load_verifying_key, options.verify_key))
    if not keys:
        _warn(f"nobody's signature of {options.reference} is verified: --verify-key FILE refuses what that key did not sign")
    output: Path = options.file
    before = _newest_of(output)
    try:
        with tempfile.TemporaryDirectory(dir=output.absolute().parent, prefix=".pratique-pull-") as folder:
            pulled = asyncio.run(_pull(options, Path(folder), keys))
            with AdvisoryDatabase.open(pulled) as database:
                digest, newest = database.digest, _newest(database)
            publish(pulled, output.absolute(), mode=0o444)
    except OSError as error:
        raise SettingsError(f"cannot write {output}: {error.strerror}") from error
    if newest < before:
        _warn(
            f"{output} is older than what it replaced: its newest advisory is of {newest or 'no date'}, and that of the other was of {before}"
        )
    print(f"{output}: {digest}")
    return EXIT_OK


async def _push(options: argparse.Namespace, path: Path, annotations: dict[str, str], key: SigningKey | None) -> str:
    reference = Reference.parse(options.reference)
    artifact = FileArtifact(artifact_type=ARTIFACT_TYPE, files=(ArtifactFile(path=path, media_type=MEDIA_TYPE),), annotations=annotations)
    async with _registries(options, reference) as registries:
        client = registries.client(reference.host)
        pushed = await push_artifact(client, reference, artifact)
        if key is not None:
            await publish_signature(client, reference, pushed, key)
    return f"{reference.name}@{pushed.digest}"


async def _pull(options: argparse.Namespace, folder: Path, keys: tuple[VerifyingKey, ...]) -> Path:
    reference = Reference.parse(options.reference)
    async with _registries(options, reference) as registries:
        client = registries.client(reference.host)
        digest = await _resolve(client, reference)
        if keys and not await Signatures(RegistrySource(client, reference), digest, keys).is_signed():
            names = " or ".join(map(str, options.verify_key))
            raise RefusedError(f"{reference} ({digest}) is not signed by {names}: it was not fetched, and {options.file} is as it was")
        (path,) = await pull_artifact(client, reference.with_digest(digest), folder, limit=_MAX_BYTES)
    return path


async def _resolve(client: RegistryClient, reference: Reference) -> Digest:
    """Find the digest of what the reference names now, so that what is verified is what is fetched.

    Raises InvalidManifest for what is no database of ours: an image that the same key signed because it passed must not be read as advisories.
    """
    document = await client.fetch_document(reference.repository, reference.locator)
    kinds = [layer.media_type for layer in document.layers] if isinstance(document, Manifest) else []
    if not isinstance(document, Manifest) or document.is_image or document.artifact_type != ARTIFACT_TYPE or kinds != [MEDIA_TYPE]:
        raise InvalidManifest(f"{reference}: expected an advisory database as `pratique advisories push` stores it, got something else")
    return document.descriptor.digest


def _newest(database: AdvisoryDatabase) -> str:
    return max((feed.updated for feed in database.feeds), default="")


def _newest_of(path: Path) -> str:
    """The newest advisory's date of the database in place; empty where none opens."""
    try:
        with AdvisoryDatabase.open(path) as database:
            return _newest(database)
    except PratiqueError:
        return ""


def _warn(text: str) -> None:
    print(f"pratique: {text}", file=sys.stderr)


def _registries(options: argparse.Namespace, reference: Reference) -> Registries:
    access = RegistryAccess(host=reference.host, plain_http=options.plain_http)
    return Registries({reference.host: access}, user_agent=f"pratique/{__version__}")
