"""Alpine's security database, one file a release and repository. Source: https://secdb.alpinelinux.org/.

Names are those of source packages (`origin`). Alpine rates nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pratique.advisories.advisory import Advisory
from pratique.advisories.sources._secdb import Publisher, read_secdb
from pratique.advisories.sources.source import Problem, Source, SourceLimits
from pratique.errors import InvalidAdvisory

_RELEASE = re.compile(r"v[0-9]{1,3}\.[0-9]{1,3}")


def _ecosystem_of(distroversion: str) -> str:
    if _RELEASE.fullmatch(distroversion):
        return f"Alpine:{distroversion}"
    if distroversion.partition("-")[0] == "edge":  # `edge-main`: edge's files add the repository
        return "Alpine:edge"
    raise InvalidAdvisory(f"expected v3.18 or edge as distroversion, got {distroversion[:64]!r}")


_PUBLISHER = Publisher(
    source="alpine-secdb",
    prefix="ALPINE-",
    own_ids=("ALPINE-",),
    page="https://security.alpinelinux.org/vuln/",
    ecosystem_of=_ecosystem_of,
)


def read(folder: Path, limits: SourceLimits) -> Iterator[Advisory | Problem]:
    """Read the files of all releases; an advisory a flaw."""
    return read_secdb(folder, limits, _PUBLISHER)


SOURCE = Source(name="alpine-secdb", ecosystems=("Alpine",), read=read)
