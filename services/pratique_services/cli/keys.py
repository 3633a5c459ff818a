"""`pratique keys`: the two key pairs, in cosign's own format."""

from __future__ import annotations

import argparse
import getpass
import os
import sys

from pratique.errors import SettingsError
from pratique.signing.keys import SigningKey
from pratique_services.cli.main import EXIT_OK

_NAMES = {"signing": "signs images that passed; its public key is what clusters admit by", "attestation": "signs verdicts of every kind"}


def generate(options: argparse.Namespace) -> int:
    """Make both key pairs; existing files are never overwritten."""
    files = {name: (options.directory / f"{name}.key", options.directory / f"{name}.pub") for name in _NAMES}
    existing = [str(path) for pair in files.values() for path in pair if path.exists()]
    if existing:  # before anything is written: half a set helps nobody
        raise SettingsError(f"{', '.join(existing)}: a key is never overwritten, move it away first")
    password = _read_password()
    try:
        options.directory.mkdir(parents=True, exist_ok=True)
        for name, (private, public) in files.items():
            key = SigningKey.generate()
            key.save_private(private, password)
            with public.open("xb") as file:
                file.write(key.public_pem())
            print(f"{private} and {public}: {_NAMES[name]}")
    except OSError as error:
        raise SettingsError(f"cannot write into {options.directory}: {error.strerror}") from error
    return EXIT_OK


def _read_password() -> bytes:
    password = os.environ.get("PRATIQUE_KEY_PASSWORD")
    if password is None and sys.stdin.isatty():
        password = getpass.getpass("Password for the private keys: ")
        if password != getpass.getpass("Once more: "):
            raise SettingsError("the passwords differ")
    if not password:
        raise SettingsError("a password is needed: set PRATIQUE_KEY_PASSWORD, or run this in a terminal")
    return password.encode()
