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
from rich.table import Table
from rich.text import Text

_PLAIN_WIDTH = 120  # where there is no terminal to ask
_MAX_WIDTH = 140  # longer lines are hard to read
_LABEL = 12
_SECONDS = 10


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
        self.checks = 0
        self.failures = 0

    def say(self, text: str, style: str = "") -> None:
        """Print a paragraph."""
        self._print("", text, style)

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print a numbered heading, and at the end of the block how long it took. In a terminal something moves meanwhile."""
        self._step += 1
        self._console.print()
        self._print("", f"{self._step}. {title}", "bold")
        started = time.monotonic()
        waiting = self._console.status("", spinner="dots") if self._console.is_terminal else contextlib.nullcontext()
        with waiting:
            yield
        self._print(" " * (_SECONDS + 1), f"{time.monotonic() - started:.1f} s for this step", "dim")

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

    def check(self, what: str, expected: object, found: object) -> bool:
        """Print whether what was expected is what was found, and count it."""
        self.checks += 1
        if found == expected:
            self._print(f"{'ok':>{_SECONDS}} ", what, "green")
            return True
        self.failures += 1
        self._print(f"{'FAILED':>{_SECONDS}} ", what, "bold red")
        self._print(f"{'':>{_SECONDS}}   expected: ", str(expected), "red")
        self._print(f"{'':>{_SECONDS}}   found:    ", str(found), "red")
        return False

    def quote(self, text: str) -> None:
        """Print what somebody else said."""
        for line in text.splitlines():
            self._print(f"{'':>{_SECONDS + 1 + _LABEL}}| ", line, "cyan")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows below headings; the last column is numbers."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold", justify="right" if column == columns[-1] else "left")
        for row in rows:
            table.add_row(*(Text(cell, style=_VERDICT_STYLES.get(cell, "")) for cell in row))
        with self._console.capture() as captured:
            self._console.print(table)
        for line in captured.get().splitlines():
            self._console.out(line.rstrip(), highlight=False)

    def _print(self, prefix: str, text: str, style: str = "") -> None:
        """Print `text` behind `prefix`, wrapped so that its lines stand below each other."""
        width = max(self._console.width - len(prefix), 20)
        lines = textwrap.wrap(text, width, break_on_hyphens=False) or [""]
        for number, line in enumerate(lines):
            start = prefix if number == 0 else " " * len(prefix)
            self._console.print(Text(start).append(line, style), soft_wrap=True)


_VERDICT_STYLES = {"pass": "bold green", "fail": "bold red", "incomplete": "bold yellow"}
