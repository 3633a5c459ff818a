"""Dates of a mirror, laid over those built in."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError, InvalidAdvisory, LimitExceeded
from pratique.feeds.eol import convert_eol
from pratique.inventory.eol import eol_findings, eol_state
from pratique.inventory.eol_dates import builtin_dates, decode_dates, load_dates, parse_dates
from pratique.inventory.package import Distribution

DEBIAN = Distribution(id="debian", version_id="11", pretty_name="", path="etc/os-release")


def document(**products: list[dict[str, Any]]) -> bytes:
    return json.dumps({"products": {name: {"title": name, "cycles": cycles} for name, cycles in products.items()}}).encode()


def test_a_mirrors_date_counts_before_the_one_built_in() -> None:
    dates = parse_dates(document(debian=[{"cycle": "11", "eol": "2030-01-01", "eoes": "2031-01-01", "codename": "Bullseye"}]))

    state = eol_state(DEBIAN, today=date(2025, 1, 1), dates=dates)

    assert state is not None
    assert (state.eol, state.extended, state.is_over) == (date(2030, 1, 1), date(2031, 1, 1), False)
    assert eol_findings(DEBIAN, today=date(2025, 1, 1), dates=dates) == ()
    assert eol_findings(DEBIAN, today=date(2025, 1, 1)) != ()


def test_a_release_that_is_new_in_the_mirror_is_known() -> None:
    dates = parse_dates(document(debian=[{"cycle": "99", "eol": True}]))

    (finding,) = eol_findings(Distribution(id="debian", version_id="99", pretty_name="", path=""), dates=dates)

    assert finding.id == "EOL-debian-99"


def test_what_a_mirror_leaves_out_stays_as_built_in() -> None:
    dates = parse_dates(document(debian=[{"cycle": "11"}], ubuntu=[]))

    assert dates.products == builtin_dates().products


@pytest.mark.parametrize(("eoes", "extended"), [(True, None), (False, None), (None, None), ("2031-01-01", date(2031, 1, 1))])
def test_extended_support_without_a_date_is_none(eoes: object, extended: date | None) -> None:
    dates = parse_dates(document(debian=[{"cycle": "11", "eol": "2024-08-14", "eoes": eoes}]))

    assert dates.cycles_of("debian")["11"].extended == extended


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cycles"),
        (b"<html>", "cycles"),
        (b"[" * 100_000, "cycles"),
        (b'{"products": {}}', "none of the distributions"),
        (document(nginx=[{"cycle": "1", "eol": False}]), "none of the distributions"),
        (document(debian=[{"cycle": "11", "eol": "soon"}]), "cycles"),
        (b'{"products": {"debian": {"11": {"eol": "2024-08-14"}}}}', "cycles"),
    ],
)
def test_a_document_of_another_form_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(InvalidAdvisory, match=reason):
        parse_dates(content)


def test_a_document_without_end_is_refused() -> None:
    with pytest.raises(LimitExceeded, match="1000 releases"):
        parse_dates(document(debian=[{"cycle": str(number), "eol": True} for number in range(1001)]))
    with pytest.raises(LimitExceeded, match="bytes"):
        parse_dates(b" " * (32 * 1024 * 1024 + 1))


def test_a_mirror_is_read_as_its_feed_keeps_it(tmp_path: Path) -> None:
    assert load_dates(tmp_path) is None
    release = {"name": "11", "label": "11", "isEol": True, "eolFrom": "2029-02-03", "isEoes": False, "eoesFrom": "2033-01-01"}
    product = {"name": "debian", "label": "Debian", "releases": [release]}
    (tmp_path / "eol.json").write_text(json.dumps({"schema_version": "1.2.0", "result": [product]}))
    convert_eol(tmp_path / "eol.json")

    state = eol_state(DEBIAN, dates=load_dates(tmp_path))

    assert state is not None
    assert (state.eol, state.extended) == (date(2029, 2, 3), date(2033, 1, 1))


def test_a_mirrors_document_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "eol.json").mkdir()

    with pytest.raises(InvalidAdvisory, match="cannot be read"):
        load_dates(tmp_path)


def test_dates_that_are_stored_come_back_the_same() -> None:
    dates = parse_dates(document(debian=[{"cycle": "11", "eol": "2030-01-01", "eoes": "2031-01-01"}, {"cycle": "12", "eol": False}]))

    assert decode_dates(dates.encode()) == dates
    assert len(dates.encode()) < 64 * 1024
    with pytest.raises(InvalidAdvisory):
        decode_dates(b"{}")


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(content: bytes) -> None:
    try:
        parse_dates(content)
    except InputError:
        return
