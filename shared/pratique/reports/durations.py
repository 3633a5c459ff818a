"""How long something takes or is past, for people."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS = ((2 * _DAY, _DAY, "days"), (2 * _HOUR, _HOUR, "h"), (2 * _MINUTE, _MINUTE, "min"), (0, 1, "s"))


def duration(seconds: float) -> str:
    """Say how long, in one unit."""
    whole = max(0, int(seconds))
    unit, word = next((unit, word) for least, unit, word in _STEPS if whole >= least)
    return f"{whole // unit} {word}"
