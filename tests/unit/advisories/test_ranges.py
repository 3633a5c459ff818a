"""Affected ranges, against a plain reading of the schema's algorithm."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.advisories.osv import parse_advisory
from pratique.advisories.ranges import AffectedVersions, Interval, VersionSet, evaluate_affected
from pratique.advisories.versions import sort_key
from pratique.errors import InvalidAdvisory
from tests.support.osv_mirror import make_affected, make_record, naive_fix, naive_is_affected


def _evaluate(*entries: dict[str, Any]) -> tuple[VersionSet, tuple[Interval, ...]]:
    advisory = parse_advisory(json.dumps(make_record("GHSA-1", *entries)).encode())
    assert advisory is not None
    versions, doubtful = evaluate_affected(advisory.affected)
    assert AffectedVersions.decode(versions.encode()) == versions
    return VersionSet(entries[0]["package"]["ecosystem"], versions), doubtful


def _holds(versions: VersionSet, version: str, ecosystem: str = "npm") -> bool:
    return versions.holds(sort_key(ecosystem, version))


def test_a_fixed_version_is_not_affected_and_a_last_affected_one_is() -> None:
    fixed, _ = _evaluate(make_affected("npm", "a", {"introduced": "1.0.0"}, {"fixed": "1.2.0"}))
    last, _ = _evaluate(make_affected("npm", "a", {"introduced": "0"}, {"last_affected": "1.2.0"}))
    assert [_holds(fixed, version) for version in ("0.9.0", "1.0.0-rc.1", "1.0.0", "1.1.9", "1.2.0-rc.1", "1.2.0")] == [0, 0, 1, 1, 1, 0]
    assert [_holds(last, version) for version in ("0.0.0-0", "1.2.0", "1.2.1-0")] == [1, 1, 0]


def test_zero_is_before_every_version_even_those_below_zero() -> None:
    versions, _ = _evaluate(make_affected("Debian:11", "a", {"introduced": "0"}, {"fixed": "1.0"}))
    assert _holds(versions, "0~~1", "Debian:11")


def test_events_count_in_the_order_of_versions_not_of_the_record() -> None:
    versions, _ = _evaluate(make_affected("npm", "a", {"fixed": "2.0.5"}, {"introduced": "2.0.0"}, {"fixed": "1.0.5"}, {"introduced": "0"}))
    assert [_holds(versions, version) for version in ("1.0.0", "1.0.5", "2.0.0", "2.0.5")] == [1, 0, 1, 0]


def test_a_limit_ends_a_range_without_being_a_fix() -> None:
    versions, _ = _evaluate(make_affected("npm", "a", {"introduced": "1.0.0"}, {"limit": "2.0.0"}))
    star, _ = _evaluate(make_affected("npm", "a", {"introduced": "1.0.0"}, {"limit": "*"}))
    assert [_holds(versions, version) for version in ("1.5.0", "2.0.0")] == [1, 0]
    assert versions.fix_above(sort_key("npm", "1.5.0")) is None
    assert _holds(star, "9.0.0")


def test_the_fix_is_the_lowest_one_above_that_is_not_affected_itself() -> None:
    branches, _ = _evaluate(make_affected("npm", "a", {"introduced": "0"}, {"fixed": "1.0.5"}, {"introduced": "2.0.0"}, {"fixed": "2.0.5"}))
    adjacent, _ = _evaluate(
        make_affected("npm", "a", {"introduced": "0"}, {"fixed": "1.0.5"}),
        make_affected("npm", "a", {"introduced": "1.0.5"}, {"fixed": "1.0.9"}),
    )
    assert branches.fix_above(sort_key("npm", "1.0.0")) == "1.0.5"
    assert branches.fix_above(sort_key("npm", "2.0.1")) == "2.0.5"
    assert adjacent.fix_above(sort_key("npm", "1.0.0")) == "1.0.9"


def test_listed_versions_are_affected_beside_the_ranges() -> None:
    versions, _ = _evaluate(make_affected("PyPI", "a", {"introduced": "2.0"}, {"fixed": "2.2"}, versions=("1.0", "2.1", "2004d")))
    assert [_holds(versions, version, "PyPI") for version in ("1.0.0", "1.1", "2.1", "2.2")] == [1, 0, 1, 0]
    assert versions.names("2004d")
    assert not versions.names("2004e")


def test_a_range_with_an_unreadable_bound_is_left_out_and_told() -> None:
    versions, doubtful = _evaluate(
        make_affected("npm", "a", {"introduced": "1.0.0-*"}, {"fixed": "1.1.0"}), make_affected("npm", "a", {"introduced": "2.0.0"})
    )
    assert doubtful == (Interval(low=None, high="1.1.0"),)
    assert [_holds(versions, version) for version in ("1.0.5", "2.0.0")] == [0, 1]


@pytest.mark.parametrize(
    ("events", "hull"),
    [
        ([{"introduced": "0"}, {"fixed": "?"}], Interval(low=None, high=None)),
        ([{"introduced": "1.0.0"}, {"fixed": "?"}], Interval(low="1.0.0", high=None)),
        ([{"introduced": "?"}, {"last_affected": "1.1.0"}], Interval(low=None, high="1.1.0", closed=True)),
        ([{"introduced": "?"}], Interval(low=None, high=None)),
        ([{"introduced": "2.0.0"}, {"fixed": "2.1.0"}, {"introduced": "?"}, {"fixed": "10.0.0"}], Interval(low=None, high="10.0.0")),
        ([{"introduced": "10.0.0"}, {"fixed": "?"}, {"introduced": "2.0.0"}, {"fixed": "2.1.0"}], Interval(low="2.0.0", high=None)),
        ([{"introduced": "2.0.0"}, {"fixed": "2.1.0"}, {"limit": "?"}], Interval(low="2.0.0", high="2.1.0")),
        ([{"fixed": "?"}], Interval(low=None, high=None)),
    ],
)
def test_a_range_that_cannot_be_read_may_hold_what_lies_between_its_readable_bounds(events: list[dict[str, str]], hull: Interval) -> None:
    versions, doubtful = _evaluate(make_affected("npm", "a", *events))
    assert doubtful == (hull,)
    assert not versions.holds(sort_key("npm", "2.0.0"))


def test_an_empty_range_affects_nothing() -> None:
    for events in ([{"introduced": "0"}, {"fixed": "0"}], [{"introduced": "2.0.0"}, {"fixed": "2.0.0"}], [{"fixed": "1.0.0"}]):
        versions, _ = _evaluate(make_affected("npm", "a", *events))
        assert not any(_holds(versions, version) for version in ("0.0.0-0", "1.0.0", "2.0.0", "3.0.0"))


def test_stored_ranges_that_are_damaged_are_refused() -> None:
    with pytest.raises(InvalidAdvisory):
        AffectedVersions.decode(b"\x93\x01\x02\x03")


_VERSION = st.builds("{}.{}.{}{}".format, st.integers(0, 2), st.integers(0, 2), st.integers(0, 1), st.sampled_from(["", "", "-rc.1"]))
_EVENTS = st.sampled_from(["fixed", "last_affected"]).flatmap(
    lambda end: st.lists(
        st.tuples(st.sampled_from(["introduced", end]), _VERSION | st.just("0")), min_size=1, max_size=5, unique_by=lambda event: event[1]
    )
)
_LIMITS = st.lists(_VERSION | st.just("*"), max_size=2)


def _entry(events: list[tuple[str, str]], limits: list[str], versions: list[str]) -> dict[str, Any]:
    points = [{kind: version} for kind, version in events] + [{"limit": version} for version in limits]
    return make_affected("npm", "a", *points, versions=tuple(versions), kind="SEMVER")


@given(
    entries=st.lists(st.builds(_entry, _EVENTS, _LIMITS, st.lists(_VERSION, max_size=2)), min_size=1, max_size=3),
    asked=st.lists(_VERSION, min_size=1, max_size=8),
)
def test_intervals_say_what_the_schemas_algorithm_says(entries: list[dict[str, Any]], asked: list[str]) -> None:
    versions, _ = _evaluate(*entries)
    for version in asked:
        affected = any(naive_is_affected(entry, version) for entry in entries)
        assert _holds(versions, version) == affected
        if affected:
            found, expected = versions.fix_above(sort_key("npm", version)), naive_fix(entries, version)
            assert (found and sort_key("npm", found)) == (expected and sort_key("npm", expected))
