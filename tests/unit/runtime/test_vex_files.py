"""Whose VEX the settings trust: read whole at start-up, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pratique.errors import SettingsError
from pratique.runtime.settings import parse_settings
from pratique.runtime.vex_files import MAX_FILES, load_vex_keys, load_vex_trust
from pratique.signing.keys import SigningKey
from pratique.vex.trust import NOBODY
from tests.support.vex import openvex, said

FINE = openvex(said())


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_key(path: Path) -> str:
    key = SigningKey.generate().verifying_key
    write(path, key.public_pem())
    return key.hint


def trust(base: Path, **vex: object) -> tuple[list[str], tuple[str, ...]]:
    """The sources of the documents, and the signers."""
    settings = parse_settings({"vex": vex}, {}, base=base)
    found = load_vex_trust(settings.vex)
    assert tuple(key.hint for key in load_vex_keys(settings.vex)) == found.signers
    return [one.document.source.removeprefix(f"{base}/") for one in found.documents], found.signers


def test_nobody_is_trusted_by_default(tmp_path: Path) -> None:
    assert trust(tmp_path) == ([], ())
    assert load_vex_trust(parse_settings({}, {}, base=tmp_path).vex) == NOBODY


def test_documents_and_keys_are_read_in_their_order_from_beside_the_settings_file(tmp_path: Path) -> None:
    for name in ("vendor/b.json", "vendor/a/a.json", "team.json"):
        write(tmp_path / name, FINE)
    write(tmp_path / "vendor/README.md", b"not for us")
    signers = tuple(write_key(tmp_path / name) for name in ("z.pub", "a.pub"))
    sources = ["team.json", "vendor/a/a.json", "vendor/b.json"]
    assert trust(tmp_path, documents=["team.json", "vendor"], keys=["z.pub", "a.pub"]) == (sources, signers)


@pytest.mark.parametrize(
    ("vex", "message"),
    [
        ({"documents": ["missing.json"]}, "cannot read the VEX document"),
        ({"documents": ["broken.json"]}, "broken.json: expected a VEX document in JSON"),
        ({"documents": ["."]}, "broken.json: expected a VEX document in JSON"),
        ({"documents": ["many"]}, f"more than {MAX_FILES} files"),
        ({"keys": ["missing.pub"]}, "cannot read the key"),
        ({"keys": ["broken.json"]}, "broken.json: expected a PEM public key"),
        ({"key": ["ours.pub"]}, "unknown field `key`"),
    ],
)
def test_what_cannot_be_read_stops_the_start(vex: dict[str, object], message: str, tmp_path: Path) -> None:
    write(tmp_path / "broken.json", b"{}")
    if "many" in str(vex):
        for number in range(MAX_FILES + 1):
            write(tmp_path / f"many/{number}.json", FINE)
    with pytest.raises(SettingsError, match=message):
        trust(tmp_path, **vex)
