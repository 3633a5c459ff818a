from __future__ import annotations

import datetime as dt

import pytest

from pratique.registry.answers import parse_retry_after

NOW = dt.datetime(2026, 11, 23, 6, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        ("0", 0.0),
        ("9" * 5000, 86400.0),
        ("Mon, 23 Nov 2026 06:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 05:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2099 05:00:00 GMT", 86400.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_a_wait_is_read_and_bounded(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds
