"""Which feeds fail, why, and since when, is told by what is recorded of them."""

from __future__ import annotations

from pratique.feeds.health import FeedFailure, failures_of
from pratique.feeds.state import FeedState, FileState

FILES = {"kev.json": FileState(bytes=10, records=1)}


def after(state: FeedState, *errors: str) -> FeedState:
    return state.after(FILES, errors=errors, skipped=0, is_changed=False)


def test_a_feed_that_is_fine_is_no_failure() -> None:
    assert failures_of({"kev": after(FeedState()), "epss": FeedState()}) == ()


def test_a_failure_says_why_and_since_when_in_the_order_of_names() -> None:
    kev = after(FeedState(last_success="2026-01-01T00:00:00Z", last_attempt="2026-01-01T00:00:00Z"), "503", "cut")
    epss = FeedState(error="no answer", last_attempt="2026-01-02T00:00:00Z")  # as recorded before `failing_since` was
    assert failures_of({"kev": kev, "epss": epss, "osv": FeedState()}) == (
        FeedFailure(name="epss", reason="no answer", since="2026-01-02T00:00:00Z"),
        FeedFailure(name="kev", reason="503; cut", since=kev.last_attempt, last_success="2026-01-01T00:00:00Z"),
    )


def test_since_when_stays_while_a_feed_fails_and_goes_when_it_works() -> None:
    first = FeedState(error="503", failing_since="2026-01-01T00:00:00Z", consecutive_failures=1)
    second = after(first, "404")
    assert (second.error, second.failing_since, second.consecutive_failures) == ("404", "2026-01-01T00:00:00Z", 2)
    assert after(second).failing_since == ""
