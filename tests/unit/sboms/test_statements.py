"""SBOMs are taken out of statements about this image, however those are wrapped, and out of no others."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InvalidRecord
from pratique.oci.digest import Digest
from pratique.sboms.statements import is_sbom_predicate, unwrap_sbom
from tests.support.mutated import mutated

IMAGE = Digest.of(b"image")
SBOM = b'{"bomFormat":"CycloneDX"}'
CYCLONEDX, SPDX, PROVENANCE = "https://cyclonedx.org/bom/v1.6", "https://spdx.dev/Document", "https://slsa.dev/provenance/v1"


def statement(predicate: bytes = SBOM, *, kind: str = CYCLONEDX, about: Digest = IMAGE) -> bytes:
    subject = [{"name": "other", "digest": {"sha256": "00"}}, {"name": "app", "digest": {about.algorithm: about.hex}}]
    head = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": kind, "subject": subject}
    return json.dumps(head).encode()[:-1] + b',"predicate":' + predicate + b"}"


def envelope(payload: bytes) -> bytes:
    return json.dumps(
        {"payloadType": "application/vnd.in-toto+json", "payload": base64.b64encode(payload).decode(), "signatures": []}
    ).encode()


def bundle(payload: bytes) -> bytes:
    return (
        b'{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{},"dsseEnvelope":' + envelope(payload) + b"}"
    )


@pytest.mark.parametrize("wrap", [bytes, envelope, bundle])
@pytest.mark.parametrize("kind", [CYCLONEDX, SPDX, "https://cyclonedx.org/bom", "https://spdx.dev/Document/v2.3"])
def test_the_predicate_comes_out_byte_for_byte(wrap: type[bytes], kind: str) -> None:
    assert unwrap_sbom(wrap(statement(kind=kind)), [Digest.of(b"other"), IMAGE]) == SBOM


def test_older_cosign_wrapped_the_document_once_more() -> None:
    as_json, as_text = b'{"Data":' + SBOM + b',"Timestamp":"x"}', json.dumps({"Data": SBOM.decode()}).encode()
    assert unwrap_sbom(statement(as_json, kind=SPDX), [IMAGE]) == SBOM
    assert unwrap_sbom(statement(as_text, kind=SPDX), [IMAGE]) == SBOM


def test_a_statement_of_another_kind_is_none() -> None:
    assert not is_sbom_predicate(PROVENANCE)
    assert unwrap_sbom(envelope(statement(kind=PROVENANCE, about=Digest.of(b"x"))), [IMAGE]) is None


def test_an_sbom_of_another_image_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="about something else"):
        unwrap_sbom(statement(about=Digest.of(b"other")), [IMAGE])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"payload": "***"}',
        b'{"payload": 1}',
        envelope(b"{}"),
        b'{"predicateType": 1}',
        b'{"payload":"\\u00ff"}',
        b"\xff",
    ],
)
def test_what_is_no_statement_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidRecord):
        unwrap_sbom(content, [IMAGE])


@given(mutated(statement(), envelope(statement()), bundle(statement()), statement(b'{"Data":"x"}')) | st.binary(max_size=50))
def test_any_bytes_are_an_sbom_or_nothing_or_refused(content: bytes) -> None:
    with contextlib.suppress(InvalidRecord):
        assert isinstance(unwrap_sbom(content, [IMAGE]), bytes | None)
