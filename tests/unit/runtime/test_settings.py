"""Settings are whole and right, or the process does not start; and they never show their secrets."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pratique.errors import SettingsError
from pratique.runtime.settings import Settings, load_settings, parse_settings

SECRET = "0123456789abcdef0123"
REGISTRY = {"host": "registry.example:5000"}
SOURCE = {"name": "hub", "vendor": "distribution", "secrets": [SECRET]}
BASE = Path("/etc/pratique")


def _parse(environment: dict[str, str] | None = None, **raw: Any) -> Settings:
    return parse_settings(raw, environment or {}, base=BASE)


def _load(folder: Path, content: str, **environment: str) -> Settings:
    path = folder / "pratique.yaml"
    path.write_text(content)
    return load_settings({"PRATIQUE_CONFIG": str(path), **environment})


def test_without_a_file_the_embedded_default_is_whole() -> None:
    settings = load_settings({})
    assert settings.is_embedded
    assert settings.effective_broker_url == settings.database_url == "sqlite+aiosqlite:///pratique.sqlite"
    assert settings.listen_address == ("127.0.0.1", 8080)
    assert not settings.anonymous_read


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert _load(tmp_path, "") == load_settings({})


@pytest.mark.parametrize(
    "raw",
    [
        {"databse_url": "x"},
        {"registries": [REGISTRY | {"insecure": True}]},
        {"sources": [SOURCE | {"secret": "x"}]},
        {"signing": {"keys": "x"}},
        {"scanner": {"concurency": 1}},
        {"channels": [{"name": "a", "url": "https://x.example", "event": []}]},
    ],
)
def test_a_misspelt_setting_is_refused_by_name(raw: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="unknown field"):
        _parse(**raw)


@pytest.mark.parametrize(
    "raw",
    [
        {"listen": "8080"},
        {"listen": ":8080"},
        {"listen": "localhost:http"},
        {"listen": "localhost:65536"},
        {"listen": "localhost:²"},
        {"anonymous_read": "yes"},
        {"registries": [{}]},
        {"registries": [{"host": "https://registry.example"}]},
        {"registries": [{"host": "registry.example/team"}]},
        {"registries": [{"host": "Registry.example"}]},
        {"registries": [{"host": ""}]},
        {"registries": [REGISTRY, REGISTRY]},
        {"registries": [REGISTRY | {"username": "ci"}]},
        {"registries": [REGISTRY | {"password": "x"}]},
        {"registries": [REGISTRY | {"concurrency": 0}]},
        {"registries": [REGISTRY | {"read_timeout": 0}]},
        {"registries": [REGISTRY | {"read_timeout": float("nan")}]},
        {"registries": [REGISTRY | {"connect_timeout": float("inf")}]},
        {"registries": [REGISTRY | {"connect_timeout": -1}]},
        {"sources": [SOURCE, SOURCE]},
        {"sources": [SOURCE | {"vendor": "dokcer"}]},
        {"sources": [SOURCE | {"secrets": []}]},
        {"sources": [SOURCE | {"secrets": ["short"]}]},
        {"sources": [SOURCE | {"secrets": [SECRET, "short"]}]},
        {"sources": [SOURCE | {"secrets": [SECRET] * 3}]},
        {"sources": [SOURCE | {"secrets": SECRET}]},
        {"sources": [SOURCE | {"name": "a/b"}]},
        {"sources": [SOURCE | {"name": ""}]},
        {"sources": [SOURCE | {"host": "elsewhere.example"}]},
        {"sources": [SOURCE | {"vendor": "zot"}]},
        {"sources": [SOURCE | {"vendor": "nexus"}], "registries": [REGISTRY]},
        {"channels": [{"name": "a", "url": "https://x.example"}] * 2},
        {"channels": [{"name": "a", "url": "https://x.example", "events": ["everything"]}]},
        {"signing": {"key": "a.key", "attestation_key": "a.key"}},
        {"scanner": {"concurrency": 0}},
        {"scanner": {"workers": -1}},
        {"scanner": {"decryption_keys": ["a.pem"]}},
        {"scanner": {"decryption_keys": [{"password": "x"}]}},
        {"scanner": {"foreign_layer_hosts": "cdn.example"}},
        {"retry": {"delays": []}},
        {"retry": {"delays": [0]}},
        {"database_url": "postgresql://h/d"},
        {"policy": "~nosuchuser0815/policy.yaml"},
    ],
)
def test_wrong_settings_stop_the_start(raw: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        _parse(**raw)


def test_what_gets_at_encrypted_and_foreign_layers_is_none_unless_it_is_named() -> None:
    assert (_parse().scanner.decryption_keys, _parse().scanner.foreign_layer_hosts) == ((), ())
    keys = [{"key": "layers.pem", "password": "${PASSWORD}"}]
    scanner = _parse({"PASSWORD": "secret"}, scanner={"decryption_keys": keys, "foreign_layer_hosts": ["cdn.example"]}).scanner
    assert [(item.key, item.password) for item in scanner.decryption_keys] == [(BASE / "layers.pem", "secret")]
    assert scanner.foreign_layer_hosts == ("cdn.example",)
    assert "secret" not in repr(scanner.decryption_keys)


@pytest.mark.parametrize("vendor", ["zot", "nexus"])
def test_a_sender_that_names_no_registry_is_told_its_registry(vendor: str) -> None:
    settings = _parse(registries=[REGISTRY], sources=[SOURCE | {"vendor": vendor, "host": REGISTRY["host"]}])
    assert settings.sources[0].host == REGISTRY["host"]


def test_variables_are_taken_from_the_environment_everywhere() -> None:
    settings = _parse(
        {"HOST": "registry.example", "TOKEN": SECRET, "NEXT": SECRET[::-1]},
        registries=[{"host": "${HOST}:5000", "username": "ci", "password": "a-${TOKEN}-b"}],
        sources=[SOURCE | {"secrets": ["${TOKEN}", "${NEXT}"]}],
    )
    assert settings.registries[0].host == "registry.example:5000"
    assert settings.registries[0].password == f"a-{SECRET}-b"
    assert settings.sources[0].secrets == (SECRET, SECRET[::-1])


@pytest.mark.parametrize("environment", [{}, {"TOKEN": ""}])
def test_a_missing_variable_is_an_error_and_no_empty_secret(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="TOKEN"):
        _parse(environment, sources=[SOURCE | {"secrets": ["${TOKEN}"]}])


def test_a_variable_is_not_expanded_twice() -> None:
    settings = _parse({"A": "${B}-0123456789abcdef", "B": "x"}, sources=[SOURCE | {"secrets": ["${A}"]}])
    assert settings.sources[0].secrets == ("${B}-0123456789abcdef",)


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    settings = _load(
        tmp_path,
        "database_url: sqlite+aiosqlite:///file.sqlite\nlisten: 127.0.0.1:1\n",
        PRATIQUE_DATABASE_URL="postgresql://db.example/pratique",
        PRATIQUE_BROKER_URL="amqp://broker.example",
        PRATIQUE_ADVISORIES="/var/lib/advisories.sqlite",
    )
    assert settings.database_url == "postgresql://db.example/pratique"
    assert settings.effective_broker_url == "amqp://broker.example"
    assert not settings.is_embedded
    assert settings.advisories == Path("/var/lib/advisories.sqlite")
    assert settings.listen == "127.0.0.1:1"


def test_relative_paths_are_those_of_the_settings_file(tmp_path: Path) -> None:
    settings = _load(
        tmp_path,
        "policy: policy.yaml\nadvisories: /abs/adv.sqlite\nsigning: {key: keys/a.key, attestation_key: keys/b.key}\n"
        "registries: [{host: registry.example, ca_file: ca.pem}]\n",
    )
    assert settings.policy == tmp_path / "policy.yaml"
    assert settings.advisories == Path("/abs/adv.sqlite")
    assert settings.signing.key == tmp_path / "keys/a.key"
    assert settings.signing.attestation_key == tmp_path / "keys/b.key"
    assert settings.registries[0].ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize("content", ["- a", "text", "a: [", "\x00", "a: !!python/object:os.system {}", "[" * 2000, "1: 2", "? [a]\n: b"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(SettingsError):
        _load(tmp_path, content)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read"):
        load_settings({"PRATIQUE_CONFIG": str(tmp_path / "none.yaml")})
    with pytest.raises(SettingsError, match="cannot read"):
        load_settings({"PRATIQUE_CONFIG": str(tmp_path)})


def test_an_address_in_brackets_is_bound_without_them() -> None:
    assert _parse(listen="[::1]:8080").listen_address == ("::1", 8080)


def test_no_secret_is_in_any_representation_or_message() -> None:
    settings = _parse(
        registries=[REGISTRY | {"username": "ci", "password": SECRET}],
        sources=[SOURCE],
        signing={"key": "a", "attestation_key": "b", "password": SECRET, "attestation_password": SECRET},
        channels=[{"name": "ops", "url": f"https://hooks.example/{SECRET}"}],
        database_url=f"postgresql://u:{SECRET}@h/d",
        broker_url=f"amqp://u:{SECRET}@h",
    )
    buffer = io.StringIO()
    Console(file=buffer, width=500).print(settings)
    for shown in (
        repr(settings),
        str(settings),
        f"{settings.registries}{settings.sources}{settings.signing}{settings.channels}",
        buffer.getvalue(),
    ):
        assert SECRET not in shown
    with pytest.raises(SettingsError) as caught:
        _parse(sources=[SOURCE | {"secrets": [SECRET, 7]}])
    assert SECRET not in str(caught.value)


def test_the_instance_token_is_stable_and_depends_on_the_secrets() -> None:
    one, same, other = (_parse(sources=[SOURCE | {"secrets": [secret]}]).instance_token for secret in (SECRET, SECRET, SECRET[::-1]))
    assert one == same != other
    assert SECRET not in one


def test_the_examples_that_we_ship_are_right() -> None:
    example = Path(__file__).parents[3] / "deploy/pratique.yaml"
    environment = {"PRATIQUE_CONFIG": str(example), "PRATIQUE_WEBHOOK_SECRET": SECRET}
    assert load_settings(environment).sources


@given(
    st.dictionaries(
        st.sampled_from([*Settings.__struct_fields__, "other"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=2),
            max_leaves=4,
        ),
        max_size=3,
    )
)
def test_whatever_yaml_holds_is_settings_or_a_settings_error(raw: dict[str, Any]) -> None:
    with contextlib.suppress(SettingsError):
        assert isinstance(parse_settings(yaml.safe_load(yaml.safe_dump(raw)), {}, base=BASE), Settings)
