"""Structured logs: JSON lines, or readable text in a terminal, each with the correlation id that follows one push through all services."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import structlog

_Event = structlog.typing.EventDict


def configure_logging(service: str, *, level: str = "info", stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's logging to `stream`, standard error by default, in one format."""
    target = stream or sys.stderr
    human = target.isatty()
    # Plain tracebacks: the pretty ones show local variables, and with them secrets.
    console: Any = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = console if human else structlog.processors.JSONRenderer()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_service(service),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatted: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    formatted += [] if human else [structlog.processors.format_exc_info]
    handler = logging.StreamHandler(target)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*formatted, renderer]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiosqlite", "apprise", "alembic", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    for repeating in ("aiormq", "aio_pika", "oras.logger"):  # what they say of a lost peer, we say once, and without the peer's own text
        logging.getLogger(repeating).setLevel(logging.CRITICAL)


@contextmanager
def bound_correlation(correlation_id: str, **context: object) -> Iterator[None]:
    """Add the correlation id and more to every log line inside; where a message or a request enters."""
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id, **context):
        yield


def _with_service(service: str) -> Any:  # noqa: ANN401 - structlog's own type for a processor
    def add(_logger: object, _method: str, event: _Event) -> _Event:
        event.setdefault("service", service)
        return event

    return add
