"""Signatures of images, in both layouts."""

import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import InputError, InvalidSignature, LimitExceeded, RefusedError
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Manifest, parse_document
from pratique.policy.verdict import Verdict, VerdictStatus
from pratique.signing.attestation import VERDICT_PREDICATE
from pratique.signing.bundle import SIGN_PREDICATE, attest_bundle, verify_bundle
from pratique.signing.dsse import MAX_ENVELOPE_BYTES, Statement, StatementVersion, pre_authentication_encoding
from pratique.signing.image import sign_image
from pratique.signing.keys import AdmissionKey, AttestationKey, SigningKey, SigningKeys, VerifyingKey
from pratique.signing.legacy import MAX_ENTRIES, SIGNATURE_ANNOTATION, Blob, LegacyEntry, LegacyPublication, empty_entries, signature_tag
from pratique.signing.simple_signing import encode_simple_signing, is_signed, merge_signature, verify_simple_signing, withdraw_signature

VECTORS: dict[str, str] = json.loads((Path(__file__).parent / "cosign_vectors.json").read_text())
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
NAME = "reg.example/team/app"
DIGEST = Digest.of(b"image")
KEYS = SigningKeys(admission=AdmissionKey(key=SigningKey.generate()), attestation=AttestationKey(key=SigningKey.generate()))
ADMISSION = KEYS.admission.key.verifying_key
COSIGN = VerifyingKey.parse(VECTORS["public"].encode())


def verdict(status: VerdictStatus) -> Verdict:
    return Verdict(status=status, reasons=(), policy="p", policy_digest="sha256:0")


def signed(keys: SigningKeys = KEYS, name: str = NAME) -> LegacyEntry:
    return sign_image(keys, verdict(VerdictStatus.PASS), name, DIGEST, NOW).entry


def published(publication: LegacyPublication | None) -> Manifest:
    assert publication is not None
    document = parse_document(publication.manifest, publication.media_type)
    assert isinstance(document, Manifest)
    return document


def payloads(*entries: LegacyEntry) -> dict[Digest, bytes]:
    return {entry.blob.digest: entry.blob.content for entry in entries}


@pytest.mark.parametrize("status", [VerdictStatus.FAIL, VerdictStatus.INCOMPLETE])
def test_an_image_that_did_not_pass_is_never_signed(status: VerdictStatus) -> None:
    with pytest.raises(RefusedError, match=str(status)):
        sign_image(KEYS, verdict(status), NAME, DIGEST, NOW)


def test_the_payload_is_what_cosign_writes_but_for_the_creator() -> None:
    name = json.loads(VECTORS["payload"])["critical"]["identity"]["docker-reference"]
    ours = encode_simple_signing(name, Digest.parse(VECTORS["digest"])).decode()
    assert ours.replace('{"creator":"pratique"}', "null") == VECTORS["payload"]


def test_the_legacy_manifest_is_what_cosign_writes() -> None:
    theirs = parse_document(VECTORS["sig_manifest"].encode())
    assert isinstance(theirs, Manifest)
    entry = LegacyEntry(
        blob=Blob(media_type=media_types.SIMPLE_SIGNING, content=VECTORS["payload"].encode()),
        annotations={SIGNATURE_ANNOTATION: VECTORS["signature"]},
    )
    publication = merge_signature(entry, Digest.parse(VECTORS["digest"]), COSIGN, None, {})
    assert publication is not None
    assert json.loads(publication.manifest) == json.loads(VECTORS["sig_manifest"])
    assert publication.blobs[1].digest == theirs.config.digest
    assert publication.tag == VECTORS["digest"].replace(":", "-") + ".sig"


def test_cosigns_own_signatures_verify() -> None:
    digest = Digest.parse(VECTORS["digest"])
    assert verify_simple_signing(VECTORS["payload"].encode(), VECTORS["signature"], COSIGN, digest).endswith("/team/app")
    assert verify_bundle(VECTORS["bundle"].encode(), COSIGN, digest=digest, predicate_type=SIGN_PREDICATE).digest == digest


def test_our_signatures_verify_in_both_layouts() -> None:
    signature = sign_image(KEYS, verdict(VerdictStatus.PASS), NAME, DIGEST, NOW)
    annotation = signature.entry.annotations[SIGNATURE_ANNOTATION]
    assert verify_simple_signing(signature.entry.blob.content, annotation, ADMISSION, DIGEST) == NAME
    assert verify_bundle(signature.bundle.blob.content, ADMISSION, digest=DIGEST, predicate_type=SIGN_PREDICATE).predicate == {}


def test_a_repeated_signature_is_identical() -> None:
    one, two = (sign_image(KEYS, verdict(VerdictStatus.PASS), NAME, DIGEST, NOW) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("which", ["digest", "key", "bytes", "signature"])
def test_a_signature_of_something_else_is_refused(which: str) -> None:
    entry = signed()
    content, annotation = entry.blob.content, entry.annotations[SIGNATURE_ANNOTATION]
    with pytest.raises(InvalidSignature):
        verify_simple_signing(
            content + b" " if which == "bytes" else content,
            "?" if which == "signature" else annotation,
            COSIGN if which == "key" else ADMISSION,
            Digest.of(b"other") if which == "digest" else DIGEST,
        )


def test_signing_again_changes_nothing() -> None:
    entry = signed()
    manifest = published(merge_signature(entry, DIGEST, ADMISSION, None, {}))
    assert merge_signature(entry, DIGEST, ADMISSION, manifest, payloads(entry)) is None
    assert is_signed(manifest, payloads(entry), ADMISSION, DIGEST)
    assert not is_signed(manifest, payloads(entry), COSIGN, DIGEST)
    assert not is_signed(manifest, {}, ADMISSION, DIGEST)


def test_others_signatures_stay_and_our_older_ones_go() -> None:
    other_keys = SigningKeys(admission=AdmissionKey(key=SigningKey.generate()), attestation=KEYS.attestation)
    theirs, old, new = signed(other_keys), signed(name="reg.example/old/name"), signed()
    first = published(merge_signature(theirs, DIGEST, other_keys.admission.key.verifying_key, None, {}))
    second = published(merge_signature(old, DIGEST, ADMISSION, first, payloads(theirs)))
    third = published(merge_signature(new, DIGEST, ADMISSION, second, payloads(theirs, old)))
    assert [layer.annotations for layer in third.layers] == [theirs.annotations, new.annotations]
    assert merge_signature(new, DIGEST, ADMISSION, third, payloads(theirs, new)) is None


def test_a_withdrawn_signature_is_gone_and_others_are_not() -> None:
    other_keys = SigningKeys(admission=AdmissionKey(key=SigningKey.generate()), attestation=KEYS.attestation)
    theirs, ours = signed(other_keys), signed()
    first = published(merge_signature(theirs, DIGEST, other_keys.admission.key.verifying_key, None, {}))
    second = published(merge_signature(ours, DIGEST, ADMISSION, first, payloads(theirs)))
    both = payloads(theirs, ours)
    third = published(withdraw_signature(DIGEST, ADMISSION, second, both))
    assert third.raw == first.raw
    assert withdraw_signature(DIGEST, ADMISSION, third, both) is None


def test_a_layer_that_could_not_be_read_or_is_not_what_it_claims_is_kept() -> None:
    old, new = signed(name="reg.example/old/name"), signed()
    manifest = published(merge_signature(old, DIGEST, ADMISSION, None, {}))
    assert len(published(merge_signature(new, DIGEST, ADMISSION, manifest, {})).layers) == 2
    forged = {old.blob.digest: new.blob.content}
    assert len(published(merge_signature(new, DIGEST, ADMISSION, manifest, forged)).layers) == 2


def test_a_layer_that_could_not_be_read_is_withdrawn_with_ours() -> None:
    manifest = published(merge_signature(signed(), DIGEST, ADMISSION, None, {}))
    assert published(withdraw_signature(DIGEST, ADMISSION, manifest, {})).layers == ()
    cleared = parse_document(empty_entries(signature_tag(DIGEST)).manifest)
    assert isinstance(cleared, Manifest)
    assert cleared.layers == ()


def test_a_signature_image_stuffed_with_entries_is_refused() -> None:
    entry = signed()
    manifest = published(merge_signature(entry, DIGEST, ADMISSION, None, {}))
    raw = json.loads(manifest.raw)
    raw["layers"] *= MAX_ENTRIES + 1
    stuffed = parse_document(json.dumps(raw).encode())
    assert isinstance(stuffed, Manifest)
    with pytest.raises(LimitExceeded):
        merge_signature(entry, DIGEST, ADMISSION, stuffed, {})


def test_a_bundle_referrer_names_its_subject_and_type() -> None:
    bundle = sign_image(KEYS, verdict(VerdictStatus.PASS), NAME, DIGEST, NOW).bundle
    subject = Descriptor(media_type=media_types.OCI_MANIFEST, digest=DIGEST, size=5)
    manifest = parse_document(bundle.manifest(subject))
    assert isinstance(manifest, Manifest)
    assert manifest.subject == subject
    assert manifest.artifact_type == media_types.SIGSTORE_BUNDLE
    assert manifest.annotations == {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": SIGN_PREDICATE,
        "org.opencontainers.image.created": "2026-11-23T12:00:00Z",
    }
    assert [manifest.layers[0].digest, manifest.config.digest] == [blob.digest for blob in bundle.blobs]


def test_an_attestation_is_no_signature_even_by_the_right_key() -> None:
    """What cosign 3 lets through, this verification does not."""
    statement = Statement(
        version=StatementVersion.V1, name=NAME, digest=DIGEST, predicate_type=VERDICT_PREDICATE, predicate={"status": "fail"}
    )
    bundle = attest_bundle(KEYS.attestation, statement, NOW).blob.content
    with pytest.raises(InvalidSignature, match="expected a statement of"):
        verify_bundle(bundle, KEYS.attestation.key.verifying_key, digest=DIGEST, predicate_type=SIGN_PREDICATE)


def test_the_attestation_key_signs_no_image() -> None:
    statement = Statement(version=StatementVersion.V1, name="", digest=DIGEST, predicate_type=SIGN_PREDICATE, predicate={})
    with pytest.raises(ValueError, match="expected an attestation"):
        attest_bundle(KEYS.attestation, statement, NOW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"payloadType":"application/vnd.in-toto+json"', '"payloadType":"text/plain"'),
        ("bundle.v0.3+json", "bundle.v0.1+json"),
        ('"sig":"', '"sig":"A'),
    ],
)
def test_a_changed_bundle_is_refused(old: str, new: str) -> None:
    content = sign_image(KEYS, verdict(VerdictStatus.PASS), NAME, DIGEST, NOW).bundle.blob.content.decode()
    assert old in content
    with pytest.raises(InvalidSignature):
        verify_bundle(content.replace(old, new).encode(), ADMISSION, digest=DIGEST, predicate_type=SIGN_PREDICATE)


@settings(deadline=None)  # the machine may be busy
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_no_bytes_are_a_bundle_by_accident(content: bytes) -> None:
    with pytest.raises(InputError):
        verify_bundle(content, ADMISSION, digest=DIGEST, predicate_type=SIGN_PREDICATE)


def test_a_bundle_too_large_or_too_deep_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        verify_bundle(b" " * (MAX_ENVELOPE_BYTES + 1), ADMISSION, digest=DIGEST, predicate_type=SIGN_PREDICATE)
    with pytest.raises(InvalidSignature):
        verify_bundle(b'{"x":' + b"[" * 100_000, ADMISSION, digest=DIGEST, predicate_type=SIGN_PREDICATE)


def test_the_pre_authentication_encoding_is_that_of_the_specification() -> None:
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
