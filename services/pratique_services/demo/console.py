"""What the demo says: steps with their times, what was expected and what was there. In a terminal with colour, elsewhere as plain text."""

from __future__ import annotations

import contextlib
import io
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

_PLAIN_WIDTH = 120  # where there is no terminal to ask
_MAX_WIDTH = 140  # longer lines are hard to read
_LABEL = 12
_SECONDS = 10

VERDICT_STYLES = {"pass": "bold green", "fail": "bold red", "incomplete": "bold yellow"}
"""How verdicts look in a terminal."""


class Narrator:
    """Tells the story on standard output. `failures` counts the checks that did not hold, `checks` all of them."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a locale without a character must not end the demo
        is_terminal = sys.stdout.isatty()
        console = Console(highlight=False, markup=False, emoji=False, width=None if is_terminal else _PLAIN_WIDTH)
        console.width = min(console.width, _MAX_WIDTH)
        self._console = console
        self._step = 0
        self._started: float | None = None
        self._status: Status | None = None
        self.checks = 0
        self.failures = 0

    def say(self, text: str, style: str = "") -> None:
        """Print a paragraph."""
        self._print("", text, style)

    def begin(self, title: str) -> None:
        """End the step before and print a numbered heading. In a terminal something moves until the step ends."""
        self.end()
        self._step += 1
        self._started = time.monotonic()
        self._console.print()
        self._print("", f"{self._step}. {title}", "bold")
        if self._console.is_terminal:
            self._status = self._console.status("", spinner="dots")
            self._status.start()

    def end(self) -> None:
        """Print how long the step took, if one is running."""
        if self._started is None:
            return
        if self._status is not None:
            self._status.stop()
        self._print(f"{f'{time.monotonic() - self._started:.1f} s':>{_SECONDS}} ", "for this step", "dim")
        self._started = self._status = None

    def fact(self, label: str, text: str, *, seconds: float | None = None, style: str = "") -> None:
        """Print one line of a step; `seconds` is how long after the step's push it happened."""
        when = f"+{seconds:.2f} s" if seconds is not None else ""
        self._print(f"{when:>{_SECONDS}} {label:<{_LABEL}}", text, style)

    @contextlib.contextmanager
    def timed(self, label: str) -> Iterator[list[str]]:
        """Print one line when the block ends, with what it put in the list, and how long it took."""
        started = time.monotonic()
        told: list[str] = []
        yield told
        self._print(f"{f'{time.monotonic() - started:.2f} s':>{_SECONDS}} {label:<{_LABEL}}", " ".join(told))

    def check(self, what: str, expected: object, found: object) -> None:
        """Print whether what was expected is what was found, and count it."""
        self._judge(what, found == expected, expected, found)

    def check_parts(self, what: str, expected: Sequence[str], text: str) -> None:
        """Print whether `text` holds every part that was expected, and count it."""
        missing = [part for part in expected if part not in text]
        self._judge(what, not missing, f"a text with {', '.join(expected)}", f"no {', '.join(missing)} in: {text or 'nothing'}")

    def fail(self, problem: str) -> None:
        """Print that the story cannot go on, and count it."""
        self._judge(problem, False, "", "")

    def _judge(self, what: str, is_so: bool, expected: object, found: object) -> None:
        self.checks += 1
        if is_so:
            self._print(f"{'ok':>{_SECONDS}} ", what, "green")
            return
        self.failures += 1
        self._print(f"{'FAILED':>{_SECONDS}} ", what, "bold red")
        for label, value in (("expected:", expected), ("found:", found)):
            if value != "":
                self._print(f"{'':>{_SECONDS}}   {label:<{_LABEL}}", str(value), "red")

    def quote(self, label: str, text: str) -> None:
        """Print what somebody else said."""
        for line in text.splitlines():
            self._print(f"{'':>{_SECONDS}} {label:<{_LABEL}}| ", line, "cyan")
            label = ""

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows below headings; the first column is never broken, the last one is numbers."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for column in columns:
            is_last = column == columns[-1]
            table.add_column(column, overflow="fold", justify="right" if is_last else "left", no_wrap=column == columns[0])
        for row in rows:
            table.add_row(*(Text(cell, style=VERDICT_STYLES.get(cell, "")) for cell in row))
        if self._console.is_terminal:
            self._console.print(table)
            return
        with self._console.capture() as captured:  # for a file, without the blanks that fill up the cells
            self._console.print(table)
        self._console.out("\n".join(line.rstrip() for line in captured.get().splitlines()), highlight=False)

    def _print(self, prefix: str, text: str, style: str = "") -> None:
        """Print `text` behind `prefix`, wrapped so that its lines stand below each other."""
        width = max(self._console.width - len(prefix), 20)
        lines = textwrap.wrap(text, width, break_on_hyphens=False) or [""]
        for number, line in enumerate(lines):
            start = prefix if number == 0 else " " * len(prefix)
            self._console.print(Text(start if line else start.rstrip()).append(line, style), soft_wrap=True)
