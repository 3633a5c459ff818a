"""The report for people in a terminal. What comes from the image is printable text only: a package name must not steer the terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pratique.findings import Finding, Severity, count_by_severity
from pratique.inventory.coverage import CoverageStatus
from pratique.policy.verdict import Verdict, VerdictStatus
from pratique.reports.report import Report

DEFAULT_WIDTH = 140
_STYLES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.NEGLIGIBLE: "dim",
    Severity.UNKNOWN: "magenta",
}
_VERDICT_STYLES = {VerdictStatus.PASS: "bold green", VerdictStatus.FAIL: "bold red", VerdictStatus.INCOMPLETE: "bold yellow"}


def render_table(report: Report, *, width: int | None = None, color: bool = False) -> bytes:
    """Render the report as text of at most `width` columns."""
    buffer = io.StringIO()
    console = Console(
        file=buffer, width=width or DEFAULT_WIDTH, force_terminal=color, no_color=not color, highlight=False, legacy_windows=False
    )
    _print_header(console, report)
    if report.findings:
        console.print(_findings_table(report.findings))
    console.print(_summary(report))
    _print_gaps(console, report)
    for advice in report.recommendations[:5]:
        console.print(Text.assemble(("→ ", "bold"), printable(advice)))
    if report.verdict is not None:
        _print_verdict(console, report.verdict)
    return buffer.getvalue().encode()


def printable(text: str) -> str:
    """Replace what a terminal would act upon: escapes, control and direction-changing characters."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _print_header(console: Console, report: Report) -> None:
    target = report.target
    system = target.distribution.pretty_name or target.distribution.label if target.distribution else "no known distribution"
    end = f" (end of life {target.eol})" if target.eol else ""
    console.print(Text(printable(target.reference), style="bold"))
    facts = [target.digest or "no digest", target.platform or "no platform", f"{system}{end}", f"{len(report.packages)} packages"]
    console.print(Text(printable(" · ".join(facts)), style="dim"))


def _findings_table(findings: Iterable[Finding]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    table.add_column("SEVERITY", no_wrap=True)
    for name in ("PACKAGE", "INSTALLED", "FIXED IN", "ID"):
        table.add_column(name, overflow="fold")
    table.add_column("TITLE", overflow="ellipsis", no_wrap=True)
    for finding in findings:
        table.add_row(
            Text(str(finding.severity), style=_STYLES[finding.severity]),
            printable(_short_name(finding)),
            printable(finding.installed or ""),
            printable(finding.fixed_in or "-"),
            printable(finding.id if finding.cve == finding.id else f"{finding.id} ({finding.cve})"),
            printable(finding.title),
        )
    return table


def _short_name(finding: Finding) -> str:
    if finding.package is None:
        return finding.path or ""
    return finding.package.removeprefix("pkg:").partition("?")[0].rpartition("@")[0]


def _summary(report: Report) -> Text:
    counts = count_by_severity(report.findings)
    text = Text("Findings: ", style="bold")
    text.append(", ".join(f"{count} {word}" for word, count in counts.items() if count) or "none")
    fixable = sum(finding.is_fixable for finding in report.findings)
    return text.append(f" ({fixable} fixable)" if report.findings else "")


def _print_gaps(console: Console, report: Report) -> None:
    coverage = report.coverage
    style = "green" if coverage.status is CoverageStatus.COMPLETE else "bold yellow"
    console.print(Text.assemble(("Coverage: ", "bold"), (str(coverage.status), style)))
    for gap in coverage.gaps:
        console.print(Text(f"  ! {printable(gap.name)}: {printable(gap.reason)}", style="yellow"))


def _print_verdict(console: Console, verdict: Verdict) -> None:
    console.print(
        Text.assemble(("Verdict: ", "bold"), (str(verdict.status), _VERDICT_STYLES[verdict.status]), f" by policy {verdict.policy}")
    )
    for reason in verdict.reasons:
        console.print(Text(f"  - {printable(reason.message)}"))
