"""How ecosystems spell package names."""

from __future__ import annotations

import re

from pratique.advisories.versions import base_ecosystem

_CASELESS = frozenset({"GitHub Actions", "NuGet", "Packagist", "VSCode"})  # by the manuals of the registries
_RUNS = re.compile(r"[-_.]+")


def normal_name(ecosystem: str, name: str) -> str:
    """Spell a package name as its ecosystem compares it: PEP 503 for PyPI, in lower case where case does not count, as it stands everywhere else."""
    base = base_ecosystem(ecosystem)
    if base == "PyPI":
        return _RUNS.sub("-", name).lower()
    return name.lower() if base in _CASELESS else name
