"""The report for people in a terminal. What comes from the image is printable text only: a package name must not steer the terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from urllib.parse import unquote

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pratique.findings import Finding, Severity, count_by_severity
from pratique.inventory.coverage import CoverageStatus
from pratique.policy.verdict import Verdict, VerdictStatus
from pratique.reports.file_lines import print_files
from pratique.reports.gap_lines import gap_lines
from pratique.reports.printable import printable
from pratique.reports.report import Report
from pratique.reports.suppressed_lines import print_suppressed

__all__ = ["DEFAULT_WIDTH", "printable", "render_table"]

DEFAULT_WIDTH = 140
EXPLOITED_MARK = "KEV"  # as CISA calls its catalogue of known exploited vulnerabilities
MAX_GAPS = 20  # gaps listed one by one: a broken image has thousands, and the verdict comes after them
_MAX_EXPLOITED = 3  # named one by one under the table, where they would be far up in it
_SPACE = 2  # columns between two columns of the table
_MIN_TITLE, _GOOD_TITLE = 20, 40  # a shorter piece of a title says nothing; with a longer one, names need not be folded
_NAME, _MIN_NAME = 1, 16
_SHRINKING = ((3, 10), (2, 10), (_NAME, _MIN_NAME), (4, 12))  # columns that give way after the names, in this order, and to which width
_WIDEST = (14, 48, 26, 26, 40)
_SYSTEM_TYPES = ("deb", "apk", "rpm")
_STYLES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.NEGLIGIBLE: "dim",
    Severity.UNKNOWN: "magenta",
}
_VERDICT_STYLES = {VerdictStatus.PASS: "bold green", VerdictStatus.FAIL: "bold red", VerdictStatus.INCOMPLETE: "bold yellow"}


def render_table(report: Report, *, width: int | None = None, color: bool = False, show_suppressed: bool = False) -> bytes:
    """Render the report as text of at most `width` columns, with a line for each suppressed finding if they are to be shown."""
    buffer = io.StringIO()
    console = Console(
        file=buffer, width=width or DEFAULT_WIDTH, force_terminal=color, no_color=not color, highlight=False, legacy_windows=False
    )
    _print_header(console, report)
    if report.findings:
        console.print(_findings_table(report.findings, console.width))
    console.print(_summary(report))
    _print_exploited(console, report.findings)
    print_suppressed(console, report, is_listed=show_suppressed)
    _print_gaps(console, report)
    print_files(console, report)
    for advice in report.recommendations[:5]:
        console.print(Text.assemble(("→ ", "bold"), printable(advice)))
    if report.verdict is not None:
        _print_verdict(console, report.verdict)
    return buffer.getvalue().encode()


def _print_header(console: Console, report: Report) -> None:
    target = report.target
    system = target.distribution.pretty_name or target.distribution.label if target.distribution else "no known distribution"
    end = f" (end of life {target.eol})" if target.eol else ""
    console.print(Text(printable(target.reference), style="bold", overflow="fold"))
    if target.digest:
        console.print(Text(printable(target.digest), style="dim", overflow="fold"))
    facts = [printable(fact) for fact in (target.platform or "no platform", f"{system}{end}", f"{len(report.packages)} packages")]
    line = " · ".join(facts)
    console.print(Text(line if cell_len(line) <= console.width else "\n".join(facts), style="dim"))


def _findings_table(findings: Sequence[Finding], width: int) -> Table:
    names = (
        "SEVERITY",
        "PACKAGE" if all(finding.package for finding in findings) else "PACKAGE OR FILE",
        "INSTALLED",
        "FIXED IN",
        "ID",
        "TITLE",
    )
    rows = [tuple(map(printable, _row(finding))) for finding in findings]
    widths = _fit(list(zip(names, *rows, strict=True)), width)
    table = Table(box=None, padding=(0, _SPACE, 0, 0), pad_edge=False, header_style="bold", expand=False)
    for name, column_width in zip(names, widths, strict=False):
        is_title = name == names[-1]
        table.add_column(name, width=column_width, overflow="ellipsis" if is_title else "fold", no_wrap=is_title)
    for finding, row in zip(findings, rows, strict=True):
        severity, *others = map(Text, row[: len(widths)])  # Text: square brackets in a name are no markup
        severity.stylize(_STYLES[finding.severity])
        severity.highlight_words([EXPLOITED_MARK], "bold reverse red")
        table.add_row(severity, *others)
    return table


def _row(finding: Finding) -> tuple[str, ...]:
    return (
        f"{finding.severity} {EXPLOITED_MARK}" if finding.exploited_since else str(finding.severity),
        _short_name(finding),
        finding.installed or "",
        finding.fixed_in or "-",
        _short_id(finding),
        " ".join(finding.title.split()),
    )


def _fit(columns: Sequence[Sequence[str]], width: int) -> list[int]:
    """Share the width among the columns: the title takes what the others leave, and goes where that is too little to be read.

    Where room is short, few long names are folded first, so that they do not cost all others the versions or the title.
    """
    lengths = [sorted(map(cell_len, column)) for column in columns]
    widths = [min(cells[-1], widest) for cells, widest in zip(lengths, _WIDEST, strict=False)]
    usual_name = min(max(lengths[_NAME][len(lengths[_NAME]) * 3 // 4], _MIN_NAME), widths[_NAME])
    saved = widths[_NAME] - usual_name
    rest = width - sum(widths) - _SPACE * len(widths)
    if rest + saved >= _MIN_TITLE:
        widths[_NAME] -= max(0, min(saved, _GOOD_TITLE - rest))
        return [*widths, min(lengths[-1][-1], max(rest, min(rest + saved, _GOOD_TITLE)))]
    excess = sum(widths) + _SPACE * (len(widths) - 1) - width
    for column, least in ((_NAME, usual_name), *_SHRINKING):
        given = max(min(excess, widths[column] - least), 0)
        widths[column] -= given
        excess -= given
    return widths


def _short_name(finding: Finding) -> str:
    """`openssl`, `@angular/core (npm)`; the path for a finding about a file."""
    if finding.package is None:
        return finding.path or ""
    kind, _, name = unquote(finding.package.removeprefix("pkg:").partition("?")[0].rpartition("@")[0]).partition("/")
    return name.rpartition("/")[2] if kind in _SYSTEM_TYPES else f"{name} ({kind})"


def _short_id(finding: Finding) -> str:
    """The CVE where there is exactly one: of an advisory about several, the first would hide the others."""
    known = [name for name in (finding.id, *finding.aliases) if name.startswith("CVE-")]
    return known[0] if len(known) == 1 else finding.id


def _summary(report: Report) -> Text:
    counts = count_by_severity(report.findings)
    text = Text("Findings: ", style="bold")
    text.append(", ".join(f"{count} {word}" for word, count in counts.items() if count) or "none")
    fixable = sum(finding.is_fixable for finding in report.findings)
    return text.append(f" ({fixable} fixable)" if report.findings else "")


def _print_exploited(console: Console, findings: Sequence[Finding]) -> None:
    """Name what is known to be exploited: it matters more than its severity says."""
    count = sum(finding.exploited_since is not None for finding in findings)
    if not count:
        return
    since = dict.fromkeys(f"{_short_id(finding)} since {finding.exploited_since}" for finding in findings if finding.exploited_since)
    named = ", ".join(list(since)[:_MAX_EXPLOITED])
    rest = f" and {len(since) - _MAX_EXPLOITED} more" if len(since) > _MAX_EXPLOITED else ""
    console.print(Text.assemble((f"{count} known to be exploited ({EXPLOITED_MARK}): ", "bold red"), printable(f"{named}{rest}")))


def _print_gaps(console: Console, report: Report) -> None:
    coverage = report.coverage
    style = "green" if coverage.status is CoverageStatus.COMPLETE else "bold yellow"
    console.print(Text.assemble(("Coverage: ", "bold"), (str(coverage.status), style)))
    lines = gap_lines(coverage)
    for line in lines[:MAX_GAPS]:
        console.print(Text(f"  ! {line}", style="yellow"))
    if len(lines) > MAX_GAPS:
        console.print(Text(f"  ! and {len(lines) - MAX_GAPS} more", style="yellow"))


def _print_verdict(console: Console, verdict: Verdict) -> None:
    console.print(
        Text.assemble(
            ("Verdict: ", "bold"), (str(verdict.status), _VERDICT_STYLES[verdict.status]), f" by policy {printable(verdict.policy)}"
        )
    )
    for reason in verdict.reasons:
        console.print(Text(f"  - {printable(reason.message)}"))
