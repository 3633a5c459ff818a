"""What the files of Debian packages held when they were installed: `var/lib/dpkg/info/*.md5sums`. The paths are those of `dpkg_files`, twice as much to read."""

from __future__ import annotations

from pratique.inventory.analyzer import Analyzer, PathPattern
from pratique.inventory.analyzers.dpkg_files import ANALYZER as DPKG_FILES

ANALYZER = Analyzer(
    name="dpkg-md5sums",
    version=1,
    paths=PathPattern(directories=frozenset({"var/lib/dpkg/info"}), accept=lambda path: path.endswith(".md5sums")),
    parse=DPKG_FILES.parse,
    max_bytes=DPKG_FILES.max_bytes,
    needs_contents=True,
)
