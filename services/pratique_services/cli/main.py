"""The parser and the way from exceptions to exit codes. Commands are imported when they are asked for: `--version` must not wait for a database driver."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

from pratique import __version__
from pratique.errors import InputError, InvalidReference, PratiqueError, SettingsError

EXIT_OK = 0
EXIT_VIOLATED = 1
EXIT_USAGE = 2
EXIT_UNFINISHED = 3

SCAN_FORMATS = ("table", "json", "cyclonedx")
SBOM_FORMATS = ("cyclonedx", "json")
SEVERITIES = ("critical", "high", "medium", "low", "negligible")
SERVICES = ("gateway", "scanner", "enforcer", "notifier", "advisor", "api")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answer its exit code."""
    options = build_parser().parse_args(arguments)
    module, function = options.command.split(":")
    try:
        command: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(f"pratique_services.cli.{module}"), function)
        return command(options)
    except (SettingsError, InvalidReference) as error:
        return _fail(error, EXIT_USAGE)
    except (PratiqueError, InputError) as error:
        return _fail(error, EXIT_UNFINISHED)
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_UNFINISHED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output left, as `| head` does
        return EXIT_OK


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = argparse.ArgumentParser(prog="pratique", description="Turns a pushed container image into a judged, signed, promoted or quarantined one.")
    parser.add_argument("--version", action="version", version=f"pratique {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_scan(commands)
    _add_advisories(commands)
    _add_serving(commands)
    _add_queries(commands)
    _add_operations(commands)
    return parser


_Commands = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_scan(commands: _Commands) -> None:  # type: ignore[valid-type]
    raise NotImplementedError


def _fail(error: object, code: int) -> int:
    print(f"pratique: {error}", file=sys.stderr)
    return code
