"""Readers of vendors' own feeds, one module a format: each gives advisories as if they were OSV records."""

from __future__ import annotations

from pratique.advisories.sources import alpine_secdb, amazon_alas, debian_tracker, redhat_vex, suse_csaf, ubuntu, wolfi_secdb
from pratique.advisories.sources.source import Problem, Source, SourceLimits

__all__ = ["SOURCES", "Problem", "Source", "SourceLimits"]

SOURCES: tuple[Source, ...] = (
    alpine_secdb.SOURCE,
    amazon_alas.SOURCE,
    wolfi_secdb.CHAINGUARD,
    debian_tracker.SOURCE,
    redhat_vex.SOURCE,
    suse_csaf.SOURCE,
    ubuntu.SOURCE,
    wolfi_secdb.WOLFI,
)
"""Every feed that can be read, sorted by name. Each is read only if its folder is in the mirror."""
