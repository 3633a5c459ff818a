"""What pratique says in an SBOM beyond its format's own fields, as named values: CycloneDX properties, the same as an extension of SPDX 3, lines of a comment in SPDX 2.

With them an inventory that was written and read again is the same inventory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from pratique.inventory.coverage import Coverage
from pratique.inventory.package import Distribution, InstalledPackage

PREFIX = "pratique:"
PATH = "pratique:path"
LAYER = "pratique:layer"
OWNED_BY = "pratique:owned_by"
SOURCE = "pratique:source"
ECOSYSTEM = "pratique:ecosystem"
OTHER_ECOSYSTEM = "pratique:other_ecosystem"
NAMESPACE = "pratique:namespace"
CPE = "pratique:cpe"
LICENSE = "pratique:license"
COVERAGE = "pratique:coverage"
GAP = "pratique:gap"

MAX_GAPS = 100  # written into a document: an image may have a gap a file
_MAX_LINE_BYTES = 64 * 1024  # of a comment that is read: protects memory against a comment of 64 MB that is all names

Fact = tuple[str, str]


def package_facts(installed: InstalledPackage) -> list[Fact]:
    """What is known of a package and has no field of its own. The ecosystem is always among it, empty too: its presence marks what pratique wrote."""
    package = installed.package
    facts = [(PATH, path) for path in installed.paths]
    if installed.layer:
        facts.append((LAYER, installed.layer))
    if installed.owned_by:
        facts.append((OWNED_BY, installed.owned_by))
    if package.is_os_package:
        facts.append((SOURCE, f"{package.matching_name} {package.matching_version}"))
    facts.append((ECOSYSTEM, package.ecosystem))
    return facts


def distribution_facts(distribution: Distribution) -> list[Fact]:
    """What is known of a distribution and has no field of its own."""
    others = [(OTHER_ECOSYSTEM, name) for name in distribution.other_ecosystems]
    return [(ECOSYSTEM, distribution.ecosystem or ""), *others]


def coverage_facts(coverage: Coverage) -> list[Fact]:
    """How much of the image was read, and what was not: who scans the SBOM must not take it for more than it is."""
    gaps = [(GAP, f"{gap.name}: {gap.reason}") for gap in coverage.gaps[:MAX_GAPS]]
    return [(COVERAGE, str(coverage.status)), *gaps]


def write_lines(facts: Iterable[Fact]) -> str:
    """Write facts as lines `name=value`; line ends within a value are percent-encoded."""
    return "\n".join(f"{name}={_one_line(value)}" for name, value in facts)


def read_lines(text: str) -> Iterator[Fact]:
    """Read what `write_lines` wrote; other lines of a comment are passed over."""
    if PREFIX in text and len(text) <= _MAX_LINE_BYTES:
        for line in text.split("\n"):
            name, equals, value = line.partition("=")
            if equals and name.startswith(PREFIX):
                yield name, unquote(value) if "%" in value else value


def group_facts(facts: Iterable[Fact]) -> Mapping[str, list[str]]:
    """Collect the values of each name, in order."""
    grouped: dict[str, list[str]] = {}
    for name, value in facts:
        grouped.setdefault(name, []).append(value)
    return grouped


def _one_line(value: str) -> str:
    return value.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")
