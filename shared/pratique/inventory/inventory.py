"""The inventory of one image: its packages, its distribution, and how much of it could be read."""

from __future__ import annotations

from dataclasses import dataclass

from pratique.inventory.coverage import Coverage
from pratique.inventory.package import Distribution, InstalledPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Packages sorted by purl, each once per (package, version); coverage of every analyzer and layer."""

    distribution: Distribution | None
    packages: tuple[InstalledPackage, ...]
    coverage: Coverage
