"""Whom an advisory is about, and what it says to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.advisories.advisory import Affected, Event, EventKind, FixState
from pratique.advisories.statements import (
    CLEARED,
    Affection,
    Statement,
    StatementSet,
    decode_statements,
    encode_statements,
    evaluate_statements,
)
from pratique.advisories.versions import sort_key
from pratique.errors import InvalidAdvisory
from pratique.inventory.package import Package

ECOSYSTEM = "AlmaLinux:9"


def fixed(version: str, **conditions: object) -> Affected:
    events = (Event(kind=EventKind.INTRODUCED, version="0"), Event(kind=EventKind.FIXED, version=version))
    return Affected(ecosystem=ECOSYSTEM, name="nodejs", ranges=(events,), **conditions)  # type: ignore[arg-type] # of tests


def open_ended(**conditions: object) -> Affected:
    return Affected(ecosystem=ECOSYSTEM, name="nodejs", ranges=((Event(kind=EventKind.INTRODUCED, version="0"),),), **conditions)  # type: ignore[arg-type]


def package(architecture: str = "x86_64", module: str = "") -> Package:
    qualifiers = {"rpmmod": module} if module else {}
    return Package(type="rpm", name="nodejs", version="1:18.9-1", architecture=architecture, qualifiers=qualifiers, ecosystem=ECOSYSTEM)


def ask(entries: list[Affected], one: Package, version: str = "1:18.9-1") -> Affection | None:
    statements, unreadable = evaluate_statements(entries)
    assert unreadable == 0
    assert tuple(decode_statements(encode_statements(statements))) == statements
    return StatementSet.of(ECOSYSTEM, statements).holding(one, sort_key(ECOSYSTEM, version))


def test_a_statement_about_other_architectures_is_about_nobody_here() -> None:
    entries = [fixed("1:19-1", architectures=("aarch64", "s390x"))]
    assert ask(entries, package()) is None
    assert ask(entries, package("aarch64")) == ("1:19-1", FixState.AFFECTED, "")
    assert ask(entries, package("noarch")) == ("1:19-1", FixState.AFFECTED, "")


@pytest.mark.parametrize(
    ("module", "fix"), [("nodejs:18:90200:rhel9", "1:18.10-1"), ("nodejs:20:1", "1:20.2-1"), ("nodejs:18", "1:18.10-1")]
)
def test_each_module_stream_has_its_own_fix(module: str, fix: str) -> None:
    entries = [fixed("1:18.10-1", module="nodejs:18"), fixed("1:20.2-1", module="nodejs:20")]
    found = ask(entries, package(module=module))
    assert found is not None
    assert found.fixed_in == fix


@pytest.mark.parametrize("module", ["", "nodejs:180:1", "nodejs:1"])
def test_another_stream_or_none_is_not_meant(module: str) -> None:
    assert ask([fixed("1:18.10-1", module="nodejs:18")], package(module=module)) is None


def test_what_is_not_affected_beats_what_is() -> None:
    entries = [open_ended(), Affected(ecosystem=ECOSYSTEM, name="nodejs", state=FixState.NOT_AFFECTED)]
    assert ask(entries, package()) is CLEARED
    of_others = Affected(ecosystem=ECOSYSTEM, name="nodejs", state=FixState.NOT_AFFECTED, architectures=("s390x",))
    assert ask([open_ended(), of_others], package()) == (None, FixState.AFFECTED, "")


def test_a_fix_in_a_channel_is_told_where_there_is_none_for_everybody() -> None:
    entries = [open_ended(state=FixState.WILL_NOT_FIX), fixed("1:18.10-1", channel="eus-9.2")]
    assert ask(entries, package()) == ("1:18.10-1", FixState.AFFECTED, "eus-9.2")
    assert ask([open_ended(state=FixState.DEFERRED, note="postponed")], package()) == (None, FixState.DEFERRED, "")
    assert ask([fixed("1:19-1"), fixed("1:18.10-1", channel="eus-9.2")], package()) == ("1:19-1", FixState.AFFECTED, "")


def test_only_what_ends_all_that_holds_is_a_fix() -> None:
    assert ask([fixed("1:19-1"), fixed("1:20-1", note="again")], package()) == ("1:20-1", FixState.AFFECTED, "")
    assert ask([fixed("1:19-1"), open_ended(note="not complete")], package()) == (None, FixState.AFFECTED, "")


def test_a_listed_version_without_a_place_in_the_order_counts() -> None:
    entries = [Affected(ecosystem="PyPI", name="pytz", versions=("2004d",), state=FixState.WILL_NOT_FIX)]
    statements, _ = evaluate_statements(entries)
    found = StatementSet.of("PyPI", statements).naming(package(), "2004d")
    assert found == (None, FixState.WILL_NOT_FIX, "")
    assert StatementSet.of("PyPI", statements).naming(package(), "2004e") is None


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda junk: encode_statements(evaluate_statements([fixed("1-1")])[0]) + junk))
def test_damaged_rows_are_refused(content: bytes) -> None:
    try:
        found = list(decode_statements(content))
    except InvalidAdvisory:
        return
    assert all(isinstance(one, Statement) for one in found)
