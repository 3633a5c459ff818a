"""The analyzers: one module a package manager, each with its `ANALYZER`; this tuple is the registration.

`ANALYZERS_KEY` names what a stored layer result depends on. It changes whenever an analyzer is added, removed or raised in version, or the pass over
the layer records something else for the same bytes (`PASS_VERSION`); results under another key are computed again.
"""

from __future__ import annotations

from pratique.inventory.analyzer import Analyzer
from pratique.inventory.analyzers.apk import ANALYZER as APK
from pratique.inventory.analyzers.dpkg import ANALYZER as DPKG
from pratique.inventory.analyzers.node import ANALYZER as NODE
from pratique.inventory.analyzers.os_release import ANALYZER as OS_RELEASE
from pratique.inventory.analyzers.python import ANALYZER as PYTHON

PASS_VERSION = 2
"""Raise it whenever the walk over a layer would record something else for the same bytes and the same analyzers."""

ANALYZERS: tuple[Analyzer, ...] = (OS_RELEASE, APK, DPKG, NODE, PYTHON)
"""Every analyzer there is. One that is not in this tuple does not run."""

ANALYZERS_KEY: str = ";".join([f"pass={PASS_VERSION}", *sorted(f"{analyzer.name}={analyzer.version}" for analyzer in ANALYZERS)])
"""Stable text of what a layer result was computed with: `pass=1;apk=1;dpkg=1;…`."""


def results_key(*, compares_contents: bool) -> str:
    """Name what a layer's result depends on, for passes that compare contents or do not."""
    return f"{ANALYZERS_KEY};contents" if compares_contents else ANALYZERS_KEY
