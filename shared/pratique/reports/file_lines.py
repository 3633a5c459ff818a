"""The lines of the terminal report about files: how many are known, which executables are not, and all of them if they were asked for."""

from __future__ import annotations

from urllib.parse import unquote

from rich.console import Console
from rich.text import Text

from pratique.inventory.file_account import FileState, UnknownExecutable
from pratique.inventory.package import OS_PACKAGE_TYPES
from pratique.reports.printable import printable
from pratique.reports.report import ImageFiles, Report

MAX_EXECUTABLES = 10  # told one by one; JSON has more of them
_STYLES = {FileState.MODIFIED: "bold red", FileState.UNKNOWN: "yellow", FileState.INTACT: "green"}
_WIDTH = max(len(state) for state in FileState)


def print_files(console: Console, report: Report) -> None:
    """Print what is known of the files of each image; nothing if they were not looked at."""
    for image in report.files:
        _print_entries(console, image)
        _print_account(console, image, is_only=len(report.files) == 1)


def _print_entries(console: Console, image: ImageFiles) -> None:
    for entry in image.files:
        mark = "*" if entry.executable is not None else " "
        owner = f"  {printable(_short_name(entry.owner))}" if entry.owner else ""
        line = Text.assemble((f"{entry.state:{_WIDTH}}", _STYLES.get(entry.state, "")), f" {mark} ", printable(entry.path), (owner, "dim"))
        console.print(line, soft_wrap=True)


def _print_account(console: Console, image: ImageFiles, *, is_only: bool) -> None:
    account = image.account
    counts = ", ".join(f"{account.counts[state]:,} {state}" for state in FileState if account.counts[state])
    place = "" if is_only else f" of {printable(image.platform or image.digest or 'an image')}"
    compared = "" if account.is_compared or not account.counts[FileState.OWNED] else " (contents not compared: --files does)"
    console.print(Text.assemble((f"Files{place}: ", "bold"), f"{account.total:,}: {counts or 'none'}{compared}"))
    if not account.unknown_executable_count:
        return
    console.print(Text(f"Executables that no package answers for: {account.unknown_executable_count:,}", style="yellow"))
    for executable in account.unknown_executables[:MAX_EXECUTABLES]:
        console.print(Text(f"  ? {_describe(executable)}", style="yellow"), soft_wrap=True)
    more = account.unknown_executable_count - MAX_EXECUTABLES
    if more > 0:
        console.print(Text(f"  ? and {more:,} more", style="yellow"))


def _short_name(purl: str) -> str:
    """`bash 5.1-2+deb11u1`, `@angular/core 1.0.0 (npm)`: JSON has the whole package URL."""
    kind, _, rest = purl.removeprefix("pkg:").partition("?")[0].partition("/")
    name, _, version = rest.rpartition("@")
    is_system = kind in OS_PACKAGE_TYPES
    return f"{unquote(name.rpartition('/')[2] if is_system else name)} {unquote(version)}{'' if is_system else f' ({kind})'}"


def _describe(executable: UnknownExecutable) -> str:
    reached = ", run by the entry point" if executable.is_entry else ""
    return f"{printable(executable.path)} ({executable.size:,} bytes{reached})"
