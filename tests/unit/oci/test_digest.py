"""Digests are values of two algorithms in one spelling."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InvalidDigest
from pratique.oci.digest import Digest


@given(st.binary(max_size=64))
def test_a_digest_is_what_its_text_says_and_matches_its_content_only(content: bytes) -> None:
    for digest in (Digest.of(content), Digest("sha512", hashlib.sha512(content).hexdigest())):
        assert Digest.parse(str(digest)) == digest
        assert digest.matches(content)
        assert not digest.matches(content + b".")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "sha256",
        "sha256:",
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "A" * 64,
        "sha256:" + "g" * 64,
        "sha256:" + "a" * 63 + "\n",
        "sha256:" + "a" * 64 + "\n",
        "sha256:" + "٣" * 64,
        "sha512:" + "a" * 64,
        "sha384:" + "a" * 96,
        "SHA256:" + "a" * 64,
        " sha256:" + "a" * 64,
        "sha256:" + "../" * 21 + "a",
    ],
)
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(InvalidDigest):
        Digest.parse(text)


def test_the_message_does_not_repeat_a_megabyte() -> None:
    with pytest.raises(InvalidDigest) as caught:
        Digest.parse("sha256:" + "a" * 1_000_000)
    assert len(str(caught.value)) < 400


def test_the_tag_prefix_is_cosigns() -> None:
    assert Digest("sha256", "ab" * 32).tag_prefix == "sha256-" + "ab" * 32
