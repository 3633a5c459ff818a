"""The table can be read in any width, hides nothing that matters, and steers no terminal."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pratique.findings import Finding, Severity
from pratique.reports.report import Report, Target
from pratique.reports.table import DEFAULT_WIDTH, MAX_GAPS, printable, render_table
from tests.support.reports import ANGULAR, EOL, LIBSSL, REQUESTS, SECRET, gap, report, vulnerability

MANY = [
    EOL,
    SECRET,
    *(vulnerability(f"CVE-2023-{10_000 + number}", (LIBSSL, ANGULAR, REQUESTS)[number % 3], Severity(number % 6)) for number in range(36)),
    vulnerability("CVE-2021-44228", "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1", Severity.CRITICAL, fixed_in="2.17.1"),
]


def _render(given: Report, width: int | None = None) -> str:
    return render_table(given, width=width).decode()


def _lines(findings: list[Finding], width: int) -> list[str]:
    return [line.rstrip() for line in _render(report(findings), width).splitlines()]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200, 400])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(cell_len(line) for line in _lines(MANY, width)) <= width


@pytest.mark.parametrize("width", [70, 80, 100, 200])
def test_what_is_known_to_be_exploited_is_marked_in_any_width(width: int) -> None:
    known = [replace(finding, exploited_since="2021-12-10") for finding in MANY[-3:]]
    lines = _lines([*MANY[:-3], *known], width)
    assert max(map(cell_len, lines)) <= width
    assert [line.partition(" KEV ")[0] for line in lines if " KEV " in line] == ["critical", "critical", "high"]
    assert "3 known to be exploited (KEV): CVE-2021-44228 since 2021-12-10" in " ".join(lines)


def test_without_exploitation_no_column_and_no_line_speaks_of_it() -> None:
    assert "KEV" not in _render(report(MANY), 80)
    assert "exploited" not in _render(report(MANY), 80)


def test_many_exploited_ones_are_three_names_and_a_number() -> None:
    text = _render(report([vulnerability(f"CVE-2023-{number}", exploited_since="2023-01-01") for number in range(9)]))
    assert (
        "9 known to be exploited (KEV): CVE-2023-0 since 2023-01-01, CVE-2023-1 since 2023-01-01, CVE-2023-2 since 2023-01-01 and 6" in text
    )


def test_of_one_severity_what_is_exploited_comes_first() -> None:
    found = [vulnerability("CVE-2023-1"), vulnerability("CVE-2023-2", exploited_since="2023-01-01")]
    assert [finding.id for finding in report(found).findings] == ["CVE-2023-2", "CVE-2023-1"]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_head_takes_three_lines_and_breaks_no_word(width: int) -> None:
    lines = _lines(MANY, width)
    assert lines[0] == "registry.example/team/app:v1"
    assert lines[1] == report().target.digest
    facts = ["linux/amd64", "Debian GNU/Linux 11 (bullseye) (end of life 2024-08-14)", "4 packages"]
    assert lines[2] == " · ".join(facts) or lines[2:5] == facts


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_ids_severities_and_usual_names_are_never_cut(width: int) -> None:
    table = "\n".join(_lines(MANY, width))
    for word in ("EOL-debian-11", "CVE-2023-10000", "CVE-2021-44228", "negligible", "libssl1.1", "@angular/core (npm)", "requests (pypi)"):
        assert re.search(rf"(^|  ){re.escape(word)}($|  )", table, re.MULTILINE), word


@pytest.mark.parametrize("width", [100, 200])
def test_versions_are_not_folded_for_the_sake_of_one_long_name(width: int) -> None:
    assert "1.1.1n-0+deb11u3" in "\n".join(_lines(MANY, width))


def test_a_wide_terminal_shows_titles_and_a_narrow_one_drops_them_whole() -> None:
    assert "TITLE" in "\n".join(_lines(MANY, 200))
    assert EOL.title in "\n".join(_lines(MANY, 200))
    assert "TITLE" not in "\n".join(_lines(MANY, 80))


def test_a_finding_about_a_file_shows_its_path() -> None:
    table = "\n".join(_lines([SECRET], 100))
    assert "home/app/.ssh/id_ed25519" in table
    assert "PACKAGE OR FILE" in table


def test_a_very_long_path_is_folded_and_whole() -> None:
    path = "/".join(f"folder{number}" for number in range(30))
    found = Finding(kind=SECRET.kind, id="key", severity=Severity.HIGH, path=path)
    pieces = [line[10:60].strip().split("  ")[0] for line in _lines([found], 80)[4:20]]
    assert path in "".join(pieces).replace("high", "")


@pytest.mark.parametrize(
    ("aliases", "shown"),
    [((), "GHSA-1"), (("CVE-2023-1",), "CVE-2023-1"), (("CVE-2023-1", "CVE-2023-2"), "GHSA-1"), (("PYSEC-1",), "GHSA-1")],
)
def test_an_advisory_is_shown_by_its_cve_if_that_says_it_all(aliases: tuple[str, ...], shown: str) -> None:
    assert shown in "\n".join(_lines([vulnerability("GHSA-1", aliases=aliases)], 120))


def test_what_a_terminal_would_obey_is_shown_and_not_sent() -> None:
    hostile = "a\x1b[31m\x07\x9b2J\u202ebc\u2066"
    found = vulnerability("CVE-1", f"pkg:npm/{hostile}@1", title=hostile, installed=hostile, fixed_in=hostile, exploited_since=hostile)
    file = Finding(kind=SECRET.kind, id=hostile, severity=Severity.HIGH, path=hostile, recommendation=hostile)
    given = report(
        [found, file], gaps=[gap(hostile, hostile)], target=Target(reference=hostile, digest=None, platform=hostile, distribution=None)
    )
    assert not {character for character in _render(given, 200) if not character.isprintable()} - {"\n"}


def test_percent_escapes_of_a_purl_bring_no_escapes_in() -> None:
    assert "\x1b" not in _render(report([vulnerability("CVE-1", "pkg:npm/%1B%5B2J@1")]))


def test_square_brackets_in_a_name_are_no_markup() -> None:
    assert "[bold red]x[/]" in _render(report([vulnerability("CVE-1", title="[bold red]x[/]")]), 200)
    assert "[/oops]" in _render(report([Finding(kind=SECRET.kind, id="key", severity=Severity.HIGH, path="[/oops]")]), 200)


@given(st.text())
def test_printable_text_is_printable_and_as_long(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)


def test_colours_come_only_when_asked_for() -> None:
    assert b"\x1b[" not in render_table(report(MANY))
    assert b"\x1b[" in render_table(report(MANY), color=True)


def test_a_thousand_gaps_do_not_push_the_verdict_out_of_sight() -> None:
    text = _render(report(gaps=[gap(f"layer {number}", f"broken at {number}") for number in range(1000)]))
    assert f"and {1000 - MAX_GAPS} more" in text
    assert text.splitlines()[-2:] == ["Verdict: fail by policy default", "  - 3 findings of severity high or worse"]


def test_counts_coverage_and_advice_are_said_in_words() -> None:
    text = _render(report([vulnerability("CVE-1"), vulnerability("CVE-2", fixed_in=None), SECRET], gaps=[gap("rpm", "no reader")]))
    assert "Findings: 1 critical, 2 high (1 fixable)" in text
    assert "Coverage: partial" in text
    assert "  ! rpm: no reader" in text
    assert "→ update openssl to 1.1.1w-0+deb11u1 or later (Debian:11)" in text


def test_nothing_found_is_said_too() -> None:
    text = _render(report())
    assert "Findings: none\n" in text
    assert "SEVERITY" not in text
    assert max(map(len, text.splitlines())) <= DEFAULT_WIDTH
