"""The private keys for encrypted layers, read once at start-up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pratique.errors import InvalidKey, PratiqueError, SettingsError
from pratique.oci.encryption import DecryptionKeys
from pratique.oci.jwe import load_private_key
from pratique.registry.local_files import read_file

_MAX_KEY_BYTES = 64 * 1024  # a path to something else must not fill the memory


def load_decryption_keys(files: Iterable[tuple[Path, str]]) -> DecryptionKeys:
    """Load key files, each with its password (empty for none).

    Raises SettingsError.
    """
    keys = []
    for path, password in files:
        try:
            keys.append(load_private_key(read_file(path, _MAX_KEY_BYTES), password.encode() or None))
        except PratiqueError as error:
            raise SettingsError(f"decryption key {path}: {error}") from error
    try:
        return DecryptionKeys(keys)
    except InvalidKey as error:
        raise SettingsError(str(error)) from error
