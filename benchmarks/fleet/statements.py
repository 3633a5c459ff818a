"""What a process asks of PostgreSQL: how often and how long each statement takes, and by which plan."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, event

LARGE_TABLES = frozenset({"image", "image_package", "package", "package_advisory", "decision", "standing_decision", "scan"})
"""No plan may read one of these from beginning to end."""

_EXPLAINED = 3  # times for each statement: plans may differ with the parameters
_PARAMETERS = re.compile(r"\$\d+(?:::[A-Z ]+)?(?:, \$\d+(?:::[A-Z ]+)?)+")
_PAIRS = re.compile(r"\(\(\$…\)(?:, \(\$…\))+\)")
_NUMBERS = re.compile(r"\$\d+(?:::[A-Z ]+)?")
_SEQUENTIAL = re.compile(r"(?:Parallel )?Seq Scan on (\w+)")
_NODES = re.compile(
    r"(?:->\s+)?((?:Parallel )?(?:Seq|Index Only|Index|Bitmap Heap|Bitmap Index) Scan|Hash Join|Nested Loop|Merge Join|Insert|Update|Delete)(?: using \w+)?(?: on (\w+))?"
)
_EXPLAIN = "EXPLAIN "
_PLANNED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@dataclass(slots=True)
class Statement:
    """One statement, whatever its parameters: how often it ran, for how long in all, and its plans."""

    text: str
    phase: str = ""
    calls: int = 0
    seconds: float = 0.0
    plans: list[Sequence[str]] = field(default_factory=list)

    @property
    def sequential(self) -> frozenset[str]:
        """The large tables that a plan reads from beginning to end."""
        return frozenset(table for plan in self.plans for line in plan for table in _SEQUENTIAL.findall(line)) & LARGE_TABLES

    @property
    def steps(self) -> str:
        """The last plan in short: how it reads each table."""
        found = [match for line in (self.plans[-1] if self.plans else ()) if (match := _NODES.search(line))]
        return ", ".join(dict.fromkeys(f"{match[1]} {match[2] or ''}".strip() for match in found))


@dataclass(slots=True)
class Watch:
    """What has been asked so far. With `explains` each statement is explained before it runs: the times are then worth nothing."""

    explains: bool = False
    statements: dict[str, Statement] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    phase: str = ""
    asked: float = 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch all engines of this process."""
        event.listen(Engine, "before_cursor_execute", self._before)
        event.listen(Engine, "after_cursor_execute", self._after)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", self._before)
            event.remove(Engine, "after_cursor_execute", self._after)

    @contextmanager
    def in_phase(self, name: str) -> Iterator[None]:
        """Count the time of the block for a phase; a block inside counts for its own phase only."""
        outer, self.phase = self.phase, name
        started, before = time.perf_counter(), sum(self.phases.values())
        try:
            yield
        finally:
            inside = sum(self.phases.values()) - before
            self.phases[name] += time.perf_counter() - started - inside
            self.phase = outer

    def _before(self, connection: Connection, _cursor: object, text: str, parameters: Any, context: Any, is_many: bool) -> None:  # noqa: ANN401 - SQLAlchemy's
        if text.startswith(_EXPLAIN):
            return
        if self.explains:
            self._explain(connection, text, parameters[0] if is_many else parameters)
        context.asked_at = time.perf_counter()

    def _after(self, _connection: object, _cursor: object, text: str, _parameters: object, context: Any, _is_many: bool) -> None:  # noqa: ANN401 - SQLAlchemy's
        if text.startswith(_EXPLAIN):
            return
        seconds = time.perf_counter() - context.asked_at
        one = self._statement(text)
        one.calls += 1
        one.seconds += seconds
        self.asked += seconds

    def _explain(self, connection: Connection, text: str, parameters: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        one = self._statement(text)
        if len(one.plans) < _EXPLAINED and text.startswith(_PLANNED):
            one.plans.append([row[0] for row in connection.exec_driver_sql(f"{_EXPLAIN}{text}", parameters)])

    def _statement(self, text: str) -> Statement:
        short = _NUMBERS.sub("$…", _PAIRS.sub("(…)", _PARAMETERS.sub("$…", " ".join(text.split()))))
        return self.statements.setdefault(short, Statement(short, self.phase))
