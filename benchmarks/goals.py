"""What is promised, and what was measured beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.processes import Memory
from benchmarks.tasks import CHANGED_SBOM, FLOOR, KNOWN_SBOM, SBOM, SMALL, SYFT, TRIVY, VERSION

QUIET = 0.15  # cores that others may use before a verdict would be about them
_MIB = 1024**2
_EXTRA_BYTES = 2048  # what answers may have beside the blobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Median seconds and peak memory by task, and the bytes that were fetched when one layer changed, with the least that could have been."""

    seconds: Mapping[str, float]
    memory: Mapping[str, Memory]
    fetched: int
    least_fetched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One promise: `value` is to be at most `limit`, or at least with `is_least`."""

    text: str
    value: float
    limit: float
    unit: str = ""
    is_least: bool = False

    @property
    def is_met(self) -> bool:
        return self.value >= self.limit if self.is_least else self.value <= self.limit


def print_goals(measured: Measured) -> None:
    """Print every promise with its measure, and whether it is kept."""
    print(f"\n{'promise':44}{'goal':>14}{'measured':>16}")
    for goal in _goals(measured):
        sign = "≥" if goal.is_least else "≤"
        print(
            f"{goal.text:44}{f'{sign} {goal.limit:,.10g}{goal.unit}':>14}{f'{goal.value:,.4g}{goal.unit}':>16}  {'met' if goal.is_met else 'MISSED'}"
        )


def _goals(measured: Measured) -> Iterator[Goal]:
    seconds, sbom = measured.seconds, measured.seconds[SBOM]
    yield Goal(text="sbom against the floor", value=sbom / seconds[FLOOR], limit=1.5)
    if TRIVY in seconds:
        yield Goal(text="sbom: times faster than Trivy", value=seconds[TRIVY] / sbom, limit=4, is_least=True)
    if SYFT in seconds:
        yield Goal(text="sbom: times faster than Syft", value=seconds[SYFT] / sbom, limit=15, is_least=True)
    yield Goal(text="sbom: peak memory of all processes, RSS", value=measured.memory[SBOM].rss / _MIB, limit=300, unit=" MiB")
    yield Goal(text="own code changed: of the cold time", value=100 * seconds[CHANGED_SBOM] / sbom, limit=15, unit=" %")
    extra = measured.fetched - measured.least_fetched
    yield Goal(text="own code changed: bytes beyond layer and config", value=extra, limit=_EXTRA_BYTES)
    yield Goal(text="known digest", value=seconds[KNOWN_SBOM], limit=0.3, unit=" s")
    yield Goal(text="small image", value=seconds[SMALL], limit=0.6, unit=" s")
    yield Goal(text="pratique --version", value=seconds[VERSION], limit=0.15, unit=" s")
