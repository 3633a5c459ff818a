"""VEX documents that people keep in files, and what the settings say of whom to trust, read once at start-up."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pratique.errors import InputError, LimitExceeded, MissingError, RefusedError, SettingsError, UnavailableError
from pratique.inventory.analyzers._wording import one_line
from pratique.registry.local_files import read_file
from pratique.vex.applying import StatementIndex
from pratique.vex.limits import MAX_VEX_BYTES
from pratique.vex.reading import read_vex
from pratique.vex.statement import VexDocument
from pratique.vex.trust import VexTrust

if TYPE_CHECKING:
    from pratique.runtime.settings import VexSettings
    from pratique.signing.keys import VerifyingKey

MAX_FILES = 1_000  # of one folder: protects time
MAX_FOLDER_BYTES = 256 * 1024 * 1024  # of all its documents: protects memory and time
_SUFFIX = ".json"
_MAX_KEY_BYTES = 16 * 1024  # a key file has under 1 kB


def load_vex_trust(settings: VexSettings) -> VexTrust:
    """Read the operator's documents, and which keys are trusted.

    Raises SettingsError for anything that cannot be read: the document that was not understood may be the one that takes a word back.
    """
    signers = tuple(dict.fromkeys(key.hint for key in load_vex_keys(settings)))
    try:
        documents = [document for path in settings.documents for document in _read(path)]
    except InputError as error:
        raise SettingsError(str(error)) from error
    return VexTrust(documents=tuple(map(StatementIndex, documents)), signers=signers)


def load_vex_keys(settings: VexSettings) -> tuple[VerifyingKey, ...]:
    """Read the public keys whose signature makes attached documents count. Raises SettingsError."""
    return tuple(map(_load_key, settings.keys))


def read_vex_file(path: Path, limit: int = MAX_VEX_BYTES) -> VexDocument:
    """Read a document.

    Raises SettingsError where there is no such file, InvalidRecord or LimitExceeded for what is no document.
    """
    name = one_line(str(path))
    try:
        content = read_file(path, limit)
    except (MissingError, RefusedError, UnavailableError) as error:
        raise SettingsError(f"cannot read the VEX document {error}") from error
    try:
        return read_vex(content, name)
    except InputError as error:
        raise type(error)(f"VEX document {name}: {error}") from error


def find_vex_files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder that may be documents, by path. Links to folders are not followed, which could go round in circles.

    Raises LimitExceeded where they are too many or too large.
    """
    left = MAX_FOLDER_BYTES
    paths = (Path(root, name) for root, _, names in os.walk(folder) for name in names if name.endswith(_SUFFIX))
    for number, path in enumerate(sorted(paths)):
        if number >= MAX_FILES or left <= 0:
            raise LimitExceeded(f"VEX folder {one_line(str(folder))}: more than {MAX_FILES} files or {MAX_FOLDER_BYTES} bytes: name fewer")
        with contextlib.suppress(OSError):  # who reads it is told
            left -= path.stat().st_size
        yield path


def _read(path: Path) -> Iterator[VexDocument]:
    return map(read_vex_file, find_vex_files(path)) if path.is_dir() else iter((read_vex_file(path),))


def _load_key(path: Path) -> VerifyingKey:
    from pratique.signing.keys import VerifyingKey  # a twentieth of a second, for attached documents alone

    try:
        return VerifyingKey.parse(read_file(path, _MAX_KEY_BYTES))
    except (MissingError, RefusedError, UnavailableError) as error:
        raise SettingsError(f"cannot read the key {error}") from error
    except InputError as error:
        raise SettingsError(f"key file {path}: {error}") from error
