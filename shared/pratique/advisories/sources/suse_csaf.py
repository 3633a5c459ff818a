"""SUSE's CSAF documents, VEX (one a CVE) or updates. Source: https://ftp.suse.com/pub/projects/security/ (csaf-vex, csaf).

A platform is known by its name, which is OSV's but for the vendor in front: `SUSE:Linux Enterprise Server 15 SP5`, `openSUSE:Leap 15.5`. SUSE calls fixed versions
`recommended`. Long-term support has names of its own and becomes a channel.
What is affected is named without versions, and its source beside what is built of it.
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

_PRODUCT = re.compile(r"(?P<vendor>SUSE|openSUSE) (?P<release>[A-Za-z0-9][A-Za-z0-9 ._/()+-]{0,120})")
_CONTRACT = re.compile(r"[ -](?P<kind>LTSS|ESPOS|TERADATA|BCL)\b", re.IGNORECASE)


def _place_of(platform: Product) -> Place | None:
    return place_of_name(platform.name or platform.product_id)


@lru_cache(maxsize=4096)
def place_of_name(name: str) -> Place | None:
    """The ecosystem and channel of a platform by its name; None for what is no product of SUSE's (a container image, a cloud's image)."""
    match = _PRODUCT.fullmatch(name)
    if match is None:
        return None
    contract = _CONTRACT.search(name)
    return Place(ecosystem=f"{match['vendor']}:{match['release']}", channel=contract["kind"].lower() if contract else "")


DIALECT = Dialect(source="suse-csaf", prefix="SUSE-", namespaces=frozenset({"suse", "opensuse"}), place_of=_place_of, splits_names=True)


def read(folder: Path, limits: SourceLimits) -> Iterator[Advisory | Problem]:
    """Read the archive of all documents and those that changed since."""
    return read_csaf(folder, limits, DIALECT)


SOURCE = Source(name="suse-csaf", ecosystems=("SUSE", "openSUSE"), read=read)
