"""Red Hat's CSAF VEX documents, one a CVE. Source: https://security.access.redhat.com/data/csaf/v2/vex/ (CC BY 4.0).

A platform is known by its CPE; what follows `redhat:` in that is OSV's release: `Red Hat:enterprise_linux:9::appstream`, `Red Hat:enterprise_linux:9` where
Red Hat speaks of all repositories, as it does of packages without a fix. Extended support has CPEs of its own and becomes a channel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from pratique.advisories.advisory import Advisory
from pratique.advisories.sources._csaf_tree import Product
from pratique.advisories.sources.csaf import Dialect, Place, read_csaf
from pratique.advisories.sources.source import Problem, Source, SourceLimits

_CPE = re.compile(r"cpe:/[aoh]:redhat:(?P<tail>(?P<product>[a-z0-9_.~+-]+):(?P<release>[a-z0-9_.~+-]+)[A-Za-z0-9_.:~+-]*)")
_CONTRACT = re.compile(r"(?:rhel|enterprise_linux)_(?P<kind>eus_long_life|eus|aus|tus|e4s|els|mission_critical)")


def _place_of(platform: Product) -> Place | None:
    return place_of_cpe(platform.cpe)


@lru_cache(maxsize=4096)
def place_of_cpe(cpe: str) -> Place | None:
    """The ecosystem and channel of a platform by its CPE; None for one without release (`cpe:/a:redhat` is all that Red Hat has)."""
    match = _CPE.fullmatch(cpe)
    if match is None:
        return None
    contract = _CONTRACT.fullmatch(match["product"])
    channel = f"{contract['kind'].replace('_', '-')}-{match['release']}" if contract else ""
    return Place(ecosystem=f"Red Hat:{match['tail'].rstrip(':')}", channel=channel)


DIALECT = Dialect(source="redhat-csaf", prefix="REDHAT-", namespaces=frozenset({"redhat"}), place_of=_place_of)


def read(folder: Path, limits: SourceLimits) -> Iterator[Advisory | Problem]:
    """Read the archive of all documents and those that changed since."""
    return read_csaf(folder, limits, DIALECT)


SOURCE = Source(name="redhat-csaf", ecosystems=("Red Hat",), read=read)
