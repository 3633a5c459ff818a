"""Java archives, and the archives in them: every artifact that one holds, whether as a nested jar or shaded into it.

What an archive is, in this order: each Maven `pom.properties` in it (shaded and fat jars hold several); a Maven `pom.xml` that has none beside it; and where none of
these is the archive's own, its manifest, its file name and its classes (`_java_guess.py`). The union of what Syft and Trivy report, without Trivy's database of hashes.
An archive without name or version is no package and no gap: applications are built like that. Sources and documentation, which nothing can run, are no packages.
A gap is what the JVM, too, would refuse to open where it looks for libraries, and what is beyond a limit; resources that are only named like an archive are not.
"""

from __future__ import annotations

from collections.abc import Iterator

from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._java_files import MAY_BE_ARCHIVES, SUFFIXES, ZIP_MAGICS
from pratique.inventory.package import Package

MAX_BYTES = 256 * 1024**2  # of an archive, held in memory whole


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the artifacts of an archive and of those in it, each once.

    Raises InvalidRecord for an archive that cannot be opened or read, LimitExceeded for one beyond the limits; after everything else was yielded.
    """
    if not file.content or (file.path.lower().endswith(MAY_BE_ARCHIVES) and not file.content.startswith(ZIP_MAGICS)):
        return
    from pratique.inventory.analyzers._java_archive import ArchiveReading  # 10 ms, only for images with Java

    reading = ArchiveReading()
    seen: set[str] = set()
    for package in reading.packages(file.content, file.path):
        if package.purl not in seen:
            seen.add(package.purl)
            yield package
    reading.raise_problems()


ANALYZER = Analyzer(
    name="java",
    version=2,
    paths=PathPattern(suffixes=tuple(suffix for lower in SUFFIXES for suffix in (lower, lower.upper()))),
    parse=parse,
    max_bytes=MAX_BYTES,
)
