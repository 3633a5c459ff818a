"""SBOMs inside in-toto statements: as cosign attests them (DSSE envelopes, Sigstore bundles), and as BuildKit leaves them beside an image (bare statements).

Signatures are not verified: who may push beside an image may attach anything. An SBOM from there only adds packages, it takes away none.
Sources: in-toto attestation `spec/v1/statement.md`, `spec/predicates/{spdx,cyclonedx}.md`; cosign `pkg/cosign/attestation`; Sigstore bundle 0.3.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection

import msgspec

from pratique.errors import InvalidRecord
from pratique.oci.digest import Digest

SBOM_PREDICATES = ("https://spdx.dev/Document", "https://cyclonedx.org/bom", "https://cyclonedx.org/schema", "cyclonedx.org/bom")
"""How the types of predicates begin that are SBOMs; a version may follow."""

_MAX_SUBJECTS = 1024  # that are looked at: a statement may be about many files


class _Envelope(msgspec.Struct, rename="camel"):
    payload: str


class _Wrapping(msgspec.Struct, rename="camel"):
    payload: str | None = None
    dsse_envelope: _Envelope | None = None
    predicate_type: str | None = None


class _Subject(msgspec.Struct):
    digest: dict[str, str] = {}


class _Statement(msgspec.Struct, rename="camel"):
    predicate_type: str
    subject: list[_Subject] | None = None
    predicate: msgspec.Raw = msgspec.Raw()


class _OldPredicate(msgspec.Struct):
    data: msgspec.Raw = msgspec.field(name="Data", default=msgspec.Raw())


_WRAPPINGS = msgspec.json.Decoder(_Wrapping)
_STATEMENTS = msgspec.json.Decoder(_Statement)
_OLD_PREDICATES = msgspec.json.Decoder(_OldPredicate)
_TEXTS = msgspec.json.Decoder(str)


def is_sbom_predicate(predicate_type: str) -> bool:
    """Tell whether a statement of this type holds an SBOM that is read."""
    return predicate_type.startswith(SBOM_PREDICATES)


def unwrap_sbom(content: bytes, about: Collection[Digest]) -> bytes | None:
    """Take the SBOM out of a statement about one of the digests, or out of an envelope or bundle around it; None for statements of other kinds.

    Raises InvalidRecord for what is none of these, and for a statement that is an SBOM of something else.
    """
    try:
        statement = _STATEMENTS.decode(_payload(content))
        if not is_sbom_predicate(statement.predicate_type):
            return None
        _check_subject(statement, about)
        return _plain(bytes(statement.predicate))
    except (msgspec.DecodeError, RecursionError, UnicodeError, binascii.Error, ValueError) as error:
        raise InvalidRecord(f"expected an in-toto statement: {error}") from error


def _payload(content: bytes) -> bytes:
    wrapping = _WRAPPINGS.decode(content)
    payload = wrapping.dsse_envelope.payload if wrapping.dsse_envelope else wrapping.payload
    return content if payload is None else base64.b64decode(payload, validate=True)


def _check_subject(statement: _Statement, about: Collection[Digest]) -> None:
    wanted = {(digest.algorithm, digest.hex) for digest in about}
    if not any(wanted & set(subject.digest.items()) for subject in (statement.subject or ())[:_MAX_SUBJECTS]):
        raise InvalidRecord("a statement about something else than this image")


def _plain(predicate: bytes) -> bytes:
    """Older versions of cosign wrap the document into `{"Data": …}`, as JSON or as text."""
    data = bytes(_OLD_PREDICATES.decode(predicate).data)
    if not data:
        return predicate
    return _TEXTS.decode(data).encode() if data.startswith(b'"') else data
