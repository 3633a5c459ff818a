"""When the last word on an image is spoken."""

from __future__ import annotations

from pratique.storage.queries import StatusView

_OPEN_OUTCOMES = frozenset({"planned", "failed"})


def is_settled(status: StatusView, *, is_artifact: bool) -> bool:
    """Tell whether waiting longer changes nothing: the newest scan has its decision and every action is closed, or it can have none.

    A scan that failed, and one of an artifact that is no image, lead to no decision.
    """
    scan, decision = status.scan, status.decision
    if scan is not None and (scan.state == "failed" or (scan.state == "scanned" and is_artifact)):
        return True
    if decision is None or decision.announced_at is None or has_open_actions(status):
        return False
    return scan is None or decision.scan_id == scan.scan_id


def has_open_actions(status: StatusView) -> bool:
    """Tell whether an action is planned, or failed and to be tried again."""
    return any(action.outcome in _OPEN_OUTCOMES for action in status.actions)
