"""Messages survive the wire; anything else on it is refused as such."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InvalidMessage
from pratique.messages import (
    QUEUES,
    DecisionTaken,
    ImagePushed,
    InventoryRecorded,
    Message,
    ReleaseRequested,
    encode_message,
    parse_message,
)

MESSAGES: list[Message] = [
    ImagePushed(scan_id="s", correlation_id="c"),
    ImagePushed(scan_id="s", correlation_id="c", priority="rescan"),
    InventoryRecorded(scan_id="s", correlation_id="c"),
    DecisionTaken(decision_id="d", correlation_id="c"),
    ReleaseRequested(decision_id="d", correlation_id="c", requested_by="ann"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_survives_the_wire_and_has_a_queue(message: Message) -> None:
    assert parse_message(encode_message(message)) == message
    assert message.queue in QUEUES


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"type":"image.pushed","scan_id":"\xff","correlation_id":"c"}',
        b"[" * 100_000,
        b'{"type":"image.pushed"}',
        b'{"type":"image.pulled","scan_id":"s","correlation_id":"c"}',
        b'{"type":"image.pushed","scan_id":1,"correlation_id":"c"}',
        b'{"type":"image.pushed","scan_id":"s","correlation_id":"c","priority":"urgent"}',
    ],
)
def test_what_is_no_message_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidMessage):
        parse_message(content)


@given(st.binary(max_size=100))
def test_random_bytes_raise_nothing_but_invalid_message(content: bytes) -> None:
    with pytest.raises(InvalidMessage):
        parse_message(content)


def test_a_scan_of_an_unknown_class_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="urgent"):
        ImagePushed(scan_id="s", correlation_id="c", priority="urgent")
