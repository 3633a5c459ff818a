"""The signing keys that the settings name, read once at start-up."""

from __future__ import annotations

from pathlib import Path

from pratique.errors import InvalidKey, SettingsError
from pratique.runtime.settings import SigningSettings
from pratique.signing.keys import AdmissionKey, AttestationKey, SigningKey, SigningKeys


def load_keys(signing: SigningSettings) -> SigningKeys | None:
    """Load both signing keys, or none where none is configured.

    Raises SettingsError when only one is, when one cannot be read, or when they are the same.
    """
    if signing.key is None and signing.attestation_key is None:
        return None
    if signing.key is None or signing.attestation_key is None:
        raise SettingsError(
            "signing.key and signing.attestation_key go together: a verdict must not be signed by the key that admits images"
        )
    return SigningKeys(
        admission=AdmissionKey(key=_load(signing.key, signing.password)),
        attestation=AttestationKey(key=_load(signing.attestation_key, signing.attestation_password)),
    )


def _load(path: Path, password: str) -> SigningKey:
    try:
        return SigningKey.load(path, password.encode() or None)
    except InvalidKey as error:
        raise SettingsError(f"key file {path}: {error}") from error
