"""Walking an object member by member."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.advisories.sources._json_members import DEPTH, read_members
from pratique.errors import InvalidAdvisory

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4), max_leaves=8
)
_KEYS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.é {}[],:", max_size=20)


def _members(content: bytes) -> dict[str, bytes]:
    return {member.key: content[member.start : member.end] for member in read_members(content, 0, len(content))}


@given(st.dictionaries(_KEYS, _VALUES, max_size=6), st.sampled_from([None, 1]), st.booleans())
def test_it_finds_what_a_decoder_finds(value: dict[str, Any], indent: int | None, is_ascii: bool) -> None:
    content = json.dumps(value, indent=indent, ensure_ascii=is_ascii).encode()
    if _is_flat(value):
        assert {key: json.loads(part) for key, part in _members(content).items()} == value


def _is_flat(value: object, depth: int = DEPTH + 2) -> bool:
    if not isinstance(value, dict | list):
        return True
    return depth > 0 and all(_is_flat(part, depth - 1) for part in (value.values() if isinstance(value, dict) else value))


def test_values_may_be_as_deep_as_the_limit_and_no_deeper() -> None:
    deepest = b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1)
    assert _members(b'{"a":' + deepest + b"}") == {"a": deepest}
    with pytest.raises(InvalidAdvisory, match=f"up to {DEPTH} levels"):
        _members(b'{"a":[' + deepest + b"]}")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"a"}', b'{"a":}', b'{"a":1', b'{"a":1,}', b'{"a":1}}', b"{a:1}", b'{"a":"', b'{"a":1 2}']
)
def test_what_is_no_object_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidAdvisory):
        _members(content)


def test_a_key_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert list(_members(b'{"%b": 1}' % (b"k" * 128))) == ["k" * 128]
    with pytest.raises(InvalidAdvisory):
        _members(b'{"%b": 1}' % (b"k" * 5000))


def test_brackets_and_quotes_in_texts_are_no_structure() -> None:
    content = rb'{"a": "}\"{", "b": {"c": "]\\"}}'
    assert _members(content) == {"a": rb'"}\"{"', "b": rb'{"c": "]\\"}'}


def test_members_take_no_memory_but_their_own() -> None:
    content = b"{" + b",".join(b'"%d": {"a": [%s]}' % (number, b"1," * 2000 + b"1") for number in range(500)) + b"}"
    tracemalloc.start()
    count = sum(1 for _ in read_members(content, 0, len(content)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 500
    assert peak < 100_000


@given(st.binary(max_size=60) | st.text('{}[]":,a\\ ', max_size=40).map(str.encode))
def test_any_bytes_are_walked_or_refused(content: bytes) -> None:
    try:
        for member in read_members(content, 0, len(content)):
            assert 0 < member.start < member.end <= len(content)
    except InvalidAdvisory:
        pass
