"""Policy documents as hostile or careless text."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import InputError, InvalidPolicy, LimitExceeded
from pratique.policy.document import MAX_BYTES, load_values
from pratique.policy.parse import parse_policy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: &x [1]\nb: *x", "alias"),
        (b"a: 1\nb: 2\na: 3", "'a' again in line 3"),
        (b"a: {<<: {b: 1}}", "merge key"),
        (b"? [a]\n: b", "word as a key"),
        (b"a: !!bool maybe", "no tag"),
        (b"!!python/object/apply:os.system [id]", "no tag"),
        (b"--- 1\n--- 2", "YAML"),
        (b"\xff\xfe", "YAML"),
        (b"a: 2026-13-40", "YAML"),
        (b"a: [", "YAML"),
        (b"a: \x07", "YAML"),
    ],
)
def test_a_document_that_could_surprise_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(InvalidPolicy, match=message):
        load_values(text)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 5000,
        b"{a: " * 5000,
        b"- " * 5000 + b"a",
        b"a: " + b"1:" * 3000 + b"1",
        b"[" + b"a," * 60_000 + b"]",
        b"#" * (MAX_BYTES + 1),
    ],
    ids=["flow", "mapping", "block", "base-60", "wide", "large"],
)
def test_a_document_beyond_a_limit_is_refused(text: bytes) -> None:
    with pytest.raises(LimitExceeded):
        load_values(text)


def test_plain_values_come_out_as_they_are() -> None:
    assert load_values(b"a: [1, yes, 7d]\nb: 2026-12-31") == {"a": [1, True, "7d"], "b": dt.date(2026, 12, 31)}


@settings(deadline=None)  # the machine may be busy
@given(st.one_of(st.binary(max_size=200), st.text("{}[]:-,\n !&*'\"?|>%@`a1~<=.", max_size=60).map(str.encode)))
def test_no_text_raises_anything_but_an_input_error(content: bytes) -> None:
    with pytest.raises(InputError):
        parse_policy(content)
