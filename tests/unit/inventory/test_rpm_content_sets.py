"""Red Hat's content manifests."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import InputError, InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._rpm_content_sets import ContentSets, parse_content_manifest


def manifest(*names: object, **more: object) -> bytes:
    return json.dumps(
        {"metadata": {"icm_version": 1, "image_layer_index": 1}, "content_sets": names, "image_contents": [], **more}
    ).encode()


def test_a_manifest_names_repositories_and_its_layer() -> None:
    found = parse_content_manifest(manifest("rhel-8-for-x86_64-baseos-rpms", "rhel-8-for-x86_64-appstream-rpms"))

    assert found == ContentSets(names=("rhel-8-for-x86_64-baseos-rpms", "rhel-8-for-x86_64-appstream-rpms"), layer_index=1)


def test_only_the_suffix_of_a_minor_release_makes_another_repository() -> None:
    names = ("rhel-8-for-x86_64-baseos-rpms__8", "rhel-8-for-x86_64-baseos-rpms", "rhel-9-for-x86_64-baseos-eus-rpms__9_DOT_2")

    assert parse_content_manifest(manifest(*names)).repositories == (
        "rhel-8-for-x86_64-baseos-rpms",
        "rhel-9-for-x86_64-baseos-eus-rpms__9_DOT_2",
    )


@pytest.mark.parametrize(
    "content", [b"{}", b'{"image_contents": {"dependencies": []}}', b'{"content_sets": null}', b'{"metadata": null, "content_sets": []}']
)
def test_a_manifest_without_content_sets_is_valid(content: bytes) -> None:
    assert parse_content_manifest(content) == ContentSets(names=())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"content_sets": {}}',
        manifest(1),
        manifest("a b"),
        manifest(""),
        b'{"x": ' + b"[" * 100_000,
        b'{"content_sets": ["\xff"]}',
    ],
)
def test_another_file_is_an_error(content: bytes) -> None:
    with pytest.raises(InvalidRecord, match=r"expected a content|no content set"):
        parse_content_manifest(content)


def test_there_are_limits() -> None:
    with pytest.raises(LimitExceeded, match="more than 10000 content sets"):
        parse_content_manifest(manifest(*["a"] * 10_001))


@settings(deadline=None)
@given(
    content=st.binary(max_size=300)
    | st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["content_sets", "metadata", "x"]), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_arbitrary_bytes_are_content_sets_or_an_input_error(content: bytes) -> None:
    with contextlib.suppress(InputError):
        assert isinstance(parse_content_manifest(content), ContentSets)
