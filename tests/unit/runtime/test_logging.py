"""A log line can be followed, is one line of JSON, and holds no secret. Each in a process of its own: logging is the process's."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SECRET = "s3cr3t-0123456789"


def _run(code: str, *, terminal: bool = False) -> str:
    setup = "import logging, sys, structlog\nfrom pratique.runtime.logging import *\n"
    if terminal:
        setup += "sys.stderr.isatty = lambda: True\n"
    done = subprocess.run(
        [sys.executable, "-c", setup + "configure_logging('gateway')\n" + code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == ""
    return done.stderr


def _lines(code: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _run(code).splitlines()]


def test_a_line_has_event_service_level_time_and_correlation_id() -> None:
    [line, after] = _lines(
        "log = structlog.get_logger()\n"
        "with bound_correlation('c-1', source='hub'): log.info('push.recorded', bytes_bytes=3)\n"
        "log.warning('push.rejected')\n"
    )
    assert line == line | {
        "event": "push.recorded",
        "service": "gateway",
        "level": "info",
        "correlation_id": "c-1",
        "source": "hub",
        "bytes_bytes": 3,
    }
    assert line["timestamp"].endswith("Z")
    assert "correlation_id" not in after
    assert after["level"] == "warning"


def test_the_standard_librarys_logging_comes_in_the_same_form() -> None:
    [line] = _lines("with bound_correlation('c-2'): logging.getLogger('some.library').warning('odd %s', 'thing')")
    assert line == line | {"event": "odd thing", "service": "gateway", "level": "warning", "correlation_id": "c-2"}


def test_a_traceback_is_inside_the_line() -> None:
    [line] = _lines("try: 1 / 0\nexcept ZeroDivisionError: structlog.get_logger().exception('scan.failed')")
    assert "ZeroDivisionError" in line["exception"]


def test_noisy_libraries_are_quiet_and_debug_is_off() -> None:
    assert (
        _run("logging.getLogger('aiormq').warning('x')\nlogging.getLogger('apprise').warning('x')\nstructlog.get_logger().debug('x')") == ""
    )


def test_text_with_line_breaks_and_escapes_stays_one_line() -> None:
    [line] = _lines("structlog.get_logger().info('push.recorded', repository='a\\nb\\x1b[2J\\u2028\\ud800')")
    assert line["repository"] == "a\nb\x1b[2J\u2028\ud800"


_LEAKING = f"""
from pratique.registry.access import RegistryAccess
from pratique.runtime.settings import *
from pathlib import Path
secret = "{SECRET}"
access = RegistryAccess(host="r.example", username="u", password=secret)
settings = parse_settings({{"registries": [{{"host": "r.example", "username": "u", "password": secret}}],
    "sources": [{{"name": "a", "vendor": "quay", "secrets": [secret]}}]}}, {{}}, base=Path())
log = structlog.get_logger()
log.info("service.started", access=access, settings=settings, registry=settings.registries[0], source=settings.sources[0])
try:
    raise ValueError("oops")
except ValueError:
    log.exception("service.failed", access=access)
"""


def test_no_secret_is_shown_by_what_holds_one() -> None:
    assert SECRET not in _run(_LEAKING)


def test_a_traceback_in_a_terminal_shows_no_local_variables() -> None:
    shown = _run(_LEAKING, terminal=True)
    assert "oops" in shown
    assert SECRET not in shown
