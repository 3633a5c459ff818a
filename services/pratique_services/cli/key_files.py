"""Key files that options name."""

from __future__ import annotations

import os
from pathlib import Path

from pratique.errors import InputError, MissingError, RefusedError, SettingsError, UnavailableError
from pratique.registry.local_files import read_file
from pratique.signing.keys import SigningKey, VerifyingKey

_MAX_KEY_BYTES = 16 * 1024  # a key file has under 1 kB


def load_verifying_key(path: Path) -> VerifyingKey:
    """Read a public key (cosign.pub).

    Raises SettingsError.
    """
    try:
        return VerifyingKey.parse(read_file(path, _MAX_KEY_BYTES))
    except (MissingError, RefusedError, UnavailableError) as error:
        raise SettingsError(f"cannot read the key {error}") from error
    except InputError as error:
        raise SettingsError(f"key file {path}: {error}") from error


def load_signing_key(path: Path) -> SigningKey:
    """Read a private key (cosign.key); PRATIQUE_KEY_PASSWORD opens it, which may be set and empty.

    Raises SettingsError.
    """
    password = os.environ.get("PRATIQUE_KEY_PASSWORD")
    try:
        return SigningKey.load(path, None if password is None else password.encode())
    except InputError as error:
        hint = "; PRATIQUE_KEY_PASSWORD says its password" if password is None else ""
        raise SettingsError(f"key file {path}: {error}{hint}") from error
