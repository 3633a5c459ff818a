"""Opening JSON Web Encryption as ocicrypt writes it: the content key is wrapped for each recipient, the content is AES-256-GCM.

1. The headers of a recipient are the protected ones, the shared ones and its own; each name is in one place only.
2. A private key that fits a recipient's algorithm unwraps the content key: RSA-OAEP, or ECDH-ES with AES key wrap.
3. The content key decrypts and authenticates the content, with the protected headers as written.

Compression (`zip`) and extensions (`crit`) are refused: ocicrypt uses neither, and both have been ways around such readers.
Sources: RFC 7516 (JWE), RFC 7518 (algorithms), RFC 7517 (keys); containers/ocicrypt `keywrap/jwe`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import InvalidKey, InvalidLayer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurve, EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey

MAX_RECIPIENTS = 32
"""Of one layer: an unwrapping by RSA takes milliseconds for each key, and strangers say how many recipients there are."""

MIN_RSA_BITS = 2048
_CONTENT_CIPHER = "A256GCM"
_CONTENT_KEY_BYTES, _IV_BYTES, _TAG_BYTES = 32, 12, 16
_WRAPS = {"ECDH-ES+A128KW": 16, "ECDH-ES+A192KW": 24, "ECDH-ES+A256KW": 32}


class _Recipient(msgspec.Struct, frozen=True):
    header: dict[str, object] = {}
    encrypted_key: str = ""


class _Envelope(msgspec.Struct, frozen=True):
    ciphertext: str
    iv: str
    tag: str
    protected: str = ""
    unprotected: dict[str, object] = {}
    header: dict[str, object] = {}
    encrypted_key: str = ""
    recipients: list[_Recipient] | None = None
    aad: str | None = None


_ENVELOPES = msgspec.json.Decoder(_Envelope)
_HEADERS = msgspec.json.Decoder(dict[str, object])


def load_private_key(content: bytes, password: bytes | None = None) -> PrivateKey:
    """Read an RSA or elliptic-curve key in PEM or DER (PKCS#8, PKCS#1, SEC 1). A password that is not needed does no harm.

    Raises InvalidKey.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    load = load_pem_private_key if b"-----BEGIN" in content else load_der_private_key
    try:
        try:
            key = load(content, None)
        except TypeError:  # it is encrypted
            key = load(content, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: the password is missing
        raise InvalidKey(f"expected a private key in PEM or DER: {error}") from error
    if isinstance(key, RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        raise InvalidKey(f"expected an RSA key of at least {MIN_RSA_BITS} bits, got {key.key_size}")
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise InvalidKey("expected an RSA or elliptic-curve key")
    return key


def open_envelopes(contents: Sequence[bytes], keys: Sequence[PrivateKey]) -> bytes | None:
    """Decrypt the first of these JWEs (in their JSON form) of which a key is a recipient's; None where none is, or the content was changed.

    Raises InvalidLayer for what is no such JWE, and for more than MAX_RECIPIENTS recipients together.
    """
    recipients = [found for content in contents for found in _recipients(_parse(content))]
    if len(recipients) > MAX_RECIPIENTS:
        raise InvalidLayer(f"a layer encrypted for {len(recipients)} recipients; the limit is {MAX_RECIPIENTS}")
    for envelope, header, wrapped in recipients:
        for content_key in _unwrapped(header, wrapped, keys):
            plain = _decrypt(envelope, content_key)
            if plain is not None:
                return plain
    return None


def _recipients(envelope: _Envelope) -> Iterator[tuple[_Envelope, Mapping[str, object], bytes]]:
    """Yield each recipient's headers and wrapped key."""
    shared = _merge(_parse_protected(envelope), envelope.unprotected)
    for recipient in envelope.recipients or [_Recipient(envelope.header, envelope.encrypted_key)]:
        header = _merge(shared, recipient.header)
        if header.get("enc") != _CONTENT_CIPHER:
            raise InvalidLayer(f"expected a key wrapped with {_CONTENT_CIPHER}, got {str(header.get('enc'))[:40]!r}")
        yield envelope, header, _decode(recipient.encrypted_key)


def _parse(content: bytes) -> _Envelope:
    with _as_invalid_layer():
        return _ENVELOPES.decode(content)


def _parse_protected(envelope: _Envelope) -> Mapping[str, object]:
    with _as_invalid_layer():
        return _HEADERS.decode(_decode(envelope.protected)) if envelope.protected else {}


@contextmanager
def _as_invalid_layer() -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidLayer(f"expected a JWE in an encrypted layer's annotation: {error}") from error


def _merge(known: Mapping[str, object], more: Mapping[str, object]) -> Mapping[str, object]:
    doubles = known.keys() & more.keys()
    if doubles or {"zip", "crit"} & (known.keys() | more.keys()):
        raise InvalidLayer("a JWE with ambiguous, compressed or critical headers is refused")
    return {**known, **more}


def _unwrapped(header: Mapping[str, object], wrapped: bytes, keys: Sequence[PrivateKey]) -> Iterator[bytes]:
    """Yield the content key for each private key that unwraps it."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap

    for key in keys:
        with suppress(ValueError, InvalidUnwrap):  # made for another key
            content_key = _unwrap_rsa(key, header, wrapped) if isinstance(key, RSAPrivateKey) else _unwrap_ec(key, header, wrapped)
            if content_key is not None and len(content_key) == _CONTENT_KEY_BYTES:
                yield content_key


def _unwrap_rsa(key: RSAPrivateKey, header: Mapping[str, object], wrapped: bytes) -> bytes | None:
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    kind = {"RSA-OAEP": SHA1, "RSA-OAEP-256": SHA256}.get(str(header.get("alg")))
    if kind is None or len(wrapped) * 8 != key.key_size:
        return None
    return key.decrypt(wrapped, padding.OAEP(padding.MGF1(kind()), kind(), None))


def _unwrap_ec(key: EllipticCurvePrivateKey, header: Mapping[str, object], wrapped: bytes) -> bytes | None:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDH
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
    from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

    algorithm = str(header.get("alg"))
    size = _WRAPS.get(algorithm)
    if size is None or len(wrapped) != _CONTENT_KEY_BYTES + 8:
        return None
    public = _ephemeral_key(header.get("epk"), key.curve)
    if public is None:
        return None
    parts = (algorithm.encode(), _decode(str(header.get("apu", ""))), _decode(str(header.get("apv", ""))))
    context = b"".join(len(part).to_bytes(4, "big") + part for part in parts) + (size * 8).to_bytes(4, "big")  # RFC 7518, 4.6.2
    wrapping_key = ConcatKDFHash(SHA256(), size, context).derive(key.exchange(ECDH(), public))
    return aes_key_unwrap(wrapping_key, wrapped)


def _ephemeral_key(raw: object, curve: EllipticCurve) -> EllipticCurvePublicKey | None:
    """Read the sender's key of this exchange; None for one of another curve. A point off the curve is a ValueError of the library."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicNumbers

    names = {"P-256": "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1"}
    if not isinstance(raw, dict) or names.get(str(raw.get("crv"))) != curve.name:
        return None
    x, y = (int.from_bytes(_decode(str(raw.get(name, ""))), "big") for name in ("x", "y"))
    return EllipticCurvePublicNumbers(x, y, curve).public_key()


def _decrypt(envelope: _Envelope, key: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce, tag = _decode(envelope.iv), _decode(envelope.tag)
    if (len(nonce), len(tag)) != (_IV_BYTES, _TAG_BYTES):
        raise InvalidLayer("a JWE whose nonce or tag has a wrong length")
    authenticated = envelope.protected if envelope.aad is None else f"{envelope.protected}.{envelope.aad}"
    try:
        return AESGCM(key).decrypt(nonce, _decode(envelope.ciphertext) + tag, authenticated.encode())
    except InvalidTag:
        return None


def _decode(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515, section 2)."""
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise InvalidLayer("expected base64url in a JWE") from error
