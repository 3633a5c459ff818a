"""Signed verdicts."""

import base64
import dataclasses
import datetime as dt
import json

import pytest

from pratique.errors import InvalidSignature
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Manifest, parse_document
from pratique.policy.verdict import Reason, Verdict, VerdictStatus
from pratique.signing.attestation import (
    VERDICT_PREDICATE,
    VerdictAttestation,
    attest_verdict,
    merge_attestation,
    verify_verdict,
    verify_verdict_envelope,
)
from pratique.signing.bundle import attest_bundle
from pratique.signing.dsse import Statement, StatementVersion
from pratique.signing.keys import AdmissionKey, AttestationKey, SigningKey, SigningKeys
from pratique.signing.legacy import Blob, LegacyEntry, LegacyPublication, attestation_tag, merge_entry

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
NAME = "reg.example/team/app"
DIGEST = Digest.of(b"image")
KEYS = SigningKeys(admission=AdmissionKey(key=SigningKey.generate()), attestation=AttestationKey(key=SigningKey.generate()))
PUBLIC = KEYS.attestation.key.verifying_key
ATTESTATION = VerdictAttestation(
    verdict=Verdict(
        status=VerdictStatus.FAIL,
        reasons=(Reason(rule="fail_on", message="1 finding", count=1),),
        policy="production",
        policy_digest="sha256:1",
        waived=2,
    ),
    feed_digest="sha256:2",
    inventory_digest="sha256:3",
    findings={"critical": 1, "high": 0},
    decided_at=NOW,
    expires_at=NOW + dt.timedelta(days=7),
)


def published(publication: LegacyPublication | None) -> Manifest:
    assert publication is not None
    document = parse_document(publication.manifest, publication.media_type)
    assert isinstance(document, Manifest)
    return document


def test_a_verdict_is_read_back_from_both_layouts() -> None:
    signed = attest_verdict(KEYS, ATTESTATION, NAME, DIGEST)
    assert verify_verdict(signed.bundle.blob.content, PUBLIC, DIGEST) == ATTESTATION
    assert verify_verdict_envelope(signed.entry.blob.content, PUBLIC, DIGEST) == ATTESTATION


def test_a_verdict_is_signed_by_the_attestation_key_and_not_by_the_admission_key() -> None:
    signed = attest_verdict(KEYS, ATTESTATION, NAME, DIGEST)
    for read, content in ((verify_verdict, signed.bundle.blob.content), (verify_verdict_envelope, signed.entry.blob.content)):
        with pytest.raises(InvalidSignature):
            read(content, KEYS.admission.key.verifying_key, DIGEST)


def test_a_verdict_about_another_image_is_refused() -> None:
    signed = attest_verdict(KEYS, ATTESTATION, NAME, DIGEST)
    with pytest.raises(InvalidSignature, match="something else"):
        verify_verdict(signed.bundle.blob.content, PUBLIC, Digest.of(b"other"))


def test_a_verdict_holds_from_its_decision_to_its_expiry() -> None:
    assert ATTESTATION.is_current(NOW)
    assert not ATTESTATION.is_current(NOW - dt.timedelta(seconds=1))
    assert not ATTESTATION.is_current(ATTESTATION.expires_at)


def test_a_verdict_must_expire_after_it_was_decided() -> None:
    with pytest.raises(ValueError, match="expire later"):
        dataclasses.replace(ATTESTATION, expires_at=NOW)
    with pytest.raises(ValueError, match="zone"):
        dataclasses.replace(ATTESTATION, expires_at=dt.datetime(2027, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    "change", [{"status": "perfect"}, {"decidedAt": "2027-01-01T00:00:00"}, {"expiresAt": "2020-01-01T00:00:00Z"}, {"reasons": None}]
)
def test_a_signed_but_malformed_verdict_is_refused(change: dict[str, object]) -> None:
    bundle = json.loads(attest_verdict(KEYS, ATTESTATION, NAME, DIGEST).bundle.blob.content)
    predicate = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))["predicate"] | change
    statement = Statement(version=StatementVersion.V1, name=NAME, digest=DIGEST, predicate_type=VERDICT_PREDICATE, predicate=predicate)
    with pytest.raises(InvalidSignature, match="malformed"):
        verify_verdict(attest_bundle(KEYS.attestation, statement, NOW).blob.content, PUBLIC, DIGEST)


def test_a_new_verdict_supersedes_the_former_and_leaves_others_alone() -> None:
    foreign = LegacyEntry(blob=Blob(media_type=media_types.DSSE_ENVELOPE, content=b"{}"), annotations={"predicateType": "x"})
    old = attest_verdict(KEYS, ATTESTATION, NAME, DIGEST).entry
    later = dataclasses.replace(ATTESTATION, decided_at=NOW + dt.timedelta(hours=1))
    new = attest_verdict(KEYS, later, NAME, DIGEST).entry
    blobs = {entry.blob.digest: entry.blob.content for entry in (foreign, old, new)}
    first = published(merge_entry(attestation_tag(DIGEST), foreign, None, lambda _: False))
    second = published(merge_attestation(old, DIGEST, PUBLIC, first, blobs))
    third = published(merge_attestation(new, DIGEST, PUBLIC, second, blobs))
    assert [layer.digest for layer in third.layers] == [foreign.blob.digest, new.blob.digest]
    assert merge_attestation(new, DIGEST, PUBLIC, third, blobs) is None
