"""Whose key opens a layer that ocicrypt encrypted.

1. For each kind of key there is an annotation with the layer's secret options, wrapped for its recipients; of these `jwe` is read here.
2. Who has the private key of one recipient unwraps them: symmetric key, nonce, and the digest of the blob before it was encrypted.
3. The public options name the cipher and hold the HMAC; with both a LayerCipher is complete.

The config of an image is not encrypted, so a layer's diff-id holds for the decrypted layer as for any other.
Source: containers/ocicrypt `encryption.go` and `spec/spec.go`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import InvalidDigest, InvalidKey, InvalidLayer
from pratique.oci.cipher import AES_CTR, LayerCipher
from pratique.oci.digest import Digest
from pratique.oci.jwe import load_private_key, open_envelopes

if TYPE_CHECKING:
    from pratique.oci.jwe import PrivateKey
    from pratique.oci.manifest import Descriptor

_PREFIX = "org.opencontainers.image.enc."
_WRAPPED = f"{_PREFIX}keys."
_JWE = f"{_WRAPPED}jwe"
_PUBLIC = f"{_PREFIX}pubopts"
_MAX_SCHEMES_SHOWN = 5
_MAX_KEYS = 8  # each is tried on each recipient, for each layer


class _Public(msgspec.Struct, frozen=True):
    cipher: str = ""
    hmac: bytes = b""
    cipheroptions: dict[str, bytes] | None = None


class _Private(msgspec.Struct, frozen=True):
    symkey: bytes
    digest: str = ""
    cipheroptions: dict[str, bytes] | None = None


# At import: msgspec resolves a type at its first use, and two threads that do so at once crash the interpreter.
_PUBLICS = msgspec.json.Decoder(_Public)
_PRIVATES = msgspec.json.Decoder(_Private)


class DecryptionKeys:
    """Private keys for encrypted layers. Without any, every encrypted layer stays closed."""

    def __init__(self, keys: Sequence[PrivateKey] = ()) -> None:
        if len(keys) > _MAX_KEYS:
            raise InvalidKey(f"{len(keys)} decryption keys; the limit is {_MAX_KEYS}")
        self._keys = tuple(keys)

    @classmethod
    def parse(cls, files: Sequence[tuple[bytes, bytes | None]]) -> DecryptionKeys:
        """Read key files, each with its password.

        Raises InvalidKey.
        """
        return cls([load_private_key(content, password) for content, password in files])

    def open(self, layer: Descriptor) -> LayerCipher:
        """Find the cipher of an encrypted layer. Takes milliseconds for each recipient: not for an event loop.

        Raises InvalidKey where no key opens it, InvalidLayer for annotations that are none of ocicrypt's.
        """
        if not self._keys:
            raise InvalidKey("the layer is encrypted and no key for it is configured")
        if _JWE not in layer.annotations:
            raise InvalidKey(f"the layer is encrypted for {_schemes(layer)}; only jwe can be opened")
        public = _parse_public(layer)
        private = self._unwrap(layer.annotations[_JWE])
        options = {**(private.cipheroptions or {}), **(public.cipheroptions or {})}  # in ocicrypt's order: the public ones win
        return LayerCipher(key=private.symkey, nonce=options.get("nonce", b""), hmac=public.hmac, digest=_parse_digest(private.digest))

    def _unwrap(self, annotation: str) -> _Private:
        envelopes = map(_decode, annotation.split(","))  # one for each time that recipients were added
        content = open_envelopes(list(envelopes), self._keys)
        if content is None:
            raise InvalidKey("the layer is encrypted and none of the configured keys opens it")
        try:
            return _PRIVATES.decode(content)
        except (msgspec.DecodeError, RecursionError, UnicodeError):  # not named: the error may quote the key
            raise InvalidLayer("expected ocicrypt's options inside an encrypted layer's JWE") from None


def _parse_public(layer: Descriptor) -> _Public:
    try:
        public = _PUBLICS.decode(_decode(layer.annotations.get(_PUBLIC, "")))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidLayer(f"expected ocicrypt's public options in {_PUBLIC}: {error}") from error
    if public.cipher != AES_CTR:
        raise InvalidLayer(f"expected a layer encrypted with {AES_CTR}, got {public.cipher[:60]!r}")
    return public


def _parse_digest(text: str) -> Digest | None:
    with suppress(InvalidDigest):
        return Digest.parse(text)
    return None


def _schemes(layer: Descriptor) -> str:
    names = sorted(name.removeprefix(_WRAPPED)[:40] for name in layer.annotations if name.startswith(_WRAPPED))
    return " and ".join(names[:_MAX_SCHEMES_SHOWN]) or "nobody (it names no recipients)"


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise InvalidLayer("expected base64 in an encrypted layer's annotations") from error
