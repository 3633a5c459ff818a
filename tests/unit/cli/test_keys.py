"""`pratique keys generate` makes both pairs, readable by their owner only, and overwrites nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pratique.runtime.key_files import load_keys
from pratique.runtime.settings import SigningSettings
from pratique_services.cli import main

FILES = ("attestation.key", "attestation.pub", "signing.key", "signing.pub")


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRATIQUE_KEY_PASSWORD", "correct horse")


def test_both_pairs_are_made_and_can_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "generate", "--directory", str(tmp_path / "keys")]) == 0
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == list(FILES)
    for name in ("signing.key", "attestation.key"):
        assert (tmp_path / "keys" / name).stat().st_mode & 0o777 == 0o600
    names = {"key": tmp_path / "keys/signing.key", "attestation_key": tmp_path / "keys/attestation.key"}
    found = load_keys(SigningSettings(**names, password="correct horse", attestation_password="correct horse"))
    assert found is not None
    assert found.admission.key.public_pem() == (tmp_path / "keys/signing.pub").read_bytes()
    assert "correct horse" not in capsys.readouterr().out


@pytest.mark.parametrize("existing", FILES)
def test_if_any_file_is_there_nothing_is_written(tmp_path: Path, existing: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / existing).write_bytes(b"mine")
    assert main(["keys", "generate", "--directory", str(tmp_path)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_bytes() == b"mine"
    assert existing in capsys.readouterr().err


def test_without_a_password_there_is_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, ""):
        monkeypatch.delenv("PRATIQUE_KEY_PASSWORD", raising=False)
        if value is not None:
            monkeypatch.setenv("PRATIQUE_KEY_PASSWORD", value)
        assert main(["keys", "generate", "--directory", str(tmp_path)]) == 2
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert main(["keys", "generate", "--directory", str(tmp_path / "file/keys")]) == 2
