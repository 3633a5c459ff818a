"""The security databases of Wolfi and of Chainguard, which have Alpine's form. Source: https://packages.wolfi.dev/os/security.json, https://packages.cgr.dev/chainguard/security.json.

Their terms may forbid use in a product that competes with theirs: nothing fetches these feeds unless it is told to.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pratique.advisories.advisory import Advisory
from pratique.advisories.sources._secdb import Publisher, read_secdb
from pratique.advisories.sources.source import Problem, Source, SourceLimits

_WOLFI = Publisher(
    source="wolfi-secdb", prefix="WOLFI-", own_ids=("CGA-",), page="https://images.chainguard.dev/security/", ecosystem_of=lambda _: "Wolfi"
)
_CHAINGUARD = Publisher(
    source="chainguard-secdb",
    prefix="CHAINGUARD-",
    own_ids=("CGA-",),
    page="https://images.chainguard.dev/security/",
    ecosystem_of=lambda _: "Chainguard",
)


def read_wolfi(folder: Path, limits: SourceLimits) -> Iterator[Advisory | Problem]:
    """Read Wolfi's file; an advisory a flaw."""
    return read_secdb(folder, limits, _WOLFI)


def read_chainguard(folder: Path, limits: SourceLimits) -> Iterator[Advisory | Problem]:
    """Read Chainguard's file; an advisory a flaw."""
    return read_secdb(folder, limits, _CHAINGUARD)


WOLFI = Source(name="wolfi-secdb", ecosystems=("Wolfi",), read=read_wolfi)
CHAINGUARD = Source(name="chainguard-secdb", ecosystems=("Chainguard",), read=read_chainguard)
