from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique_services.api.answers import Problem
from pratique_services.api.inputs import AuditQuery, FindingsQuery, ImagesQuery, OfImage, WhereQuery, parse_input, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    "text",
    [
        "debian",
        "team/app",
        "127.0.0.1:5000/team/app:1.0",
        f"registry.example:5000/a@{DIGEST}",
        f"registry.example:5000/a:1@{DIGEST}",
        "localhost/x",
        "[::1]:5000/x",
        "Registry.Example/team/web__ui.v2/a-b--c:RC_1",
        "host:5000/x",
    ],
)
def test_what_people_write_is_a_reference(text: str) -> None:
    assert parse_reference(parse_input(OfImage, {"reference": text}).reference)


@pytest.mark.parametrize(
    "text", ["", "Team/app", "a b", "a:", "a@sha256:00", "../x", "x" * 600, "a\x00b", "http://x/y", "a//b", "x:" + "y" * 129]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refusal:
        parse_input(OfImage, {"reference": text})
    assert refusal.value.status == 400
    assert "regex" not in refusal.value.message


@given(st.from_regex(r"[A-Za-z0-9./:@_\[\]-]{1,80}", fullmatch=True))
def test_a_text_in_the_form_of_a_reference_can_be_parsed(text: str) -> None:
    try:
        accepted = parse_input(OfImage, {"reference": text}).reference
    except Problem:
        return
    parse_reference(accepted)


@pytest.mark.parametrize("text", ["a-" * 250, "a." * 250, "a.a-" * 125 + "!", "a/" * 255 + "!", "a" * 511 + "!"])
def test_no_text_keeps_the_parser_busy(text: str) -> None:
    start = time.process_time()
    with pytest.raises(Problem):
        parse_input(OfImage, {"reference": text})
    assert time.process_time() - start < 0.5


def test_a_misspelt_filter_is_refused_by_name() -> None:
    with pytest.raises(Problem, match="repo"):
        parse_input(ImagesQuery, {"repo": "team/app"})


@pytest.mark.parametrize("limit", ["0", "201", "-1", "1.5", "many", ""])
def test_a_limit_out_of_bounds_is_refused(limit: str) -> None:
    with pytest.raises(Problem, match="limit"):
        parse_input(ImagesQuery, {"limit": limit})


def test_a_limit_in_a_query_is_a_number() -> None:
    assert parse_input(FindingsQuery, {"reference": "a", "limit": "7"}).limit == 7


@pytest.mark.parametrize("subject", ["", "a\x00", "\u202egnp", "x" * 1025])
def test_a_subject_is_printable_and_short(subject: str) -> None:
    with pytest.raises(Problem):
        parse_input(AuditQuery, {"subject": subject})


@pytest.mark.parametrize("name", ["", "CVE 1", "%", "'; DROP TABLE x", "x" * 201])
def test_a_vulnerability_is_named_as_advisories_are(name: str) -> None:
    with pytest.raises(Problem):
        parse_input(WhereQuery, {"vulnerability": name})
