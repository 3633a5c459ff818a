"""How ecosystems spell package names."""

from __future__ import annotations

import re

from pratique.advisories.versions import base_ecosystem

_RUNS = re.compile(r"[-_.]+")


def normal_name(ecosystem: str, name: str) -> str:
    """Spell a package name as its ecosystem compares it: PEP 503 for PyPI, as it stands everywhere else."""
    if base_ecosystem(ecosystem) == "PyPI":
        return _RUNS.sub("-", name).lower()
    return name
