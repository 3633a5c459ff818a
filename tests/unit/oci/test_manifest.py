"""Manifests, indexes and configs: the specifications' examples, and documents that try to be two things or too much."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pratique.errors import InputError, InvalidManifest, LimitExceeded
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import (
    MAX_CHILDREN,
    MAX_CONFIG_BYTES,
    MAX_LAYERS,
    MAX_MANIFEST_BYTES,
    Index,
    Manifest,
    Platform,
    pair_layers,
    parse_config,
    parse_document,
)

D = "sha256:" + "5b" * 32
EMPTY = {"mediaType": media_types.OCI_EMPTY, "digest": D, "size": 2}


def _descriptor(media_type: str = media_types.OCI_LAYER_GZIP, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": D, "size": 1} | more


def _manifest(**more: Any) -> dict[str, Any]:
    base = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": _descriptor(media_types.OCI_CONFIG),
        "layers": [_descriptor()],
    }
    return {name: value for name, value in (base | more).items() if value is not ...}


def _index(**more: Any) -> dict[str, Any]:
    base = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [_descriptor(media_types.OCI_MANIFEST)]}
    return {name: value for name, value in (base | more).items() if value is not ...}


def _parse(document: Any, media_type: str | None = None) -> Manifest | Index:
    return parse_document(json.dumps(document).encode(), media_type)


def _parse_manifest(document: Any, media_type: str | None = None) -> Manifest:
    found = _parse(document, media_type)
    assert isinstance(found, Manifest)
    return found


# What is read


def test_an_oci_1_0_manifest_without_a_media_type_is_read() -> None:
    # umoci writes such ones
    content = json.dumps(_manifest(mediaType=..., annotations={"com.example.key1": "value1"})).encode()
    found = parse_document(content, media_types.OCI_MANIFEST)
    assert isinstance(found, Manifest)
    assert found.is_image
    assert found.descriptor.digest == Digest.of(content)
    assert found.descriptor.size == len(content)
    assert found.raw == content
    assert found.annotations == {"com.example.key1": "value1"}
    assert found.layers[0].media_type == media_types.OCI_LAYER_GZIP


def test_a_docker_schema_2_manifest_is_read() -> None:
    document = _manifest(
        mediaType=media_types.DOCKER_MANIFEST,
        config=_descriptor(media_types.DOCKER_CONFIG),
        layers=[_descriptor(media_types.DOCKER_LAYER_GZIP, size=32654)],
    )
    found = _parse_manifest(document, f"{media_types.DOCKER_MANIFEST}; charset=utf-8")
    assert found.is_image
    assert found.descriptor.media_type == media_types.DOCKER_MANIFEST


def test_a_docker_manifest_list_is_read() -> None:
    children = [
        _descriptor(media_types.DOCKER_MANIFEST, platform={"architecture": "arm64", "os": "linux", "variant": "v8"}),
        _descriptor(media_types.DOCKER_MANIFEST, platform={"architecture": "unknown", "os": "unknown"}),
    ]
    found = _parse(_index(mediaType=media_types.DOCKER_LIST, manifests=children), media_types.DOCKER_LIST)
    assert isinstance(found, Index)
    platforms = [child.platform for child in found.manifests]
    assert platforms[0] == Platform(os="linux", architecture="arm64", variant="v8")
    assert str(platforms[0]) == "linux/arm64/v8"
    assert platforms[1] is not None
    assert platforms[1].is_unknown


def test_an_oci_1_1_artifact_with_a_subject_is_no_image() -> None:
    document = _manifest(
        config=EMPTY, layers=[EMPTY], artifactType="application/vnd.example+type", subject=_descriptor(media_types.OCI_MANIFEST)
    )
    found = _parse_manifest(document)
    assert not found.is_image
    assert found.subject is not None
    assert found.artifact_type == found.descriptor.artifact_type == "application/vnd.example+type"


@pytest.mark.parametrize("statement", sorted(media_types.STATEMENTS))
def test_a_statement_about_an_image_is_no_image_though_it_has_an_images_config(statement: str) -> None:
    assert not _parse_manifest(_manifest(layers=[_descriptor(statement)])).is_image


@pytest.mark.parametrize(
    "disguise",
    [
        {"artifactType": "application/vnd.example.chart"},
        {"layers": [_descriptor("application/octet-stream")]},
        {"layers": [_descriptor(""), _descriptor()]},
        {"layers": [_descriptor(media_types.IN_TOTO), _descriptor()]},
        {"layers": []},
    ],
)
def test_an_image_that_calls_itself_something_else_is_still_an_image(disguise: dict[str, Any]) -> None:
    # runtimes go by the config's type and would run it
    assert _parse_manifest(_manifest(**disguise)).is_image


@pytest.mark.parametrize("config", ["application/octet-stream", "application/json", "text/html", ""])
def test_what_docker_runs_for_old_times_sake_is_an_image(config: str) -> None:
    assert _parse_manifest(_manifest(config=_descriptor(config))).is_image
    assert _parse_manifest(_manifest(config=_descriptor(config), artifactType="application/vnd.example.chart")).is_image


def test_a_helm_chart_is_no_image() -> None:
    assert not _parse_manifest(_manifest(config=_descriptor("application/vnd.cncf.helm.config.v1+json"))).is_image


def test_json_a_hundred_deep_is_read_where_nobody_looks() -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    assert _parse_manifest(_manifest(extra=deep)).is_image


# What is refused


@pytest.mark.parametrize("media_type", [None, media_types.OCI_MANIFEST, media_types.OCI_INDEX])
@pytest.mark.parametrize("declared", [..., media_types.OCI_MANIFEST, media_types.OCI_INDEX])
def test_a_document_that_reads_as_both_is_refused(media_type: str | None, declared: Any) -> None:
    with pytest.raises(InvalidManifest):
        _parse(_manifest(mediaType=declared) | {"manifests": []}, media_type)
    with pytest.raises(InvalidManifest):
        _parse(_index(mediaType=declared) | {"layers": []}, media_type)
    with pytest.raises(InvalidManifest):
        _parse(_index(mediaType=declared) | {"config": _descriptor()}, media_type)


def test_a_manifest_served_as_an_index_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="ambiguous"):
        _parse(_manifest(mediaType=...), media_types.OCI_INDEX)
    with pytest.raises(InvalidManifest, match="says it is"):
        _parse(_manifest(), media_types.OCI_INDEX)
    with pytest.raises(InvalidManifest):
        _parse(_index(mediaType=...), media_types.OCI_MANIFEST)


@pytest.mark.parametrize(
    "document",
    [
        _manifest(layers=...),
        _manifest(config=...),
        _manifest(config=None),
        _manifest(config="x"),
        _manifest(layers={}),
        _manifest(layers=[1]),
        _manifest(layers=[_descriptor(size=-1)]),
        _manifest(layers=[_descriptor(size=1.0)]),
        _manifest(layers=[_descriptor(size=True)]),
        _manifest(layers=[_descriptor(size="1")]),
        _manifest(layers=[_descriptor(size=None)]),
        _manifest(layers=[_descriptor(digest="sha256:abc")]),
        _manifest(layers=[_descriptor(digest="../../etc/passwd")]),
        _manifest(layers=[_descriptor(digest=None)]),
        _manifest(layers=[_descriptor(annotations={"a": 1})]),
        _manifest(layers=[_descriptor(mediaType=7)]),
        _manifest(layers=[_descriptor(urls="x")]),
        _manifest(annotations=[]),
        _manifest(annotations={"a": None}),
        _manifest(subject="x"),
        _manifest(schemaVersion=1),
        _manifest(schemaVersion="2"),
        _manifest(mediaType="application/vnd.docker.distribution.manifest.v1+prettyjws"),
        _manifest(mediaType=3),
        _index(manifests=...),
        _index(manifests=[{"platform": {}}]),
        _index(manifests=[_descriptor(platform={"os": 3})]),
        {"schemaVersion": 1, "name": "app", "fsLayers": [], "history": []},
        {},
        [],
        "x",
        None,
    ],
)
def test_a_document_that_breaks_its_specification_is_refused(document: Any) -> None:
    with pytest.raises(InvalidManifest):
        _parse(document)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"a": "\xff"}', b'"\xed\xa0\x80"', b"[" * 200_000, b"NaN", b'{"size": 1e999}'])
def test_what_is_not_json_is_refused(content: bytes) -> None:
    for parse in (parse_document, parse_config):
        with pytest.raises(InvalidManifest):
            parse(content)


@pytest.mark.parametrize(
    "document",
    [
        _manifest(layers=[_descriptor()] * (MAX_LAYERS + 1)),
        _index(manifests=[_descriptor()] * (MAX_CHILDREN + 1)),
        _manifest(layers=[_descriptor(size=2**63)]),
        _manifest(layers=[_descriptor(size=10**300)]),
        _manifest(layers=[_descriptor(urls=["x"] * 5000)]),
    ],
)
def test_what_is_too_much_is_a_limit_exceeded(document: Any) -> None:
    with pytest.raises(LimitExceeded):
        _parse(document)


def test_a_document_larger_than_the_limit_is_not_even_decoded() -> None:
    with pytest.raises(LimitExceeded):
        parse_document(b"[" * (MAX_MANIFEST_BYTES + 1))
    with pytest.raises(LimitExceeded):
        parse_config(b"[" * (MAX_CONFIG_BYTES + 1))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([D, media_types.OCI_INDEX]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["size", "digest", "mediaType", "os", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "annotations", "artifactType"]),
    value=_VALUES,
    base=st.sampled_from([_manifest(), _index()]),
)
def test_any_value_anywhere_raises_nothing_but_an_input_error(name: str, value: Any, base: dict[str, Any]) -> None:
    with contextlib.suppress(InputError):
        _parse(base | {name: value})


# Configs

CONFIG = {
    "created": "2015-10-31T22:22:56.015925234Z",
    "architecture": "amd64",
    "os": "linux",
    "config": {
        "User": "alice",
        "ExposedPorts": {"8080/tcp": {}},
        "Env": ["PATH=/usr/bin", "FOO=oci_is_a"],
        "Entrypoint": ["/bin/my-app-binary"],
        "Cmd": ["--foreground"],
        "Volumes": {"/var/log": {}},
        "WorkingDir": "/home/alice",
        "Labels": {"com.example.project.git.url": "https://example.com/project.git"},
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1},
    },
    "rootfs": {"diff_ids": [D, D], "type": "layers"},
    "history": [{"created_by": "ADD file"}, {"created_by": "CMD sh", "empty_layer": True}],
}


def test_the_example_config_of_the_specification_is_read() -> None:
    config = parse_config(json.dumps(CONFIG).encode())
    assert str(config.platform) == "linux/amd64"
    assert config.user == "alice"
    assert config.env == ("PATH=/usr/bin", "FOO=oci_is_a")
    assert config.exposed_ports == ("8080/tcp",)
    assert config.healthcheck == ("CMD", "true")
    assert [entry.empty for entry in config.history] == [False, True]
    assert len(config.diff_ids) == 2


def test_an_empty_config_says_nothing_and_lies_about_nothing() -> None:
    config = parse_config(b"{}")
    assert config.platform.is_unknown
    assert config.user == ""
    assert config.healthcheck is None


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from([*CONFIG, *CONFIG["config"]]), value=_VALUES)  # type: ignore[misc]
def test_any_value_in_a_config_raises_nothing_but_an_input_error(name: str, value: Any) -> None:
    document = CONFIG | {name: value, "config": CONFIG["config"] | {name: value}}  # type: ignore[operator]
    for one in (document, CONFIG | {name: value}):
        with contextlib.suppress(InputError):
            parse_config(json.dumps(one).encode())


def test_layers_are_paired_with_their_diff_ids_or_refused() -> None:
    config = parse_config(json.dumps(CONFIG).encode())
    layers = pair_layers(_parse_manifest(_manifest(layers=[_descriptor(), _descriptor()])), config)
    assert [layer.position for layer in layers] == [0, 1]
    with pytest.raises(InvalidManifest, match="1 layers, its config 2"):
        pair_layers(_parse_manifest(_manifest()), config)
