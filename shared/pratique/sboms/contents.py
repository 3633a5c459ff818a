"""What an SBOM holds: first as its format says it, then in pratique's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus
from pratique.inventory.inventory import Inventory
from pratique.inventory.package import Distribution, InstalledPackage
from pratique.oci.digest import Digest

COVERAGE_NAME = "sbom"
READER_VERSION = "1"
"""Stands in coverage. Raise it whenever reading would answer differently for the same bytes."""

Facts = Mapping[str, Sequence[str]]
"""Named values that formats have no field for (see `pratique.sboms.facts`), in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One thing that an SBOM lists, whatever its format. Texts are as they stand there, unchecked; empty where nothing is said.

    `kind` is CycloneDX's word (`library`, `operating-system`, `container`). `namespace` is CycloneDX's group. `source` is name and version of the source package.
    """

    kind: str
    name: str
    version: str = ""
    namespace: str = ""
    purl: str = ""
    description: str = ""
    vendor: str = ""
    licenses: tuple[str, ...] = ()
    cpes: tuple[str, ...] = ()
    source: tuple[str, str] = ("", "")
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An SBOM as its format says it: what it describes (`root`), what that consists of, and facts about the whole. `form` is `CycloneDX 1.6`."""

    form: str
    root: Component | None
    components: Sequence[Component]
    facts: Facts = field(default_factory=dict)
    is_incomplete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SbomContents:
    """What an SBOM says is installed. `packages` are sorted by purl, each once.

    `reference` and `digest` name what the SBOM is about, as it says; empty and None where it does not. `problems` are what of it was not understood, or what it says
    is missing: none of it may look clean.
    """

    form: str
    reference: str
    digest: Digest | None
    distribution: Distribution | None
    packages: tuple[InstalledPackage, ...]
    problems: tuple[str, ...] = ()

    @property
    def inventory(self) -> Inventory:
        """The contents as an image's inventory, with what could not be understood as gaps."""
        items = coverage_items(self.problems) or (
            CoverageItem(name=COVERAGE_NAME, version=READER_VERSION, status=CoverageStatus.COMPLETE, reason=self.form),
        )
        return Inventory(distribution=self.distribution, packages=self.packages, coverage=Coverage(items=items))


def coverage_items(problems: Sequence[str]) -> tuple[CoverageItem, ...]:
    """One gap for each problem."""
    return tuple(
        CoverageItem(name=COVERAGE_NAME, version=READER_VERSION, status=CoverageStatus.PARTIAL, reason=problem) for problem in problems
    )
