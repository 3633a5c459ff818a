"""What a registry shows of an image: its tags, and which of our signatures and verdicts on it hold. Read as any client would, with public keys only."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from pratique.errors import InputError, MissingError
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Manifest
from pratique.policy.verdict import VerdictStatus
from pratique.registry.client import RegistryClient
from pratique.signing.attestation import VerdictAttestation, verify_verdict
from pratique.signing.bundle import SIGN_PREDICATE, verify_bundle
from pratique.signing.keys import VerifyingKey
from pratique.signing.legacy import MAX_PAYLOAD_BYTES, signature_tag
from pratique.signing.simple_signing import is_signed

_COSIGN_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKeys:
    """What everybody may have: the key that clears images, and the key that signs verdicts."""

    admission: VerifyingKey
    attestation: VerifyingKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Seals:
    """What hangs on an image and verifies: cosign's `.sig`, a signature as a bundle, and the verdict of a bundle that holds now."""

    signature: bool
    bundle: bool
    verdict: VerdictStatus | None


async def find_seals(client: RegistryClient, repository: str, digest: Digest, keys: PublicKeys) -> Seals:
    """Look for signatures and verdicts of `digest`, and verify them. What does not verify counts as not there."""
    bundles = await _load_bundles(client, repository, digest)
    verdicts = [verdict for content in bundles if (verdict := _read_verdict(content, keys.attestation, digest)) is not None]
    now = dt.datetime.now(dt.UTC)
    return Seals(
        signature=await _has_signature(client, repository, digest, keys.admission),
        bundle=any(_is_signature(content, keys.admission, digest) for content in bundles),
        verdict=next((verdict.verdict.status for verdict in verdicts if verdict.is_current(now)), None),
    )


async def find_tag(client: RegistryClient, repository: str, tag: str) -> Digest | None:
    """The digest that a tag points to."""
    try:
        return (await client.resolve_digest(repository, tag)).digest
    except MissingError:
        return None


async def list_names(client: RegistryClient, repository: str, digest: Digest) -> list[str]:
    """Every `repository:tag` by which the digest can be pulled from this repository."""
    try:
        tags = await client.list_tags(repository)
    except MissingError:
        return []
    return [f"{repository}:{tag}" for tag in tags if await find_tag(client, repository, tag) == digest]


async def verify_by_cosign(public_key: Path, image: str) -> str | None:
    """Have cosign verify `image` (`host/repository@digest`); None where it is not installed, `verified`, or what it said instead."""
    program = shutil.which("cosign")
    if program is None:
        return None
    flags = ("--insecure-ignore-tlog=true", "--allow-http-registry", "--allow-insecure-registry")
    process = await asyncio.create_subprocess_exec(
        *(program, "verify", "--key", str(public_key), *flags, image),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(public_key.parent)},  # it keeps files below its home
    )
    try:
        async with asyncio.timeout(_COSIGN_SECONDS):
            _, said = await process.communicate()
    except TimeoutError:
        said = f"no answer within {_COSIGN_SECONDS:g} s".encode()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return "verified" if process.returncode == 0 else said.decode(errors="replace").strip()[-500:]


async def _has_signature(client: RegistryClient, repository: str, digest: Digest, key: VerifyingKey) -> bool:
    try:
        manifest = await client.fetch_document(repository, signature_tag(digest))
    except MissingError:
        return False
    if not isinstance(manifest, Manifest):
        return False
    payloads = {layer.digest: await client.fetch_blob(repository, layer, limit=MAX_PAYLOAD_BYTES) for layer in manifest.layers}
    return is_signed(manifest, payloads, key, digest)


async def _load_bundles(client: RegistryClient, repository: str, digest: Digest) -> list[bytes]:
    bundles: list[bytes] = []
    for entry in await client.list_referrers(repository, digest, artifact_type=media_types.SIGSTORE_BUNDLE):
        document = await client.fetch_document(repository, entry.digest)
        if isinstance(document, Manifest):
            bundles += [await client.fetch_blob(repository, layer, limit=MAX_PAYLOAD_BYTES) for layer in document.layers]
    return bundles


def _is_signature(content: bytes, key: VerifyingKey, digest: Digest) -> bool:
    try:
        verify_bundle(content, key, digest=digest, predicate_type=SIGN_PREDICATE)
    except InputError:
        return False
    return True


def _read_verdict(content: bytes, key: VerifyingKey, digest: Digest) -> VerdictAttestation | None:
    try:
        return verify_verdict(content, key, digest)
    except InputError:
        return None
