"""Key files and the pair of keys."""

import base64
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import InvalidKey, InvalidSignature, SettingsError
from pratique.signing.keys import AdmissionKey, AttestationKey, SigningKey, SigningKeys, VerifyingKey

VECTORS: dict[str, str] = json.loads((Path(__file__).parent / "cosign_vectors.json").read_text())


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate()


def changed_file(change: Callable[[dict[str, Any]], object]) -> bytes:
    lines = VECTORS["key"].splitlines()
    document = json.loads(base64.b64decode("".join(lines[1:-1])))
    change(document)
    return "\n".join([lines[0], base64.b64encode(json.dumps(document).encode()).decode(), lines[-1]]).encode()


def test_a_key_made_by_cosign_is_read() -> None:
    loaded = SigningKey.parse(VECTORS["key"].encode(), b"vector")
    assert loaded.public_pem().decode() == VECTORS["public"]


def test_a_key_under_cosigns_old_label_is_read() -> None:
    old = VECTORS["key"].replace("SIGSTORE", "COSIGN")
    assert SigningKey.parse(old.encode(), b"vector").public_pem().decode() == VECTORS["public"]


def test_a_saved_key_is_read_again_and_only_its_owner_can(key: SigningKey, tmp_path: Path) -> None:
    path = tmp_path / "k.key"
    key.save_private(path, b"pw")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKey.load(path, b"pw").verifying_key == key.verifying_key


def test_an_existing_file_is_never_overwritten(key: SigningKey, tmp_path: Path) -> None:
    path = tmp_path / "k.key"
    path.write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for taken in (path, tmp_path / "link"):
        with pytest.raises(SettingsError, match="never overwritten"):
            key.save_private(taken, b"pw")
    assert path.read_text() == "precious"
    assert not (tmp_path / "elsewhere").exists()


def test_an_empty_password_is_refused(key: SigningKey) -> None:
    with pytest.raises(SettingsError, match="password"):
        key.private_pem(b"")


def test_a_file_that_is_not_there_is_a_matter_of_settings(key: SigningKey, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read"):
        SigningKey.load(tmp_path / "none", b"pw")
    with pytest.raises(SettingsError, match="cannot create"):
        key.save_private(tmp_path / "none" / "k.key", b"pw")


def test_a_plain_pkcs8_key_is_read() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    SigningKey.parse(pem).verifying_key.verify(SigningKey(private).sign(b"x"), b"x")


@pytest.mark.parametrize("private", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()])
def test_a_key_of_another_kind_is_refused(private: Any) -> None:
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(InvalidKey, match="P-256"):
        SigningKey.parse(pem)
    with pytest.raises(InvalidKey, match="P-256"):
        VerifyingKey.parse(public)


def test_a_wrong_or_missing_password_is_said_clearly() -> None:
    with pytest.raises(InvalidKey, match="password does not open"):
        SigningKey.parse(VECTORS["key"].encode(), b"wrong")
    with pytest.raises(InvalidKey, match="expected a password"):
        SigningKey.parse(VECTORS["key"].encode())


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["kdf"]["params"].update(N=2**30),
        lambda document: document["kdf"]["params"].update(N=65537),
        lambda document: document["kdf"]["params"].update(N=1),
        lambda document: document["kdf"]["params"].update(N=2, p=2**19 + 1),
        lambda document: document["kdf"]["params"].update(r=0),
        lambda document: document["kdf"]["params"].update(r=2**62),
        lambda document: document["kdf"]["params"].update(N=-65536),
        lambda document: document["kdf"].update(name="none"),
        lambda document: document["cipher"].update(name="none"),
        lambda document: document["cipher"].update(nonce="AAAA"),
        lambda document: document.update(ciphertext=""),
        lambda document: document.update(ciphertext="!"),
        lambda document: document.pop("kdf"),
    ],
)
def test_a_hostile_key_file_is_refused_before_it_costs_anything(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(InvalidKey):
        SigningKey.parse(changed_file(change), b"vector")


@settings(deadline=None)  # the machine may be busy
@given(st.one_of(st.binary(max_size=300), st.text(max_size=100).map(lambda text: f"-----BEGIN {text}-----\n{text}".encode())))
def test_no_bytes_raise_anything_but_invalid_key(content: bytes) -> None:
    with pytest.raises(InvalidKey):
        SigningKey.parse(content, b"pw")
    with pytest.raises(InvalidKey):
        VerifyingKey.parse(content)


def test_a_file_too_large_for_a_key_is_refused() -> None:
    with pytest.raises(InvalidKey, match="at most"):
        SigningKey.parse(b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 20_000)
    with pytest.raises(InvalidKey, match="at most"):
        VerifyingKey.parse(b"A" * 20_000)


def test_signatures_are_those_of_rfc_6979() -> None:
    secret = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721  # RFC 6979, A.2.5
    signature = SigningKey(ec.derive_private_key(secret, ec.SECP256R1())).sign(b"sample")
    assert decode_dss_signature(signature) == (
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
    )


def test_a_signature_holds_for_its_bytes_and_key_only(key: SigningKey) -> None:
    signature = key.sign(b"data")
    public = VerifyingKey.parse(key.public_pem())
    public.verify(signature, b"data")
    for bad, data in ((signature, b"Data"), (signature[:-1], b"data"), (b"", b"data")):
        with pytest.raises(InvalidSignature):
            public.verify(bad, data)
    with pytest.raises(InvalidSignature):
        SigningKey.generate().verifying_key.verify(signature, b"data")


def test_no_text_form_shows_the_secret(key: SigningKey) -> None:
    keys = SigningKeys(admission=AdmissionKey(key=key), attestation=AttestationKey(key=SigningKey.generate()))
    assert repr(key) == str(key) == f"SigningKey(hint={key.hint!r})"
    assert "PRIVATE" not in repr(keys)
    assert "0x" not in repr(keys)


def test_one_key_cannot_be_both(key: SigningKey) -> None:
    again = SigningKey.parse(key.private_pem(b"pw"), b"pw")
    with pytest.raises(SettingsError, match="other than the admission key"):
        SigningKeys(admission=AdmissionKey(key=key), attestation=AttestationKey(key=again))
