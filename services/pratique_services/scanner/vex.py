"""Recording the VEX that hangs on a scanned image.

1. ask the registry what hangs on the digest, on its images, and on indexes between them;
2. keep what a trusted key signed, in place of what was kept before; nothing of what anybody else attached is ever stored or applied;
3. write a line in the audit trail when any of that changed, with what was ignored and why: it makes no image incomplete, as its findings stand.

What is attached to an image that was scanned before comes as a push of its own: then the image is asked for a scan, if something new counts for it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import InputError, RefusedError
from pratique.inventory.analyzers._wording import one_line
from pratique.oci.digest import Digest
from pratique.oci.manifest import Index, Manifest
from pratique.oci.reference import Reference
from pratique.registry.attached_vex import find_attached_vex
from pratique.registry.registry_source import RegistrySource
from pratique.scanning import Inspection
from pratique.signing.keys import VerifyingKey
from pratique.storage.audit import load_audit, record_audit
from pratique.storage.engine import Database
from pratique.storage.images import load_image
from pratique.storage.intake import request_scan
from pratique.storage.vex import MAX_DOCUMENT_BYTES, MAX_IMAGE_BYTES, NewVex, record_image_vex

_ATTESTATION_TAG = re.compile(r"sha256-([0-9a-f]{64})(?:\.att)?")
VERB = "recorded_vex"
"""What the audit trail calls it."""
MAX_NOTES = 20  # of one scan that are told: whoever may push can attach any number of wrong documents
_MAX_NOTE = 500  # characters
_MAX_DIGESTS = 100  # of one scan that are asked for: an index of Docker's official images has about ten
_MAX_SECONDS = 60  # for all that hangs on one digest: whoever may push can attach much that is slow to fetch and to verify
_AUDIT_LINES = 50  # of an image that are looked through for what was said last


@dataclass(slots=True)
class _Found:
    """What hangs on one digest."""

    documents: list[NewVex] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class VexRecorder:
    """Records what one of `keys` has signed; without keys nothing is asked for."""

    database: Database
    keys: Sequence[VerifyingKey]

    async def record(self, source: RegistrySource, reference: Reference, inspection: Inspection, correlation_id: str) -> None:
        """Record what hangs on the image `reference`, which names its digest, and on what is in it; of an artifact, on what it hangs on. The image is recorded already.

        Raises UnavailableError; what a registry refuses, or takes too long for, counts as nothing.
        """
        if not self.keys or reference.digest is None:
            return
        if inspection.is_artifact:
            await self._refresh(source, reference, inspection.root, correlation_id)
            return
        digests = tuple(dict.fromkeys(_digests(reference.digest, inspection)))
        found = {digest: await self._find(source, digest) for digest in digests[:_MAX_DIGESTS]}
        notes = [note for one in found.values() for note in one.notes]
        if len(digests) > _MAX_DIGESTS:
            notes.append(f"{len(digests) - _MAX_DIGESTS} images of the index were not asked for VEX")
        async with self.database.transaction() as session:
            for digest, one in sorted(found.items(), key=lambda entry: str(entry[0])):
                await record_image_vex(session, digest, one.documents)
            await _audit(session, reference, found, _bounded(notes), correlation_id)

    async def _refresh(self, source: RegistrySource, reference: Reference, root: Manifest | Index | None, correlation_id: str) -> None:
        """Look at the image that an artifact hangs on. Nothing is taken from it here: it may lie in other repositories as well, with what hangs on it there."""
        subject = _subject(reference, root)
        if subject is None:
            return
        documents = (await self._find(source, subject)).documents
        async with self.database.transaction() as session:
            image = await load_image(session, subject)
            if image is None or image.kind == "artifact" or not await record_image_vex(session, subject, documents, adds=True):
                return
            await request_scan(
                session,
                host=reference.host,
                repository=reference.repository,
                tag=None,
                digest=subject,
                priority="demand",
                correlation_id=correlation_id,
                requested_by=f"VEX attached as {reference.digest}",
            )

    async def _find(self, source: RegistrySource, digest: Digest) -> _Found:
        """All of it, or nothing: what was not looked at may take back what was."""
        try:
            async with asyncio.timeout(_MAX_SECONDS):
                return await self._collect(source, digest)
        except TimeoutError:
            return _Found(notes=[f"attachments of {digest}: not looked at to the end within {_MAX_SECONDS} s"])
        except (InputError, RefusedError) as error:
            return _Found(notes=[f"attachments of {digest}: {error}"])

    async def _collect(self, source: RegistrySource, digest: Digest) -> _Found:
        found, left = _Found(), MAX_IMAGE_BYTES
        async for attached in find_attached_vex(source, digest, self.keys, max_bytes=MAX_DOCUMENT_BYTES):
            if attached.document is None:
                found.notes.append(f"{attached.origin}: {attached.problem}")
            elif len(attached.content) > min(left, MAX_DOCUMENT_BYTES):
                found.notes.append(f"{attached.origin}: it and the others have more than {MAX_IMAGE_BYTES} bytes")
            else:
                left -= len(attached.content)
                found.documents.append(NewVex(content=attached.content, signer=attached.signer))
        return found


def _subject(reference: Reference, root: Manifest | Index | None) -> Digest | None:
    """The image that an artifact says to hang on, by its manifest; or by its tag, as cosign 2 has it, and lists of referrers where a registry keeps none itself."""
    if root is not None and root.subject is not None:
        return root.subject.digest
    tagged = _ATTESTATION_TAG.fullmatch(reference.tag or "")
    return Digest("sha256", tagged[1]) if tagged else None


def _digests(root: Digest, inspection: Inspection) -> Iterator[Digest]:
    yield root
    yield from (index.descriptor.digest for index in inspection.nested)
    yield from (image.digest for image in inspection.images if image.digest is not None)


def _bounded(notes: Sequence[str]) -> list[str]:
    told = [one_line(note, _MAX_NOTE) for note in notes[:MAX_NOTES]]
    return told if len(notes) <= MAX_NOTES else [*told, f"and {len(notes) - MAX_NOTES} more"]


async def _audit(
    session: AsyncSession, reference: Reference, found: Mapping[Digest, _Found], ignored: Sequence[str], correlation_id: str
) -> None:
    """Say what counts and what does not, unless that was said last."""
    subject = f"{reference.name}@{reference.digest}"
    documents = [
        {"image": str(digest), "digest": document.digest, "signer": document.signer}
        for digest, one in found.items()
        for document in one.documents
    ]
    said = next((line.detail for line in await load_audit(session, subject=subject, limit=_AUDIT_LINES) if line.verb == VERB), None)
    detail: dict[str, Any] = {"detail": _words(len(documents), ignored), "documents": documents, "ignored": list(ignored)}
    if said == detail or (said is None and not documents and not ignored):
        return
    await record_audit(session, actor="pratique", verb=VERB, subject=subject, detail=detail, correlation_id=correlation_id)


def _words(count: int, ignored: Sequence[str]) -> str:
    counting = f"{count} attached VEX document{' counts' if count == 1 else 's count'}"
    return f"{counting}; ignored: {'; '.join(ignored)}" if ignored else counting
