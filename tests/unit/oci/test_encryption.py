"""Encrypted layers: skopeo's own, with the right key, another key, none, and after somebody changed them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import DigestMismatch, InputError, InvalidKey, InvalidLayer
from pratique.oci.cipher import LayerCipher
from pratique.oci.digest import Digest
from pratique.oci.encryption import DecryptionKeys
from pratique.oci.jwe import MAX_RECIPIENTS, load_private_key
from pratique.oci.layer_stream import LayerStream, StreamLimits
from pratique.oci.manifest import Descriptor, Layer
from pratique.oci.media_types import is_encrypted_layer
from tests.support.layer_blobs import cut

ASSET = json.loads((Path(__file__).parents[2] / "assets/encrypted_layers/skopeo.json").read_bytes())
KEYS: dict[str, bytes] = {name: text.encode() for name, text in ASSET["keys"].items()}
JWE, PUBLIC = "org.opencontainers.image.enc.keys.jwe", "org.opencontainers.image.enc.pubopts"
CASES = [
    pytest.param(case, name, id=f"{'-'.join(case['recipients'])} by {name}") for case in ASSET["layers"] for name in case["recipients"]
]


def keys(*names: str) -> DecryptionKeys:
    return DecryptionKeys([load_private_key(KEYS[name]) for name in names])


def described(case: dict[str, Any], **annotations: str) -> Descriptor:
    raw = case["descriptor"]
    found = Descriptor(
        media_type=raw["mediaType"], digest=Digest.parse(raw["digest"]), size=raw["size"], annotations={**raw["annotations"], **annotations}
    )
    assert is_encrypted_layer(found.media_type)
    return found


def decrypted(case: dict[str, Any], cipher: LayerCipher, *, blob: bytes | None = None, piece: int = 100) -> bytes:
    """The tar inside, after everything was verified."""
    content = base64.b64decode(case["blob"]) if blob is None else blob
    descriptor = replace(described(case), digest=Digest.of(content), size=len(content))
    layer = Layer(descriptor=descriptor, position=0, diff_id=Digest.parse(ASSET["diff_id"]), cipher=cipher)
    return b"".join(bytes(block) for block in LayerStream(layer, cut(content, piece), StreamLimits()).blocks())


@pytest.mark.parametrize(("case", "name"), CASES)
def test_what_skopeo_encrypted_is_opened_by_any_recipients_key(case: dict[str, Any], name: str) -> None:
    cipher = keys("stranger", name).open(described(case))
    assert str(cipher.digest) == ASSET["plain"]
    for piece in (1, 100, 1_000_000):
        assert Digest.of(decrypted(case, cipher, piece=piece)) == Digest.parse(ASSET["diff_id"])


@pytest.mark.parametrize("case", ASSET["layers"], ids=lambda case: "-".join(case["recipients"]))
def test_another_key_and_none_open_nothing_and_say_so(case: dict[str, Any]) -> None:
    others = [name for name in KEYS if name not in case["recipients"]]
    with pytest.raises(InvalidKey, match="none of the configured keys opens it"):
        keys(*others).open(described(case))
    with pytest.raises(InvalidKey, match="no key for it is configured"):
        DecryptionKeys().open(described(case))


CASE: dict[str, Any] = ASSET["layers"][1]
CIPHER = keys("p256").open(described(CASE))


def test_a_layer_that_was_changed_after_its_encryption_is_found_out_by_its_hmac_alone() -> None:
    blob = bytearray(base64.b64decode(CASE["blob"]))
    blob[4:8] = bytes(4)  # gzip's modification time, which nothing else protects
    with pytest.raises(DigestMismatch, match="HMAC"):
        decrypted(CASE, CIPHER, blob=bytes(blob))


def test_a_layer_that_is_another_than_its_encrypter_or_its_config_says_is_found_out() -> None:
    with pytest.raises(DigestMismatch, match="after decryption"):
        decrypted(CASE, replace(CIPHER, digest=Digest.of(b"another")))
    with pytest.raises(InputError):
        decrypted(CASE, replace(CIPHER, nonce=bytes(16)))
    assert decrypted(CASE, replace(CIPHER, digest=None))


def test_a_key_is_not_shown_and_its_mark_does_not_tell_it() -> None:
    assert repr(CIPHER.key) not in repr(CIPHER)
    assert CIPHER.key.hex() not in CIPHER.mark
    assert CIPHER.mark != replace(CIPHER, key=bytes(32)).mark


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({PUBLIC: ""}, "public options"),
        ({PUBLIC: "%%%"}, "base64"),
        ({PUBLIC: base64.b64encode(b'{"cipher":"ROT13"}').decode()}, "ROT13"),
        ({PUBLIC: base64.b64encode(b'{"cipher":"AES_256_CTR_HMAC_SHA256","hmac":"AAAA"}').decode()}, "32 bytes"),
        ({JWE: ""}, "JWE"),
        ({JWE: "%%%"}, "base64"),
        ({JWE: base64.b64encode(b"[]").decode()}, "JWE"),
        ({JWE: base64.b64encode(b'{"ciphertext":"","iv":"","tag":""}').decode()}, "A256GCM"),
        ({JWE: ",".join([described(CASE).annotations[JWE]] * (MAX_RECIPIENTS + 1))}, "recipients"),
    ],
)
def test_annotations_that_are_none_of_ocicrypts_are_refused(annotations: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidLayer, match=message):
        keys("stranger", "p256").open(described(CASE, **annotations))


def test_other_schemes_are_named() -> None:
    layer = replace(
        described(CASE), annotations={"org.opencontainers.image.enc.keys.pgp": "x", "org.opencontainers.image.enc.keys.pkcs7": "y"}
    )
    with pytest.raises(InvalidKey, match="for pgp and pkcs7; only jwe"):
        keys("p256").open(layer)
    with pytest.raises(InvalidKey, match="nobody"):
        keys("p256").open(replace(layer, annotations={}))


def b64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def envelope(protected_header: dict[str, Any], **more: Any) -> str:
    """A JWE to the RSA key by this protected header, around options for the vector's layer."""
    key = load_private_key(KEYS["rsa"])
    assert isinstance(key, rsa.RSAPrivateKey)
    content_key, nonce, protected = bytes(range(32)), bytes(12), b64url(json.dumps(protected_header).encode())
    wrapped = key.public_key().encrypt(content_key, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
    options = {
        "symkey": base64.b64encode(CIPHER.key).decode(),
        "digest": "?",
        "cipheroptions": {"nonce": base64.b64encode(CIPHER.nonce).decode()},
    }
    sealed = AESGCM(content_key).encrypt(nonce, json.dumps(options).encode(), protected.encode())
    parts = {"protected": protected, "iv": b64url(nonce), "ciphertext": b64url(sealed[:-16]), "tag": b64url(sealed[-16:])}
    return base64.b64encode(json.dumps({**parts, "encrypted_key": b64url(wrapped), **more}).encode()).decode()


GOOD_HEADER = {"alg": "RSA-OAEP-256", "enc": "A256GCM"}


def test_rsa_with_sha_256_is_opened_and_an_unknown_digest_is_passed_over() -> None:
    cipher = keys("rsa").open(described(CASE, **{JWE: envelope(GOOD_HEADER)}))
    assert cipher == replace(CIPHER, digest=None)


@pytest.mark.parametrize(
    ("header", "more"),
    [
        ({**GOOD_HEADER, "zip": "DEF"}, {}),
        ({**GOOD_HEADER, "crit": ["exp"]}, {}),
        ({**GOOD_HEADER, "enc": "A128CBC-HS256"}, {}),
        (GOOD_HEADER, {"unprotected": {"alg": "RSA1_5"}}),
        (GOOD_HEADER, {"header": {"enc": "A256GCM"}}),
        (GOOD_HEADER, {"iv": "AAAA"}),
        (GOOD_HEADER, {"tag": ""}),
        (GOOD_HEADER, {"encrypted_key": "not base64!"}),
        (GOOD_HEADER, {"recipients": [{"encrypted_key": "AA"}] * (MAX_RECIPIENTS + 1)}),
    ],
)
def test_an_ambiguous_compressed_or_extended_jwe_is_refused(header: dict[str, Any], more: dict[str, Any]) -> None:
    with pytest.raises(InvalidLayer):
        keys("rsa").open(described(CASE, **{JWE: envelope(header, **more)}))


@pytest.mark.parametrize("more", [{"ciphertext": "AAAA"}, {"aad": "AAAA"}, {"encrypted_key": ""}, {"tag": b64url(bytes(16))}])
def test_a_jwe_that_was_changed_is_opened_by_nobody(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidKey):
        keys("rsa").open(described(CASE, **{JWE: envelope(GOOD_HEADER, **more)}))


@pytest.mark.parametrize("point", [{}, {"crv": "P-256"}, {"crv": "P-256", "x": "AA", "y": "AA"}, {"crv": "P-384"}, "text", None])
def test_a_sender_whose_key_is_no_point_of_the_curve_opens_nothing(point: object) -> None:
    header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "epk": point}
    with pytest.raises(InvalidKey):
        keys("p256").open(described(CASE, **{JWE: envelope(header, encrypted_key=b64url(bytes(40)))}))


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_any_annotation_is_a_gap_at_worst(wrapped: bytes, public: bytes) -> None:
    encode = lambda content: base64.b64encode(content).decode()  # noqa: E731
    with pytest.raises(InputError):
        keys("p256").open(described(CASE, **{JWE: encode(wrapped), PUBLIC: encode(public)}))


@given(st.integers(min_value=0), st.integers(0, 255), st.sampled_from([JWE, PUBLIC]))
def test_a_changed_annotation_opens_nothing_or_the_very_same(place: int, value: int, name: str) -> None:
    content = bytearray(base64.b64decode(described(CASE).annotations[name]))
    content[place % len(content)] = value
    try:
        cipher = keys("p256").open(described(CASE, **{name: base64.b64encode(content).decode()}))
    except InputError:
        return
    assert replace(cipher, hmac=CIPHER.hmac) == CIPHER  # the HMAC is public, and compared with the layer


def written(key: Any, password: bytes | None = None, *, der: bool = False) -> bytes:
    protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    encoding = serialization.Encoding.DER if der else serialization.Encoding.PEM
    content: bytes = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, protection)
    return content


@pytest.mark.parametrize("der", [False, True])
def test_a_key_file_may_have_a_password(der: bool) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    for password in (None, b"secret"):
        loaded = load_private_key(written(key, password, der=der), b"secret")
        assert loaded.private_numbers() == key.private_numbers()
    for wrong in (None, b"other"):
        with pytest.raises(InvalidKey):
            load_private_key(written(key, b"secret", der=der), wrong)


@pytest.mark.parametrize(
    "content",
    [b"", b"junk", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", written(ed25519.Ed25519PrivateKey.generate())],
    ids=["nothing", "junk", "an empty PEM", "another kind"],
)
def test_what_is_no_key_for_layers_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidKey):
        load_private_key(content)


def test_a_weak_key_and_too_many_keys_are_refused() -> None:
    with pytest.raises(InvalidKey, match="2048"):
        load_private_key(written(rsa.generate_private_key(65537, 1024)))
    with pytest.raises(InvalidKey, match="limit"):
        keys(*["p256"] * 9)
