"""VEX documents that hang on an image, found, verified and read.

1. What cosign 2 keeps under the tag `sha256-….att`: attestations in DSSE envelopes.
2. Referrers of the image's digest: Sigstore bundles (cosign 3), envelopes, and plain documents.

A VEX document takes findings away, and whoever may push beside an image may attach one. So only what a trusted key has signed is read as VEX: an attestation about this very digest, or a
plain document of which the manifest, which names the image, is signed as cosign signs images. Anything else is told, and never applied. Each blob is held to its digest.
Sources: openvex/spec `ATTESTING.md`; OCI distribution-spec 1.1 "Listing Referrers"; cosign `specs/ATTESTATION_SPEC.md`, `specs/BUNDLE_SPEC.md`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from pratique.errors import InputError, InvalidSignature, MissingError
from pratique.inventory.analyzers._json_records import decode_json
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Manifest
from pratique.registry.attachments import Attachment, base_type, may_hold, open_referrers, open_tagged
from pratique.registry.registry_source import RegistrySource
from pratique.registry.signatures import Signatures
from pratique.signing.bundle import verify_bundle
from pratique.signing.dsse import MAX_ENVELOPE_BYTES, Statement, decode_base64, parse_envelope, verify_statement
from pratique.signing.keys import VerifyingKey
from pratique.signing.legacy import attestation_tag
from pratique.vex.limits import MAX_VEX_BYTES
from pratique.vex.reading import read_vex
from pratique.vex.statement import VexDocument

MAX_MANIFESTS = 64  # attached to one image that are opened: whoever may push can attach any number
MAX_DOCUMENTS = 32  # of one image that are fetched: each may be large

VOUCHER = "a trusted key"
"""Who answers for attached documents. Their authors' names are their own word: none of them takes the place of the author of a file."""
OPENVEX = "application/vnd.openvex+json"
_PLAIN = frozenset(
    {OPENVEX, "application/openvex+json", "application/vnd.cyclonedx+json", "application/csaf+json", "application/vnd.csaf+json"}
)
_ENVELOPES = frozenset({media_types.DSSE_ENVELOPE, media_types.SIGSTORE_BUNDLE})
_KNOWN = _PLAIN | _ENVELOPES | {media_types.IN_TOTO}
_PREDICATES = ("https://openvex.dev/ns", "https://cyclonedx.org/bom", "text/vex")
"""How the types of predicates begin that may be VEX: a version may follow. The last is what vexctl wrote in its first year."""


class _Payload(msgspec.Struct):
    payload: str


class _Wrapping(msgspec.Struct, rename="camel"):
    payload: str | None = None
    dsse_envelope: _Payload | None = None


class _Head(msgspec.Struct, rename="camel"):
    predicate_type: str = ""
    predicate: msgspec.Raw = msgspec.Raw()


_WRAPPINGS = msgspec.json.Decoder(_Wrapping)
_HEADS = msgspec.json.Decoder(_Head)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedVex:
    """One VEX document, or why it is not applied (`document` is None then). `origin` names it for people.

    `content` is the document itself, out of any envelope, and `signer` the key that signed it, as `VerifyingKey.hint` names it.
    """

    origin: str
    document: VexDocument | None
    problem: str = ""
    content: bytes = b""
    signer: str = ""


async def find_attached_vex(
    source: RegistrySource, digest: Digest, keys: Sequence[VerifyingKey], *, max_bytes: int = MAX_VEX_BYTES
) -> AsyncIterator[AttachedVex]:
    """Yield the VEX documents attached to the image or index `digest` that one of `keys` has signed, each once; others as problems, larger ones than `max_bytes` among them.

    Raises UnavailableError, RefusedError. What an attachment itself does wrong is yielded as a problem.
    """
    seen: set[tuple[Digest, str, Digest | None]] = set()
    opened = 0
    async for found in _attachments(source, digest):
        opened += 1
        if opened > MAX_MANIFESTS:
            yield _problem(f"attachments of {digest}", f"more than {MAX_MANIFESTS}: the others were not looked at")
            return
        if isinstance(found.manifest, InputError):
            yield _problem(f"{found.name} of {digest}", str(found.manifest))
            continue
        for layer, kind in _vex_layers(found.manifest, found.artifact_type, digest):
            signed = None if kind in _ENVELOPES else found.manifest.descriptor.digest
            if (layer.digest, kind, signed) in seen:
                continue
            if len(seen) >= MAX_DOCUMENTS:
                yield _problem(f"VEX attached to {digest}", f"more than {MAX_DOCUMENTS} documents: the others were not read")
                return
            seen.add((layer.digest, kind, signed))
            vex = await _Candidate(source, digest, keys, layer, kind, signed).read(max_bytes)
            if vex is not None:
                yield vex


async def _attachments(source: RegistrySource, digest: Digest) -> AsyncIterator[Attachment]:
    async for found in open_tagged(source, attestation_tag(digest)):
        yield found
    async for found in open_referrers(source, digest, lambda entry: base_type(entry.artifact_type) in _KNOWN and _may_be_vex(entry)):
        yield found


def _vex_layers(manifest: Manifest, artifact_type: str, digest: Digest) -> Iterator[tuple[Descriptor, str]]:
    """The layers that may be VEX, with their types. Tools that store plain files name the type in the manifest only.

    A plain document has to be in a manifest that names the image: under a tag, a signed one of another image could be put.
    """
    names_image = manifest.subject is not None and manifest.subject.digest == digest
    for layer in manifest.layers:
        kind = base_type(layer.media_type)
        if kind not in _KNOWN and artifact_type in _PLAIN and kind != media_types.OCI_EMPTY:
            kind = artifact_type
        if kind in (_KNOWN if names_image else _ENVELOPES) and _may_be_vex(layer):
            yield layer, kind


def _may_be_vex(descriptor: Descriptor) -> bool:
    return may_hold(descriptor, _is_vex_predicate)


def _is_vex_predicate(predicate_type: str) -> bool:
    return any(predicate_type == known or predicate_type.startswith(f"{known}/v") for known in _PREDICATES)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A blob that may be VEX about the image `digest`. `signed` is what has to be signed where the blob itself carries no signature."""

    source: RegistrySource
    digest: Digest
    keys: Sequence[VerifyingKey]
    layer: Descriptor
    kind: str
    signed: Digest | None

    @property
    def _origin(self) -> str:
        return f"{self.kind} {self.signed or self.layer.digest} attached to {self.digest}"

    async def read(self, max_bytes: int) -> AttachedVex | None:
        """Fetch, verify and read it; None for what is no VEX."""
        try:
            content = await self.source.fetch_blob(self.layer, limit=MAX_ENVELOPE_BYTES if self.signed is None else max_bytes)
            unsigned = await asyncio.to_thread(self._read_unsigned, content)
            if unsigned is None:
                return None
            signer, plain = await self._verify(content)
            document = unsigned if plain is content else await asyncio.to_thread(read_vex, plain, self._origin, about=self.digest)
        except InvalidSignature as error:
            return _problem(self._origin, f"refused: {error}")
        except (InputError, MissingError) as error:
            return _problem(self._origin, str(error))
        return AttachedVex(origin=self._origin, document=replace(document, voucher=VOUCHER), content=plain, signer=signer.hint)

    def _read_unsigned(self, content: bytes) -> VexDocument | None:
        """What it would say, were it signed; None for statements of other kinds, and for SBOMs, which say nothing of vulnerabilities."""
        plain = _unwrap(content) if self.kind not in _PLAIN else content
        if plain is None:
            return None
        document = read_vex(plain, self._origin, about=self.digest)
        return None if document.form.startswith("CycloneDX") and not document.statements else document

    async def _verify(self, content: bytes) -> tuple[VerifyingKey, bytes]:
        """The key that signed it, and the document out of its envelope."""
        if self.kind == media_types.IN_TOTO:
            raise InvalidSignature("the statement is in no signed envelope")
        if self.signed is None:
            return await asyncio.to_thread(self._verify_envelope, content)
        for key in self.keys:
            if await Signatures(self.source, self.signed, (key,)).is_signed():
                return key, content
        raise InvalidSignature("it is not signed by a trusted key")

    def _verify_envelope(self, content: bytes) -> tuple[VerifyingKey, bytes]:
        predicate_type = _head(content).predicate_type
        failures = []
        for key in self.keys:
            try:
                statement = self._open(content, key, predicate_type)
            except InvalidSignature as error:
                failures.append(str(error))
                continue
            return key, msgspec.json.encode(statement.predicate)
        raise InvalidSignature(failures[-1] if failures else "there is no trusted key")

    def _open(self, content: bytes, key: VerifyingKey, predicate_type: str) -> Statement:
        if self.kind == media_types.SIGSTORE_BUNDLE:
            return verify_bundle(content, key, digest=self.digest, predicate_type=predicate_type)
        return verify_statement(parse_envelope(content), key, digest=self.digest, predicate_type=predicate_type)


def _unwrap(content: bytes) -> bytes | None:
    """The predicate of a statement of which nothing is verified; None where it is of a kind that is no VEX."""
    head = _head(content)
    return bytes(head.predicate) if _is_vex_predicate(head.predicate_type) else None


def _head(content: bytes) -> _Head:
    """The statement in an envelope, in a bundle, or bare."""
    wrapping = decode_json(_WRAPPINGS, content, "an in-toto statement")
    payload = wrapping.dsse_envelope.payload if wrapping.dsse_envelope else wrapping.payload
    return decode_json(_HEADS, content if payload is None else decode_base64(payload), "an in-toto statement")


def _problem(origin: str, problem: str) -> AttachedVex:
    return AttachedVex(origin=origin, document=None, problem=problem)
