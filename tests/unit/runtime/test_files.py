"""The files that settings name: policy, keys and the advisory database."""

from __future__ import annotations

from pathlib import Path

import pytest

from pratique.advisories.compiler import compile_database
from pratique.errors import InvalidAdvisory, PratiqueError, SettingsError
from pratique.runtime.advisory_file import AdvisoryFile
from pratique.runtime.key_files import load_keys
from pratique.runtime.policy_file import load_policy
from pratique.runtime.settings import Settings, SigningSettings
from pratique.signing.keys import SigningKey
from tests.support.osv_mirror import make_affected, make_record, write_mirror

POLICY = Path(__file__).parents[3] / "deploy/policy.example.yaml"


def test_the_example_policy_is_read() -> None:
    assert load_policy(Settings(policy=POLICY)).policies


@pytest.mark.parametrize("content", [None, b"", b"rules: [", b"\xff", b"policies: {}"])
def test_without_a_right_policy_nothing_starts(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "policy.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError):
        load_policy(Settings(policy=path))


def test_without_a_policy_in_the_settings_nothing_starts() -> None:
    with pytest.raises(SettingsError, match="no policy is configured"):
        load_policy(Settings())


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("a", "b"):
        SigningKey.generate().save_private(folder / f"{name}.key", b"password")
    return folder / "a.key", folder / "b.key"


def test_both_keys_are_loaded_or_none_is_wanted(keys: tuple[Path, Path]) -> None:
    found = load_keys(SigningSettings(key=keys[0], password="password", attestation_key=keys[1], attestation_password="password"))
    assert found is not None
    assert found.admission.key.hint != found.attestation.key.hint
    assert load_keys(SigningSettings()) is None


def test_one_key_alone_a_wrong_password_or_one_key_twice_stop_the_start(keys: tuple[Path, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.key"
    copy.write_bytes(keys[0].read_bytes())
    for wrong in (
        SigningSettings(key=keys[0], password="password"),
        SigningSettings(attestation_key=keys[1], attestation_password="password"),
        SigningSettings(key=keys[0], password="wrong", attestation_key=keys[1], attestation_password="password"),
        SigningSettings(key=keys[0], password="", attestation_key=keys[1], attestation_password="password"),
        SigningSettings(key=tmp_path / "none.key", attestation_key=keys[1]),
        SigningSettings(key=keys[0], password="password", attestation_key=copy, attestation_password="password"),
    ):
        with pytest.raises(SettingsError):
            load_keys(wrong)


def _compile(folder: Path, name: str, identifier: str) -> Path:
    record = make_record(identifier, make_affected("PyPI", "requests", {"introduced": "0"}, {"fixed": "2.31.0"}))
    mirror = write_mirror(folder / f"mirror-{name}", PyPI=[record])
    compile_database(mirror, folder / name)
    return folder / name


def test_a_database_swapped_under_a_running_process_is_the_next_one_used(tmp_path: Path) -> None:
    current = _compile(tmp_path, "advisories.sqlite", "PYSEC-1")
    file = AdvisoryFile(current)
    first = file.current()
    assert file.current() is first

    _compile(tmp_path, "new.sqlite", "PYSEC-2").replace(current)

    assert file.current() is not first
    assert file.current().digest != first.digest


def test_a_database_that_is_missing_or_broken_is_not_replaced_by_the_last_good_one(tmp_path: Path) -> None:
    path = tmp_path / "advisories.sqlite"
    file = AdvisoryFile(path)
    with pytest.raises(PratiqueError):
        file.current()
    file = AdvisoryFile(_compile(tmp_path, "advisories.sqlite", "PYSEC-1"))
    file.current()
    path.write_bytes(b"no database")
    for _ in range(2):
        with pytest.raises(InvalidAdvisory):
            file.current()
