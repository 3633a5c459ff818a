"""From what is in a target to a report that lists it."""

from __future__ import annotations

from dataclasses import dataclass

from pratique.inventory.eol import eol_state
from pratique.inventory.eol_dates import EolDates
from pratique.reports.report import Report, Target
from pratique_services.cli.target_inventory import TargetInventory


@dataclass(frozen=True, slots=True)
class InventoryReporter:
    """Reports what is in `target`, and nothing about it."""

    target: str

    def report(self, found: TargetInventory) -> Report:
        """Make a report without findings and verdict."""
        return Report(
            target=describe_target(self.target, found), packages=found.packages, findings=(), coverage=found.coverage, files=found.files
        )


def describe_target(text: str, found: TargetInventory, dates: EolDates | None = None) -> Target:
    """What a report says of a target itself; `text` is what the user named it, `dates` are those of `eol_state`."""
    distribution = found.distributions[0] if found.distributions else None
    state = eol_state(distribution, dates=dates)
    return Target(
        reference=text.encode("utf-8", "backslashreplace").decode(),  # a path may hold any bytes
        digest=found.digest,
        platform=found.platform,
        distribution=distribution,
        eol=state.eol.isoformat() if state and state.eol else None,
        described=found.described,
    )
