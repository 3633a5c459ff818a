"""Signing keys: ECDSA on P-256, in files that cosign reads and writes.

Source: cosign's `generate-key-pair`; its file is go-securesystemslib's `encrypted` package (scrypt, then NaCl's secretbox) inside PEM.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature as ForeignInvalidSignature
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from pratique.errors import InvalidKey, InvalidSignature, SettingsError

_LABEL = "ENCRYPTED SIGSTORE PRIVATE KEY"
_ENCRYPTED_LABELS = (_LABEL, "ENCRYPTED COSIGN PRIVATE KEY")  # the second is what cosign wrote before 2.0
_PLAIN_LABELS = ("PRIVATE KEY", "EC PRIVATE KEY")
_MAX_FILE_BYTES = 16 * 1024  # a key file has under 1 kB: protects against being pointed at something else
_MAX_SCRYPT_WORK = 2**20  # N*r*p: 128 MiB and about a second. Protects memory and time against a hostile file; cosign's own is 2**19
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 65536, 8, 1
_SALT_BYTES = 32
_LINE = 64


class _Scrypt(msgspec.Struct):
    cost: int = msgspec.field(name="N")
    r: int
    p: int


class _Kdf(msgspec.Struct):
    name: str
    params: _Scrypt
    salt: bytes


class _Cipher(msgspec.Struct):
    name: str
    nonce: bytes


class _EncryptedKey(msgspec.Struct):
    kdf: _Kdf
    cipher: _Cipher
    ciphertext: bytes


# At import: msgspec resolves a type at its first use, and two threads that do so at once crash the interpreter.
_ENCRYPTED_KEY = msgspec.json.Decoder(_EncryptedKey)


class VerifyingKey:
    """The public half of a key; compares and hashes by value."""

    __slots__ = ("_key", "_spki")

    def __init__(self, key: ec.EllipticCurvePublicKey) -> None:
        self._key = key
        self._spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    @classmethod
    def parse(cls, pem: bytes) -> VerifyingKey:
        """Parse a PEM "PUBLIC KEY" of ECDSA P-256.

        Raises InvalidKey.
        """
        if len(pem) > _MAX_FILE_BYTES:
            raise InvalidKey(f"expected a public key of at most {_MAX_FILE_BYTES} bytes, got {len(pem)}")
        with _as_invalid_key("expected a PEM public key"):
            key = serialization.load_pem_public_key(pem)
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise InvalidKey("expected an ECDSA P-256 public key, got one of another kind")
        return cls(key)

    @property
    def hint(self) -> str:
        """Base64 of the SHA-256 of the SubjectPublicKeyInfo: how a bundle names its key. Not proof of anything."""
        return base64.b64encode(hashlib.sha256(self._spki).digest()).decode()

    def public_pem(self) -> bytes:
        """The key as PEM, as `cosign verify --key` reads it."""
        return self._key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def verify(self, signature: bytes, data: bytes) -> None:
        """Check a DER signature over `data`. Returns when it holds.

        Raises InvalidSignature.
        """
        try:
            self._key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        except ForeignInvalidSignature as error:
            raise InvalidSignature(f"the signature is not one by the key {self.hint} over these {len(data)} bytes") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyingKey) and self._spki == other._spki

    def __hash__(self) -> int:
        return hash(self._spki)

    def __repr__(self) -> str:
        return f"VerifyingKey(hint={self.hint!r})"


class SigningKey:
    """A private key. Neither its text form nor an error of this module shows the secret."""

    __slots__ = ("_key", "verifying_key")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.verifying_key = VerifyingKey(key.public_key())

    @classmethod
    def generate(cls) -> SigningKey:
        """Make a new key from the system's randomness."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, path: Path, password: bytes | None = None) -> SigningKey:
        """Read a key file; see `parse`.

        Raises InvalidKey; SettingsError when the file cannot be read.
        """
        try:
            with path.open("rb") as file:
                content = file.read(_MAX_FILE_BYTES + 1)
        except OSError as error:
            raise SettingsError(f"cannot read the key file {path}: {error.strerror}") from error
        return cls.parse(content, password)

    @classmethod
    def parse(cls, pem: bytes, password: bytes | None = None) -> SigningKey:
        """Parse a private key as cosign writes it, which needs the password, or plain PKCS8 PEM, which must come without one.

        Takes about a second for an encrypted key (scrypt). Raises InvalidKey.
        """
        if len(pem) > _MAX_FILE_BYTES:
            raise InvalidKey(f"expected a key file of at most {_MAX_FILE_BYTES} bytes, got more")
        label = _label_of(pem)
        if label in _ENCRYPTED_LABELS:
            if password is None:
                raise InvalidKey("the key is encrypted: expected a password, got none")
            with _as_invalid_key("expected a PKCS8 key inside the encrypted key file"):
                key = serialization.load_der_private_key(_decrypt(_body_of(pem), password), None)
        elif label in _PLAIN_LABELS:
            with _as_invalid_key(f"expected a PEM {label}"):
                key = serialization.load_pem_private_key(pem, None)
        else:
            raise InvalidKey(f"expected one of {', '.join(_ENCRYPTED_LABELS + _PLAIN_LABELS)}, got {label[:64]!r}")
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise InvalidKey("expected an ECDSA P-256 private key, got one of another kind")
        return cls(key)

    @property
    def hint(self) -> str:
        """The hint of the public half."""
        return self.verifying_key.hint

    def public_pem(self) -> bytes:
        """The public half as PEM."""
        return self.verifying_key.public_pem()

    def private_pem(self, password: bytes) -> bytes:
        """The key encrypted as cosign does.

        Raises SettingsError for an empty password: the file would look protected and not be.
        """
        if not password:
            raise SettingsError("expected a password for the private key, got an empty one")
        salt, nonce = os.urandom(_SALT_BYTES), os.urandom(SecretBox.NONCE_SIZE)
        plain = self._key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        parameters = _Scrypt(cost=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
        box = SecretBox(_derive(parameters, salt, password))
        document = _EncryptedKey(
            kdf=_Kdf(name="scrypt", params=parameters, salt=salt),
            cipher=_Cipher(name="nacl/secretbox", nonce=nonce),
            ciphertext=box.encrypt(plain, nonce).ciphertext,
        )
        text = base64.b64encode(msgspec.json.encode(document)).decode()
        lines = "\n".join(text[start : start + _LINE] for start in range(0, len(text), _LINE))
        return f"-----BEGIN {_LABEL}-----\n{lines}\n-----END {_LABEL}-----\n".encode()

    def save_private(self, path: Path, password: bytes) -> None:
        """Write the encrypted key to a new file that only its owner may read. An existing file is never touched.

        Raises SettingsError.
        """
        content = self.private_pem(password)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise SettingsError(f"{path} exists: a key is never overwritten, move it away first") from error
        except OSError as error:
            raise SettingsError(f"cannot create the key file {path}: {error.strerror}") from error
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            path.unlink(missing_ok=True)  # half a key helps nobody, and the next attempt must not find it
            raise SettingsError(f"cannot write the key file {path}: {error.strerror}") from error

    def sign(self, data: bytes) -> bytes:
        """Sign with ECDSA and SHA-256, as DER. The same data gives the same signature (RFC 6979), so a repeated publication is identical."""
        return self._key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    def __repr__(self) -> str:
        return f"SigningKey(hint={self.hint!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionKey:
    """The key that clusters admit by. It signs images that passed, and nothing else."""

    key: SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationKey:
    """The key that signs verdicts of every status."""

    key: SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeys:
    """Both keys, known to differ.

    cosign 3 takes ANY bundle by the admission key for a signature of the image: a signed `fail` by that key would admit the image it condemns.
    So everything that signs takes this pair, and the pair cannot be built from one key.
    Raises SettingsError when the keys are the same.
    """

    admission: AdmissionKey
    attestation: AttestationKey

    def __post_init__(self) -> None:
        if self.admission.key.verifying_key == self.attestation.key.verifying_key:
            raise SettingsError(
                "expected an attestation key other than the admission key: cosign would take a signed `fail` for an approval"
            )


def _label_of(pem: bytes) -> str:
    first = pem.lstrip().partition(b"\n")[0].strip()
    if not (first.startswith(b"-----BEGIN ") and first.endswith(b"-----")):
        raise InvalidKey("expected a PEM file that begins with -----BEGIN")
    return first[len(b"-----BEGIN ") : -len(b"-----")].decode("ascii", "replace")


def _body_of(pem: bytes) -> bytes:
    lines = [line.strip() for line in pem.strip().splitlines()]
    with _as_invalid_key("expected base64 in the key file"):
        return base64.b64decode(b"".join(line for line in lines if not line.startswith(b"-----")), validate=True)


def _decrypt(body: bytes, password: bytes) -> bytes:
    with _as_invalid_key("expected cosign's encrypted key document"):
        document = _ENCRYPTED_KEY.decode(body)
    names = (document.kdf.name, document.cipher.name)
    if names != ("scrypt", "nacl/secretbox"):
        raise InvalidKey(f"expected scrypt and nacl/secretbox in the key file, got {names[0][:32]!r} and {names[1][:32]!r}")
    key = _derive(document.kdf.params, document.kdf.salt, password)
    try:
        with _as_invalid_key("expected a nonce and a ciphertext of secretbox"):
            return SecretBox(key).decrypt(document.ciphertext, document.cipher.nonce)
    except CryptoError as error:
        raise InvalidKey("the password does not open this key, or the key file is damaged") from error


def _derive(parameters: _Scrypt, salt: bytes, password: bytes) -> bytes:
    cost, r, p = parameters.cost, parameters.r, parameters.p
    if min(cost, r, p) < 1 or cost.bit_count() != 1 or cost * r * p > _MAX_SCRYPT_WORK:
        raise InvalidKey(f"expected scrypt parameters with N*r*p of at most {_MAX_SCRYPT_WORK}, got N={cost} r={r} p={p}")
    with _as_invalid_key("expected parameters that scrypt takes"):
        return Scrypt(salt=salt, length=SecretBox.KEY_SIZE, n=cost, r=r, p=p).derive(password)


@contextlib.contextmanager
def _as_invalid_key(expected: str) -> Iterator[None]:
    try:
        yield
    except CryptoError:
        raise  # a wrong password, said better by the caller
    except (ValueError, TypeError, UnsupportedAlgorithm, binascii.Error, msgspec.DecodeError) as error:
        raise InvalidKey(f"{expected}, got something else") from error
