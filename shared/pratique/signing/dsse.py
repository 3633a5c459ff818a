"""DSSE envelopes and the in-toto statements in them.

Sources: secure-systems-lab/dsse `protocol.md` and `envelope.md`; in-toto attestation `spec/v1/statement.md` and v0.1.
"""

from __future__ import annotations

import base64
import binascii
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from pratique.errors import InvalidSignature, LimitExceeded
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.signing.keys import SigningKey, VerifyingKey

MAX_ENVELOPE_BYTES = 4 * 1024 * 1024  # protects memory: a verdict has a few kB, a foreign attestation may hold an SBOM
_MAX_SIGNATURES = 16  # protects time: each one is tried
_MAX_SUBJECTS = 1024  # the same: a foreign statement may be about many things

_T = TypeVar("_T")


class StatementVersion(enum.StrEnum):
    """Which in-toto statement: cosign 2 writes v0.1 into `.att`, bundles hold v1."""

    V0_1 = "https://in-toto.io/Statement/v0.1"
    V1 = "https://in-toto.io/Statement/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is said (`predicate`, of a stated type) about the content `digest`. `name` is `host/repository`, or empty.

    `annotations` stand beside the subject's digest, where cosign 3 looks for what `verify -a` asks of a signature; they are written, not read.
    """

    version: StatementVersion
    name: str
    digest: Digest
    predicate_type: str
    predicate: Mapping[str, object]
    annotations: Mapping[str, str] = field(default_factory=dict)


class _Signature(msgspec.Struct):
    sig: str
    keyid: str = ""


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """A DSSE envelope as it stands on the wire, nothing verified."""

    payload: str
    payload_type: str
    signatures: list[_Signature]


class _Subject(msgspec.Struct):
    digest: dict[str, str]
    name: str = ""


class _Statement(msgspec.Struct, rename="camel"):
    type: str = msgspec.field(name="_type")
    subject: list[_Subject]
    predicate_type: str
    predicate: dict[str, object] = msgspec.field(default_factory=dict)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Build the bytes that a DSSE signature is made over: lengths count bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def encode_statement(statement: Statement) -> bytes:
    """Serialise a statement. One without a name has none in its subject, as cosign's signatures do."""
    subject: dict[str, object] = {"name": statement.name} if statement.name else {}
    subject["digest"] = {statement.digest.algorithm: statement.digest.hex}
    if statement.annotations:
        subject["annotations"] = statement.annotations
    return msgspec.json.encode(
        {
            "_type": statement.version.value,
            "subject": [subject],
            "predicateType": statement.predicate_type,
            "predicate": statement.predicate,
        }
    )


def sign_statement(key: SigningKey, statement: Statement) -> dict[str, object]:
    """Wrap a statement into an envelope signed by `key`, ready to be serialised."""
    payload = encode_statement(statement)
    signature = key.sign(pre_authentication_encoding(media_types.IN_TOTO, payload))
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": media_types.IN_TOTO,
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }


def parse_envelope(content: bytes) -> Envelope:
    """Parse an envelope without verifying it.

    Raises InvalidSignature, LimitExceeded.
    """
    return decode_bounded(content, Envelope)


def verify_statement(envelope: Envelope, key: VerifyingKey, *, digest: Digest, predicate_type: str) -> Statement:
    """Check that `key` signed the envelope and that it says `predicate_type` about `digest`; return what it says.

    The type is demanded because a signature alone only proves that the key once said something. Raises InvalidSignature.
    """
    if envelope.payload_type != media_types.IN_TOTO:
        raise InvalidSignature(f"expected a payload of {media_types.IN_TOTO}, got {envelope.payload_type[:80]!r}")
    payload = decode_base64(envelope.payload)
    _verify_any(envelope.signatures, key, pre_authentication_encoding(envelope.payload_type, payload))
    raw = decode_bounded(payload, _Statement)
    if raw.predicate_type != predicate_type:
        raise InvalidSignature(f"expected a statement of {predicate_type}, got {raw.predicate_type[:140]!r}")
    subject = _subject_of(raw, digest)
    return Statement(
        version=_version_of(raw.type),
        name=subject.name,
        digest=digest,
        predicate_type=raw.predicate_type,
        predicate=raw.predicate,
    )


def decode_base64(text: str) -> bytes:
    """Decode base64 strictly.

    Raises InvalidSignature.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidSignature(f"expected base64, got something else: {error}") from error


def decode_bounded(content: bytes, kind: type[_T]) -> _T:
    """Decode JSON of at most MAX_ENVELOPE_BYTES.

    Raises InvalidSignature, LimitExceeded.
    """
    if len(content) > MAX_ENVELOPE_BYTES:
        raise LimitExceeded(f"signed document of {len(content)} bytes; the limit is {MAX_ENVELOPE_BYTES}")
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidSignature(f"the signed document is malformed: {error}") from error


def _verify_any(signatures: list[_Signature], key: VerifyingKey, data: bytes) -> None:
    for signature in signatures[:_MAX_SIGNATURES]:
        try:
            key.verify(decode_base64(signature.sig), data)
        except InvalidSignature:
            continue
        return
    raise InvalidSignature(f"none of the envelope's {len(signatures)} signatures is one by the key {key.hint}")


def _subject_of(statement: _Statement, digest: Digest) -> _Subject:
    for subject in statement.subject[:_MAX_SUBJECTS]:
        if subject.digest.get(digest.algorithm) == digest.hex:
            return subject
    raise InvalidSignature(f"expected a statement about {digest}, got one about something else")


def _version_of(text: str) -> StatementVersion:
    try:
        return StatementVersion(text)
    except ValueError as error:
        raise InvalidSignature(f"expected an in-toto statement v0.1 or v1, got {text[:80]!r}") from error
