"""The lines of the terminal report about VEX: how many findings it suppresses, which and why if they were asked for, and what is to be known of its documents."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from rich.console import Console
from rich.text import Text

from pratique.reports.printable import printable
from pratique.reports.report import Report

if TYPE_CHECKING:
    from pratique.vex.applying import SuppressedFinding
    from pratique.vex.statement import VexStatement

MAX_NOTES = 20  # told one by one; JSON has more of them


def print_suppressed(console: Console, report: Report, *, is_listed: bool) -> None:
    """Print what VEX did to the findings; nothing where it did nothing."""
    if report.suppressed or report.notes:
        hint = "" if is_listed or not report.suppressed else " (--show-suppressed lists them)"
        console.print(Text.assemble(("Suppressed by VEX: ", "bold"), f"{len(report.suppressed)}{hint}"))
    for suppressed in report.suppressed if is_listed else ():
        console.print(Text(f"  - {_describe(suppressed)}", style="dim"), soft_wrap=True)
    for note in report.notes[:MAX_NOTES]:
        console.print(Text(f"  ! {printable(note)}", style="yellow"), soft_wrap=True)
    if len(report.notes) > MAX_NOTES:
        console.print(Text(f"  ! and {len(report.notes) - MAX_NOTES} more", style="yellow"))


def _describe(suppressed: SuppressedFinding) -> str:
    finding = suppressed.finding
    package = unquote((finding.package or "").removeprefix("pkg:").partition("?")[0])
    reasons = "; ".join(map(describe_statement, suppressed.statements))
    return printable(f"{finding.severity} {finding.cve} in {package}: {reasons}")


def describe_statement(statement: VexStatement) -> str:
    """Say in one line what a statement says, why, and by whose word: `not_affected (component_not_present), says Team, vex.json`."""
    why = ", ".join(filter(None, [statement.justification, statement.impact]))
    author = f"{statement.author}, " if statement.author else ""
    return f"{statement.status}{f' ({why})' if why else ''}, says {author}{statement.source}"
