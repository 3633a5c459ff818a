"""The cipher of ocicrypt's layers: AES-256 in counter mode, and an HMAC-SHA256 by the same key over the encrypted bytes.

Source: containers/ocicrypt `blockcipher/blockcipher_aes_ctr.go`.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from pratique.errors import DigestMismatch, InvalidLayer
from pratique.oci.digest import Digest

AES_CTR = "AES_256_CTR_HMAC_SHA256"
"""The only cipher there is so far."""

_KEY_BYTES, _NONCE_BYTES, _HMAC_BYTES = 32, 16, 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCipher:
    """What decrypts one layer's blob and tells whether it is whole. `digest` is that of the decrypted blob, as who encrypted it recorded it."""

    key: bytes = field(repr=False)
    nonce: bytes
    hmac: bytes
    digest: Digest | None = None

    def __post_init__(self) -> None:
        if (len(self.key), len(self.nonce), len(self.hmac)) != (_KEY_BYTES, _NONCE_BYTES, _HMAC_BYTES):
            raise InvalidLayer(
                f"expected a key, nonce and HMAC of {_KEY_BYTES}, {_NONCE_BYTES} and {_HMAC_BYTES} bytes for an encrypted layer, "
                f"got {len(self.key)}, {len(self.nonce)} and {len(self.hmac)}"
            )

    @property
    def mark(self) -> str:
        """A text that only those can make who have the key, and that does not give it away: tells apart what was read with it."""
        return hmac.new(self.key, b"pratique: read with this key", hashlib.sha256).hexdigest()


class LayerDecryptor:
    """Decrypts one blob piece by piece. Nothing that `update` gave is to be believed before `verify`."""

    def __init__(self, cipher: LayerCipher) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # 50 ms that few layers need

        self._cipher = cipher
        self._decryptor = Cipher(algorithms.AES(cipher.key), modes.CTR(cipher.nonce)).decryptor()
        self._hmac = hmac.new(cipher.key, digestmod=hashlib.sha256)
        self._plain = cipher.digest.hasher() if cipher.digest else None

    def update(self, piece: bytes) -> bytes:
        """Decrypt the next bytes; as many come out."""
        self._hmac.update(piece)
        plain = self._decryptor.update(piece)
        if self._plain is not None:
            self._plain.update(plain)
        return plain

    def verify(self) -> None:
        """Compare HMAC and digest after the last piece.

        Raises DigestMismatch.
        """
        if not hmac.compare_digest(self._hmac.digest(), self._cipher.hmac):
            raise DigestMismatch("the encrypted layer's HMAC is another: it was changed after it was encrypted")
        expected = self._cipher.digest
        if expected is not None and self._plain is not None and self._plain.hexdigest() != expected.hex:
            raise DigestMismatch(f"expected a layer with digest {expected} after decryption, got another")
